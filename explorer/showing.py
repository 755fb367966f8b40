"""How a view is shown: its words, its picture, and formula, running code and live tensor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from explorer import content, glossary, presentation, state
from explorer.figures.picture import Picture, with_type
from explorer.source import source

TYPE, PRESENTED_TYPE = 14, 22
"""Pixels of the letters in a picture, at a desk and for the back row of a class."""


@dataclass(frozen=True, kw_only=True)
class LiveTensor:
    """An activation to show: where it is in the model, what its axes are, and its numbers."""

    path: str
    axes: str
    """The letters of HOUSE style, as "h t s"."""
    values: np.ndarray


class NothingToSeeError(StopException):
    """Ends the page, or the half of it that has nothing to show; why has been said."""


def stop(why: str) -> NoReturn:
    """Say why there is nothing to see, and end the page, or this half of its picture."""
    st.error(content.escaped(why), icon=":material/error:")
    raise NothingToSeeError


def tiles(numbers: Mapping[str, str]) -> None:
    """Show numbers side by side, each under its label."""
    with st.container(horizontal=True):
        for label, number in numbers.items():
            st.metric(label, number, border=True)


def in_one_line(numbers: Mapping[str, str]) -> None:
    """Say numbers in a slim line, each after its label, whose words are explained at a touch."""
    line = (f"{glossary.marked(label)} **{number}**" for label, number in numbers.items())
    st.markdown(" · ".join(line))


def markdown_table(rows: Sequence[Sequence[str]], align: str) -> str:
    """Write a table in Markdown.

    Args:
        rows: cells in Markdown, the heads first.
        align: a letter for each column, `l` for words and `r` for numbers.
    """
    heads, *others = (f"| {' | '.join(row)} |" for row in rows)
    marks = " | ".join({"l": "---", "r": "---:"}[letter] for letter in align)
    return "\n".join([heads, f"| {marks} |", *others])


def cite_all(rows: Iterable[Mapping[str, Any]]) -> None:
    """Say where the rows of a table of facts come from, each source once."""
    for origin, confidence in dict.fromkeys((row["source"], row["confidence"]) for row in rows):
        st.caption(content.cited(origin, confidence))


def draw(picture: Picture, *, key: str, on_press: Callable[[Any], None] | None = None) -> None:
    """Draw a picture in the page's theme, with its words for who does not see it.

    In the stage's picture it takes what room there is, elsewhere the figure's own height. The
    camera button above it saves it as SVG.

    Args:
        picture: what is drawn.
        key: its name on the page.
        on_press: called with a point of it that was pressed, as Plotly describes it.
    """

    def press() -> None:
        if on_press is not None and (pressed := state.shown(key)["selection"]["points"]):
            on_press(pressed[0])

    # Said to the browser, the theme makes the chart another one, which is drawn in its colours.
    figure = picture.figure.update_layout(meta=st.context.theme.type)
    st.plotly_chart(
        with_type(figure, letters()),
        key=key,
        height="stretch",
        alt=picture.alt,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": "svg", "filename": key},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
        on_select=press if on_press else "ignore",
        selection_mode="points",
    )


def letters() -> int:
    """Say how large the letters in a picture are at the least, in pixels."""
    return PRESENTED_TYPE if presentation.is_on() else TYPE


def explain(page: str, view: str, *, code: str, tensor: LiveTensor | None = None) -> None:
    """Lay formula, running code and live tensor side by side, folded until wanted.

    Args:
        page: as in `content.inside`.
        view: as in `content.inside`.
        code: where the code is; see `explorer.source`.
        tensor: what this code has just computed.
    """
    with st.expander("Formula, code and tensor", icon=":material/function:", key=f"explain_{view}"):
        formula, running = st.columns(2, gap="large")
        with formula:
            st.markdown(glossary.marked_apart(content.inside(page, view).formula))
            if tensor is not None:
                show_tensor(tensor)
        with running:
            show_code(code)


def show_code(where: str) -> None:
    """Show a piece of the running code; see `explorer.source`."""
    found = source(where)
    st.caption(f"The code that runs: `{found.path}`, from line {found.line}")
    st.code(found.code, language="python", wrap_lines=True)


def show_tensor(tensor: LiveTensor) -> None:
    """Show an activation: its path, shape and first numbers."""
    values = tensor.values
    sizes = " × ".join(f"{size:,}" for size in values.shape)
    first = values[(0,) * (values.ndim - 2)]
    part = ", its first matrix" if first.ndim < values.ndim else ""
    st.caption(f"The live tensor `{tensor.path}`: `{tensor.axes}` = {sizes}, {values.dtype}{part}")
    with np.printoptions(precision=2, suppress=True, threshold=60, edgeitems=3, linewidth=60):
        st.code(str(first), language=None)
