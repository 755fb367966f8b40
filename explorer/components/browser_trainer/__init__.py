"""Training in the student's own browser: the engine, in C, the worker that drives it, the panel."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from explorer import state
from explorer.components.browser import part
from explorer.components.browser_trainer.material import pack

KEY = "browser_trainer"
"""Of the component on the page."""
# What the page keeps free while the script is on the way.
_PLACE = '<div class="place" style="height: 28rem"></div>'


def browser_trainer(
    values: Mapping[str, Any],
    *,
    lend: Callable[[], tuple[bytes, Mapping[str, Any]]],
) -> None:
    """Train a run in the browser, and show it.

    Args:
        values: the run as the page shows it; see `browser_trainer.js`.
        lend: gives what the browser needs to begin, as `material` packs it, and the run's curves so
            far; only asked where the browser has not got it.
    """
    memory = f"{KEY}: wanted"
    arrays: dict[str, np.ndarray] = {}
    if state.kept(memory, bool):
        state.keep(memory, False)
        material, history = lend()
        values = {**values, "history": history}
        arrays = {"material": np.frombuffer(material, np.uint8)} if material else {}
    part("browser_trainer", html=_PLACE)(
        key=KEY,
        height="content",
        data=pack(values, arrays),
        on_wanted_change=lambda: state.keep(memory, True),
    )
