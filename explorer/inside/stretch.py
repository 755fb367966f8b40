"""A stretch of a long text, as much of it as a picture can show."""

from collections.abc import Sequence

import streamlit as st

from explorer import session
from explorer.figures.labels import visible


def choose_stretch(n: int, most: int, *, key: str) -> range:
    """Let the student choose where a picture begins, if it cannot show all; it is in the link.

    Args:
        n: tokens in all.
        most: tokens that the picture can show.
        key: widget and word of the link.
    """
    if n <= most:
        return range(n)
    session.keep_between(key, 1, n - most + 1)
    first = st.slider(
        f"From token (the picture shows {most} of {n:,})",
        1,
        n - most + 1,
        key=key,
        bind="query-params",
        persist_state="session",
    )
    return range(first - 1, first - 1 + most)


def room_for(tokens: Sequence[str], *, characters: int = 28, most: int = 24) -> int:
    """How many columns a picture can have, if their labels are as long as these tokens."""
    longest = max((len(visible(token)) for token in tokens), default=1)
    return max(6, min(most, characters // longest))
