"""A picture and its words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Plotly looks whether pandas is there, and would meet it half imported by another student's page.
import pandas  # noqa: F401
import plotly.graph_objects as go

from explorer.figures.labels import plotted, visible

THEME = tuple(f"#{number:06}" for number in range(1, 7))
"""The theme's first colours, which differ, for what belongs together over several traces: Streamlit
puts the page's own, light or dark, in their place."""

DARKEST = 2.4
"""Where the scale of a map with numbers in its cells ends, as a multiple of the largest: so the
page's own letters can be read on every cell, light and dark."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A Plotly figure with a text alternative; colours are the page's theme, light or dark."""

    figure: go.Figure
    alt: str
    """Says what there is to see, for whoever does not see it."""


def framed(figure: go.Figure, *, height: int = 360, x: str = "", y: str = "") -> go.Figure:
    """Give a figure the frame that all have: axis titles, little margin, legend on top.

    Dragging is off, since on a phone it would catch the finger that scrolls.

    Args:
        figure: changed in place, and returned.
        height: in pixels.
        x: title of the x axis, with its unit.
        y: title of the y axis, with its unit.
    """
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": x, "automargin": True},
        yaxis={"title": y, "automargin": True},
    )


def with_type(figure: go.Figure, size: int) -> go.Figure:
    """Write all words of a figure in letters of one size.

    Args:
        figure: changed in place, and returned.
        size: in pixels.
    """
    font = {"size": size}
    figure.update_layout(font=font, legend={"font": font}, hoverlabel={"font": font})
    figure.update_layout(coloraxis={"colorbar": {"tickfont": font, "title": {"font": font}}})
    bar = {"tickfont": font, "title": {"font": font}}
    figure.update_traces(colorbar=bar, selector={"type": "heatmap"})
    figure.update_traces(textfont=font, selector={"type": "bar"})
    figure.update_traces(textfont=font, selector={"type": "scatter"})
    figure.update_xaxes(tickfont=font, title_font=font)
    figure.update_yaxes(tickfont=font, title_font=font)
    return figure.update_annotations(font=font)


def named_axis(names: Sequence[str], first: int = 0) -> dict[str, Any]:
    """Describe an axis of things in a row, each with its name where there is room for it.

    Of categories Plotly names as many as fit, whatever the size of picture and letters; of numbers
    only a few.

    Args:
        names: as Plotly shall show them; may repeat.
        first: the number of the first in the data. Shapes count from 0 all the same.
    """
    numbers = [str(first + at) for at in range(len(names))]
    return {
        "type": "category",
        "categoryarray": numbers,
        "labelalias": dict(zip(numbers, names, strict=True)),
        "range": [-0.5, len(names) - 0.5],
        "showgrid": False,
    }


def name_tokens(figure: go.Figure, tokens: Sequence[str], first: int = 0) -> None:
    """Write tokens under every x axis that counts them, repeated ones apart; words stand upright.

    Args:
        figure: changed in place.
        tokens: in a row.
        first: the number of the first in the data.
    """
    is_long = max(len(visible(token)) for token in tokens) > 2
    figure.update_xaxes(
        **named_axis([plotted(token) for token in tokens], first), tickangle=-90 if is_long else 0
    )


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Describe a logarithmic axis from one number to another, each of its ticks a number as it is.

    Args:
        low: above 0.
        high: above `low`.
    """
    digits = (1, 2, 5) if high < 100 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    shown = [tick for tick in ticks if low <= tick <= high]
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": shown,
        "ticktext": [f"{tick:g}" for tick in shown],
    }
