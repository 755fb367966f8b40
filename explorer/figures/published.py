"""The published numbers of LLaMA and its rivals: scores, sizes, data and energy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from explorer.figures.picture import Picture, framed

ROW = 30
"""Pixels of height for each row of bars."""
LETTER = 0.045
"""Of the longest bar's length, what a letter of a number beside it takes on a phone."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row of a bar chart."""

    label: str
    value: float | None
    """None: not printed, and left as a gap."""
    is_ours: bool = False
    """Whether it is of LLaMA, which stands out."""
    is_read: bool = False
    """Whether it was read off a figure."""
    words: str = ""
    """The value as it is written; empty: as it is."""

    @property
    def written(self) -> str:
        """The value in words."""
        return self.words or ("not printed" if self.value is None else f"{self.value:g}")


def bars(rows: Sequence[Bar], *, title: str, x: str, others: str = "Other models") -> Picture:
    """Draw a bar for each model, in the order given; LLaMA's in a colour of their own.

    Args:
        rows: from top to bottom.
        title: what is measured, for the words.
        x: title of the axis, with its unit.
        others: what the bars of the other colour are called.
    """
    figure = go.Figure([_bars(rows, "LLaMA", ours=True), _bars(rows, others, ours=False)])
    framed(figure, height=90 + ROW * len(rows), x=x)
    figure.update_layout(
        barmode="overlay",
        showlegend=len({row.is_ours for row in rows}) == 2,
        annotations=[_gap(row) for row in rows if row.value is None],
    )
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[row.label for row in reversed(rows)],
        dtick=1,
        range=[-0.5, len(rows) - 0.5],
    )
    drawn = [(row.value, len(row.written)) for row in rows if row.value is not None]
    most, letters = map(max, zip(*drawn, strict=True)) if drawn else (1, 0)
    figure.update_xaxes(range=[0, (1 + LETTER * letters) * most])
    said = "; ".join(f"{row.label} {row.written}{_how_read(row)}" for row in rows)
    return Picture(figure=figure, alt=f"{title}, {x}: {said}.")


def _bars(rows: Sequence[Bar], name: str, *, ours: bool) -> go.Bar:
    drawn = [row for row in rows if row.is_ours == ours and row.value is not None]
    return go.Bar(
        x=[row.value for row in drawn],
        y=[row.label for row in drawn],
        orientation="h",
        name=name,
        text=[row.written for row in drawn],
        textposition="outside",
        constraintext="none",
        cliponaxis=False,
        marker={"pattern": {"shape": ["/" if row.is_read else "" for row in drawn]}},
        hovertext=[f"{row.label}: {row.written}{_how_read(row)}" for row in drawn],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _gap(row: Bar) -> dict[str, object]:
    """Write words where a bar would be."""
    return {
        "text": row.written,
        "x": 0,
        "xref": "x domain",
        "xanchor": "left",
        "y": row.label,
        "showarrow": False,
        "opacity": 0.75,
    }


def _how_read(row: Bar) -> str:
    return " (read off a figure)" if row.is_read and row.value is not None else ""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two scores of one test."""

    label: str
    ours: float
    theirs: float


def dumbbells(rows: Sequence[Pair], *, ours: str, theirs: str, x: str) -> Picture:
    """Draw two scores of each test on one line, in the order given.

    Args:
        rows: from top to bottom.
        ours: whose score the diamond is.
        theirs: whose score the circle is.
        x: title of the axis, with its unit.
    """
    figure = go.Figure(
        [
            _ends([row.ours for row in rows], rows, ours, "diamond", 13),
            _ends([row.theirs for row in rows], rows, theirs, "circle-open", 12),
            _links([row for row in rows if row.ours >= row.theirs], f"{ours} ahead", "solid"),
            _links([row for row in rows if row.ours < row.theirs], f"{theirs} ahead", "dot"),
        ]
    )
    framed(figure, height=90 + ROW * len(rows), x=x)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[row.label for row in reversed(rows)],
        dtick=1,
        range=[-0.5, len(rows) - 0.5],
    )
    figure.update_xaxes(rangemode="tozero")
    said = "; ".join(f"{row.label} {row.ours:g} and {row.theirs:g}" for row in rows)
    return Picture(figure=figure, alt=f"{x} of {ours} and of {theirs}: {said}.")


def _ends(
    scores: Sequence[float], rows: Sequence[Pair], name: str, symbol: str, size: int
) -> go.Scatter:
    return go.Scatter(
        x=list(scores),
        y=[row.label for row in rows],
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": size, "line": {"width": 2}},
        customdata=[f"{row.ours - row.theirs:+.1f}" for row in rows],
        hovertemplate="%{y}: %{x}<br>LLaMA ahead by %{customdata}<extra>" + name + "</extra>",
    )


def _links(rows: Sequence[Pair], name: str, dash: str) -> go.Scatter:
    """Draw lines between the two scores, in one trace with gaps."""
    return go.Scatter(
        x=[score for row in rows for score in (row.ours, row.theirs, None)],
        y=[row.label for row in rows for _ in range(3)],
        mode="lines",
        name=name,
        line={"dash": dash, "width": 2.5},
        opacity=0.6,
        hoverinfo="skip",
        showlegend=False,  # the page says what dots mean; a phone has no room for four entries
    )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model's size, and something that its makers chose for it."""

    label: str
    parameters: int
    value: float
    written: str


def by_size(
    series: Mapping[str, Sequence[Trained]], *, y: str, short: Callable[[float], str]
) -> Picture:
    """Draw something of several models against their sizes, both on scales of factors.

    Args:
        series: models from small to large, by the name of their family; LLaMA's first.
        y: title of the axis, with its unit.
        short: writes a value beside the axis.
    """
    symbols = ("diamond", "circle-open")
    figure = go.Figure(
        [
            go.Scatter(
                x=[each.parameters for each in models],
                y=[each.value for each in models],
                mode="lines+markers",
                name=name,
                line={"dash": "dot"},
                marker={"symbol": symbol, "size": 11, "line": {"width": 2}},
                text=[f"{each.label}: {each.written}" for each in models],
                hovertemplate="%{text}<extra></extra>",
            )
            for (name, models), symbol in zip(series.items(), symbols, strict=True)
        ]
    )
    framed(figure, height=340, x="Parameters", y=y)
    figure.update_xaxes(type="log", dtick=1, exponentformat="B", showexponent="all")
    marks = _marks([each.value for models in series.values() for each in models])
    figure.update_yaxes(type="log", tickvals=marks, ticktext=[short(mark) for mark in marks])
    said = "; ".join(
        f"{each.label} {each.written}" for models in series.values() for each in models
    )
    return Picture(figure=figure, alt=f"{y}, by size: {said}.")


def _marks(values: Sequence[float]) -> list[float]:
    """Say where to mark an axis of factors: at 1, 2, 5 times powers of ten, no more than six."""
    least, most = np.log10(min(values)) - 0.2, np.log10(max(values)) + 0.2
    powers = range(int(np.floor(least)), int(np.ceil(most)) + 1)
    steps = (1, 2, 5) if most - least < 2 else (1,)
    marks = [step * 10.0**power for power in powers for step in steps]
    return [mark for mark in marks if least <= np.log10(mark) <= most]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What training a model took, as printed and as computed again."""

    label: str
    printed: float
    again: float | None
    is_ours: bool


def spending(rows: Sequence[Spent], *, title: str, x: str) -> Picture:
    """Draw bars of what was printed, each with a mark for what comes out when computed again.

    Args:
        rows: from top to bottom.
        title: what was spent, for the words.
        x: title of the axis, with its unit.
    """
    shown = [
        Bar(label=row.label, value=row.printed, is_ours=row.is_ours, words=f"{row.printed:,.0f}")
        for row in rows
    ]
    picture = bars(shown, title=title, x=x)
    again = [row for row in rows if row.again is not None]
    if not again:
        return picture
    picture.figure.add_scatter(
        x=[row.again for row in again],
        y=[row.label for row in again],
        mode="markers",
        name="Computed again",
        marker={"symbol": "line-ns-open", "size": 18, "line": {"width": 3}},
        hovertemplate="%{y}, computed again: %{x:,.2f}<extra></extra>",
    )
    said = "; ".join(f"{row.label} {row.again:,.2f}" for row in again)
    return Picture(figure=picture.figure, alt=f"{picture.alt} Computed again: {said}.")


def small_tree(parents: Sequence[str], root: str, children: Sequence[str]) -> Picture:
    """Draw a model between what it stands on and what stands on it, from left to right.

    Args:
        parents: names, from top to bottom.
        root: the model's name.
        children: names, from top to bottom.
    """
    rows = max(len(parents), len(children))
    left, right = _places(0.84, len(parents), rows), _places(1.16, len(children), rows)
    middle = (1.0, (rows - 1) / 2)
    figure = go.Figure([_branches(left, middle), _branches(right, middle)])
    figure.add_trace(_names(left, parents, "middle left"))
    figure.add_trace(_names([middle], [f"<b>{root}</b>"], "top center", size=18))
    figure.add_trace(_names(right, children, "middle right"))
    framed(figure, height=50 + 28 * rows)
    figure.update_layout(showlegend=False, hovermode=False, margin={"t": 10})
    # On a phone all names just have room: the longest one is of a parent.
    figure.update_xaxes(visible=False, range=[-0.08, 1.92], fixedrange=True)
    figure.update_yaxes(visible=False, range=[rows - 0.5, -0.5], fixedrange=True)
    said = f"{root} stands on {', '.join(parents)}; on {root} stand {', '.join(children)}."
    return Picture(figure=figure, alt=said)


def _places(x: float, n: int, rows: int) -> list[tuple[float, float]]:
    """List places one below the other, spread over the height."""
    return [(x, rows * (place + 0.5) / n - 0.5) for place in range(n)]


def _branches(ends: Sequence[tuple[float, float]], middle: tuple[float, float]) -> go.Scatter:
    """Draw lines from each end to the middle, in one trace with gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    for end in ends:
        x += [end[0], middle[0], None]
        y += [end[1], middle[1], None]
    return go.Scatter(x=x, y=y, mode="lines", opacity=0.35, hoverinfo="skip")


def _names(
    places: Sequence[tuple[float, float]], names: Sequence[str], where: str, *, size: int = 10
) -> go.Scatter:
    return go.Scatter(
        x=[place[0] for place in places],
        y=[place[1] for place in places],
        mode="markers+text",
        text=list(names),
        textposition=where,
        textfont={"size": 12},
        marker={"size": size},
        hoverinfo="skip",
        cliponaxis=False,
    )
