"""Has the browser give the server what its runs have learned, from whichever page it shows."""

from collections.abc import Callable, Mapping
from typing import Any

from explorer import state
from explorer.components.browser import part

KEY = "hand_over"
"""Of the component on the page; the guard lets it say more than others."""


def hand_over(
    values: Mapping[str, Any],
    *,
    take: Callable[[Mapping[str, Any]], None],
    note_unable: Callable[[], None],
) -> None:
    """Draw nothing, and take what the browser gives.

    Args:
        values: see `hand_over.js`.
        take: called, before the page runs, with what the browser has made of a run.
        note_unable: called where the browser cannot train.
    """

    def returned() -> None:
        if isinstance(said := state.shown(KEY)["returned"], dict):
            take(said)

    part("hand_over", css=False)(
        key=KEY,
        data=values,
        height=1,
        on_returned_change=returned,
        on_unable_change=note_unable,
    )
