"""The only home of Streamlit's session state: what one browser tab keeps, and what widgets show.

A number box, a list and a text box of Streamlit 1.67 each look up their own value in a copy of all
that the tab keeps, made for this alone: on a page of sixty widgets, half of a page run's time. They
get a view of it instead, which looks up what is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import streamlit as st
from streamlit.runtime.state import SafeSessionState
from streamlit.runtime.state.common import is_element_id
from streamlit.runtime.state.session_state import _is_internal_key

T = TypeVar("T")


def kept(key: str, make: Callable[[], T]) -> T:
    """Give what this tab keeps under a name, made where it keeps nothing yet.

    Args:
        key: the name, which is no widget's.
        make: makes it, the first time.
    """
    try:
        return cast("T", st.session_state[key])
    except KeyError:
        made = st.session_state[key] = make()
        return made


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


class AsAsked(Mapping[str, Any]):
    """What a tab keeps, by the keys that an app knows, each looked up when it is asked for.

    Args:
        state: Streamlit's.
    """

    def __init__(self, state: SafeSessionState) -> None:
        self._lock, self._state = state._lock, state._state

    def __getitem__(self, key: str) -> Any:
        if is_element_id(key) or _is_internal_key(key):  # of which only Streamlit knows
            raise KeyError(key)
        with self._lock:
            return self._state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def _all(self) -> dict[str, Any]:
        with self._lock:
            return self._state.filtered_state


SafeSessionState.filtered_state = property(AsAsked)  # type: ignore[method-assign, assignment]
