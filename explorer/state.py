"""The only home of Streamlit's session state: what one browser tab keeps, and what widgets show."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import streamlit as st

T = TypeVar("T")


def kept(key: str, make: Callable[[], T]) -> T:
    """Give what this tab keeps under a name, made where it keeps nothing yet.

    Args:
        key: the name, which is no widget's.
        make: makes it, the first time.
    """
    if key not in st.session_state:
        st.session_state[key] = make()
    return cast("T", st.session_state[key])


def keep(key: str, value: object) -> None:
    """Keep something else under a name from now on."""
    st.session_state[key] = value


def is_shown(key: str) -> bool:
    """Tell whether a widget has been drawn, or been given what it shows."""
    return key in st.session_state


def shown(key: str) -> Any:
    """Tell what a widget shows; None where it has not been drawn."""
    return st.session_state.get(key)


def show(key: str, value: object) -> None:
    """Let a widget show something; in a callback, or before it is drawn."""
    st.session_state[key] = value
