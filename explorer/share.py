"""Sharing a page as it stands: its link, the same as a picture for phones, and what it lacks."""

from io import BytesIO
from urllib.parse import urlencode

import segno
import streamlit as st

from explorer import link, session
from tiny_llama.setup import OWN_TEXT

SIDE = 260
"""Pixels of the picture's side: read by a phone from some metres on a projector."""


def offer(page: str) -> None:
    """Draw the button that opens the link to this page.

    Args:
        page: its name.
    """
    is_pressed = st.button(
        "Share", icon=":material/share:", key="share", type="tertiary", help="Share this page"
    )
    if is_pressed:
        st.dialog("Share this page", on_dismiss="rerun")(_show)(page)


def _show(page: str) -> None:
    """Show the link, its picture, and which controls whoever opens it is to see."""
    _choose_hidden()
    address = _address(page)
    st.code(address, language=None, wrap_lines=True)
    picture = BytesIO()
    segno.make(address, error="l", micro=False).save(picture, kind="png", scale=8, border=2)
    st.image(picture.getvalue(), width=SIDE)
    st.caption(_what_goes_along())


def _address(page: str) -> str:
    words = urlencode(link.to(page))
    base = (st.context.url or "").split("?")[0]
    return f"{base}?{words}" if words else base


def _choose_hidden() -> None:
    """Let a teacher leave controls out, so that a page has only what the lesson needs."""
    labels = link.offered()
    link.widget(
        st.multiselect,
        "hide",
        "Controls that the link hides",
        options=list(labels),
        format_func=lambda name: labels.get(name, name),
        placeholder="None: all of them are seen",
    )


def _what_goes_along() -> str:
    run = session.current_run()
    if run is not None and run.setup.corpus == OWN_TEXT:
        return (
            "Whoever opens it sees the model, its curve and what it writes, but not the text that "
            "it was trained on."
        )
    return "Whoever opens it sees what you see: this view, its settings and its model."
