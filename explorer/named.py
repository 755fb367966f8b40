"""Choices by title whose short names are in the link."""

from collections.abc import Mapping

import streamlit as st

from explorer import session


def choose_named(
    label: str, options: Mapping[str, str], *, key: str, usual: str, as_buttons: bool = False
) -> str:
    """Let the student choose by title; a choice that is not there any more is the usual one.

    Args:
        label: of the widget.
        options: titles by name.
        key: widget and word of the link.
        usual: the name that no link needs.
        as_buttons: side by side, for a few short titles.
    """
    session.take_from_link(key, options, usual=usual)

    def title(name: str) -> str:
        return options.get(name, name)

    names = list(options)
    if as_buttons:
        chosen = st.segmented_control(label, names, required=True, format_func=title, key=key)
    else:
        chosen = st.selectbox(label, names, format_func=title, key=key)
    session.put_into_link(key, str(chosen), usual=usual)
    return str(chosen)
