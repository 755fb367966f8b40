"""Presenting a page to a class: navigation, controls and longer words away, picture and type large.

It is a word of the link, so that a page can be sent as it is to be projected.
"""

from pathlib import Path

import streamlit as st

from explorer import link
from explorer.components import presented


def is_on() -> bool:
    """Tell whether the page is presented."""
    return bool(link.value("present"))


def offer() -> None:
    """Draw the button that begins, and while presenting the one that ends; each has a key."""
    if is_on():
        st.html(Path(__file__).with_name("presentation.css"))
        presented.fit()
        _button("Leave the presentation", ":material/close_fullscreen:", False, "Escape")
    else:
        _button("Present", ":material/present_to_all:", True, "P")


def _button(label: str, icon: str, on: bool, shortcut: str) -> None:
    st.button(
        label,
        icon=icon,
        key="leave_presenting" if not on else "begin_presenting",
        type="tertiary",
        shortcut=shortcut,
        help=f"{label} (key {shortcut})",
        on_click=lambda: link.put(present=on),
    )
