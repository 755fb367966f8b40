"""Has the browser give the server what its runs have learned, from whichever page it shows."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from explorer import state
from explorer.components.browser import part

KEY = "hand_over"
"""Of the component on the page; the guard lets it say more than others, when it has a turn."""


def hand_over(
    values: Mapping[str, Any],
    *,
    ask: Callable[[Mapping[str, Any]], None],
    take: Callable[[Mapping[str, Any]], None],
    note_kept: Callable[[Mapping[str, Any]], None],
    bring_back: Callable[[Mapping[str, Any]], None],
    note_unable: Callable[[], None],
) -> None:
    """Draw nothing, and take what the browser gives.

    Args:
        values: see `hand_over.js`.
        ask: called, before the page runs, with which run the browser would give something of.
        take: likewise, with what it has made of a run.
        note_kept: called with the runs of which the browser keeps something.
        bring_back: called with all that it has kept of a run that the server has lost.
        note_unable: called where the browser cannot train.
    """
    part("hand_over", css=False)(
        key=KEY,
        data=values,
        height=1,
        on_asks_change=partial(_pass_on, "asks", ask),
        on_returned_change=partial(_pass_on, "returned", take),
        on_kept_change=partial(_pass_on, "kept", note_kept),
        on_lost_change=partial(_pass_on, "lost", bring_back),
        on_unable_change=note_unable,
    )


def _pass_on(event: str, act: Callable[[Mapping[str, Any]], None]) -> None:
    if isinstance(said := state.shown(KEY)[event], dict):
        act(said)
