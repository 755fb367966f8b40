"""Two models side by side in a view: the same picture of each, in a half of its own."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from typing import TypeVar

import streamlit as st

from explorer import session, showing
from explorer.inspection import Inspection, needs_heads
from explorer.settings import what_it_has

T = TypeVar("T")
_LINE = (
    "margin: 0 0 -0.85rem; font-size: 0.875rem; line-height: 1.2;"
    "white-space: nowrap; overflow: hidden; text-overflow: ellipsis"
)
"""A name takes one line, so that pictures begin as high as without it, nearly."""


def side_by_side(
    inspection: Inspection,
    ask: Callable[[Inspection], T],
    draw: Callable[[Inspection, T, Sequence[T]], None],
) -> Sequence[T]:
    """Draw the picture of a model, and if another stands beside it, of both, each under its name.

    Where the other one has nothing to show, its half says why, and the first keeps its own.

    Args:
        inspection: of the model, with the other one.
        ask: finds out what is to be drawn of a model; both are asked before anything is drawn.
        draw: draws it; is given what was found of this model and of all, for a scale they share.

    Returns:
        What was found of each; the other is left out where it has nothing to show.
    """
    if inspection.other is None:
        found = ask(inspection)
        draw(inspection, found, [found])
        return [found]
    halves = st.columns(2)
    for model, half in zip(inspection.models, halves, strict=True):
        with half:
            say_whose(model, inspection)
    with halves[0]:
        answers = [ask(inspection)]
    with halves[1], suppress(showing.NothingToSeeError):
        answers.append(ask(inspection.other))
    for model, answer, half in zip(inspection.models, answers, halves, strict=False):
        with half:
            draw(model, answer, answers)
    return answers


def say_whose(model: Inspection, inspection: Inspection) -> None:
    """Say which model what follows is of, where there are two of them."""
    if inspection.other is None:
        return
    against = inspection if model.is_beside else inspection.other
    name = escape(session.run_name(model.run))
    has = escape(what_it_has(model.run.setup, against.run.setup))
    words = f": {has}" if has else ""
    st.html(f'<p style="{_LINE}" title="{name}{words}"><b>{name}</b>{words}</p>')


def head_of(model: Inspection, layer: int, head: int) -> tuple[int, int]:
    """Give a model's own head in a place that was chosen in the first one.

    Where the other model has fewer, it is its last one, which is said; ends its half without any.
    """
    if not model.is_beside:
        return layer, head
    config = model.run.setup.model
    needs_heads(config)
    own = min(layer, config.n_layers - 1), min(head, config.n_heads - 1)
    if own != (layer, head):
        st.caption(
            f"This model has no layer {layer} with a head {head} (n_layers={config.n_layers}, "
            f"n_heads={config.n_heads}), so its layer {own[0]}, head {own[1]} stands here."
        )
    return own
