"""Knows a student again after a reload, by a secret that only their browser keeps."""

from collections.abc import Callable

import streamlit as st

from explorer.components.browser import part

_KEY = "identity"


def remember_owner(owner: str, take_up: Callable[[str], None]) -> None:
    """Hand the browser this session's secret to keep; take up the one that it kept before, if any.

    The secret is in no link, so a shared link shows a run but does not let others steer it. It is
    taken up in a callback, since the browser's answer may come with the rerun of a fragment, which
    does not draw this component.
    """

    def answered() -> None:
        if kept := st.session_state[_KEY].get("owner"):
            take_up(kept)

    mount = part("identity", css=False)
    mount(key=_KEY, data={"owner": owner}, height=1, on_owner_change=answered)
