"""A list to choose from, whose choice stands in the link."""

from collections.abc import Mapping

import streamlit as st

from explorer import session


def choose(key: str, label: str, titles: Mapping[str, str]) -> str:
    """Let the student choose one of several things.

    Args:
        key: widget and word of the link.
        label: above the list.
        titles: by name; the first one is the usual.
    """
    names = list(titles)
    session.take_from_link(key, names, usual=names[0])
    chosen = str(
        st.selectbox(label, names, format_func=lambda name: titles.get(name, name), key=key)
    )
    session.put_into_link(key, chosen, usual=names[0])
    return chosen
