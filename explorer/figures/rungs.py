"""The ladder: what each change brought, with its interval, in one order, in several, and alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from explorer.figures.norms import MARK, SYMBOLS
from explorer.figures.picture import THEME, Picture, framed

ROW = 44
"""Pixels of height for each rung."""
DOWN, UP, FLAT = THEME[0], THEME[1], "gray"
"""Of a change that lowers the loss, of one that raises it, and of one that does neither or of which
nothing is known."""


Kind = Literal["moved", "equal", "unclear"]
"""Whether a change makes a difference, none that matters, or none of which anything is known."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What changing one thing did to the loss."""

    title: str
    before: float
    by: float
    low: float
    high: float
    """The 95% interval of it; infinite with a single pair of runs."""
    verdict: str
    """In words."""
    short: str
    """The same in one or two words."""
    kind: Kind

    @property
    def after(self) -> float:
        """The loss with the change."""
        return self.before + self.by

    @property
    def label(self) -> str:
        """What stands beside its row."""
        return f"{self.title}<br>{self.by:+.3f}, {self.short}"

    @property
    def said(self) -> str:
        """The same in words, for whoever does not see it."""
        interval = f" ({self.low:+.4f} to {self.high:+.4f})" if abs(self.low) < 1e9 else ""
        return f"{self.title} {self.by:+.4f}{interval}, {self.verdict}"


@dataclass(frozen=True, kw_only=True)
class End:
    """A model at one end of the ladder."""

    title: str
    value: float


def waterfall(start: End, changes: Sequence[Change], end: End, *, x: str) -> Picture:
    """Draw how the loss goes from one model to another, a change a row, each with its interval.

    Args:
        start: the first model, on top.
        changes: in their order, each from where the one before it ended.
        end: the last model.
        x: title of the axis, with its unit.
    """
    rows = [start.title, *(change.label for change in changes), end.title]
    figure = go.Figure([_bars(changes), _links(rows, [start.value, *(c.after for c in changes)])])
    figure.add_trace(_ends([start, end]))
    _frame(figure, rows, x)
    values = [start.value, end.value, *(edge for change in changes for edge in _edges(change))]
    _leave_room(figure, min(values), max(values))
    said = "; ".join(change.said for change in changes)
    return Picture(
        figure=figure,
        alt=f"{x}, from {start.title} at {start.value:.4f} down to {end.title} at "
        f"{end.value:.4f}: {said}.",
    )


def alone(changes: Sequence[Change], *, x: str) -> Picture:
    """Draw what each of several changes of the same model did to its loss.

    Args:
        changes: each from zero.
        x: title of the axis, with its unit.
    """
    rows = [change.label for change in changes]
    figure = go.Figure([_bars(changes)])
    figure.add_vline(x=0, line=MARK | {"width": 2})
    _frame(figure, rows, x)
    values = [0.0, *(edge for change in changes for edge in _edges(change))]
    _leave_room(figure, min(values), max(values))
    return Picture(figure=figure, alt=f"{x}: {'; '.join(change.said for change in changes)}.")


@dataclass(frozen=True, kw_only=True)
class Value:
    """What one thing was found to bring in one experiment."""

    title: str
    value: float
    low: float
    high: float
    """The 95% interval."""
    verdict: str
    """In one or two words."""


def by_order(orders: Mapping[str, Sequence[Value]], *, x: str) -> Picture:
    """Draw what each thing brought in each of several experiments, below one another.

    Args:
        orders: what was found of the same things, by the name of the experiment.
        x: title of the axis, with its unit.
    """
    rows = [value.title for value in next(iter(orders.values()))]
    figure = go.Figure()
    for number, (name, values) in enumerate(orders.items()):
        shift = 0.24 * (number - (len(orders) - 1) / 2)
        figure.add_scatter(
            x=[value.value for value in values],
            y=[rows.index(value.title) + shift for value in values],
            error_x=_errors([(v.value, v.low, v.high) for v in values]),
            mode="markers",
            name=name,
            marker={
                "color": THEME[number],
                "symbol": SYMBOLS[number % len(SYMBOLS)],
                "size": 11,
            },
            customdata=[[v.title, v.low, v.high, v.verdict] for v in values],
            hovertemplate="%{customdata[0]}: %{x:.4f} (%{customdata[1]:.4f} to "
            "%{customdata[2]:.4f}), %{customdata[3]}",
        )
    figure.add_vline(x=0, line=MARK | {"width": 2})
    framed(figure, height=90 + ROW * len(rows), x=x)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=rows, range=[len(rows) - 0.5, -0.5]
    )
    said = "; ".join(
        f"{name}: " + ", ".join(f"{v.title} {v.value:+.4f}" for v in values)
        for name, values in orders.items()
    )
    return Picture(figure=figure, alt=f"{x}, by experiment: {said}.")


def _bars(changes: Sequence[Change]) -> go.Bar:
    return go.Bar(
        base=[change.before for change in changes],
        x=[change.by for change in changes],
        y=[change.label for change in changes],
        orientation="h",
        width=0.62,
        marker={
            "color": [_colour(change) for change in changes],
            "pattern": {"shape": ["/" if change.kind == "unclear" else "" for change in changes]},
        },
        error_x=_errors(
            [(c.after, c.after - c.by + c.low, c.after - c.by + c.high) for c in changes]
        ),
        customdata=[change.said for change in changes],
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )


def _colour(change: Change) -> str:
    if change.kind != "moved":
        return FLAT
    return DOWN if change.by < 0 else UP


def _errors(values: Sequence[tuple[float, float, float]]) -> dict[str, object]:
    """Describe intervals around values; one of which nothing is known has none."""
    known = [(value, low, high) if abs(low) < 1e9 else (value,) * 3 for value, low, high in values]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, _, high in known],
        "arrayminus": [value - low for value, low, _ in known],
        "thickness": 2,
        "width": 6,
    }


def _links(rows: Sequence[str], values: Sequence[float]) -> go.Scatter:
    """Draw a thin line from where each row ends to where the next one begins."""
    x: list[float | None] = []
    y: list[str | None] = []
    for at, value in enumerate(values):
        x += [value, value, None]
        y += [rows[at], rows[at + 1], None]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"width": 1.5, "dash": "dot", "color": "gray"},
        hoverinfo="skip",
        showlegend=False,
    )


def _ends(ends: Sequence[End]) -> go.Scatter:
    return go.Scatter(
        x=[end.value for end in ends],
        y=[end.title for end in ends],
        mode="markers+text",
        marker={"symbol": "diamond", "size": 15, "color": THEME[2]},
        text=[f"{end.value:.3f}" for end in ends],
        textposition="middle right",
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        cliponaxis=False,
        showlegend=False,
    )


def _frame(figure: go.Figure, rows: Sequence[str], x: str) -> None:
    framed(figure, height=90 + ROW * len(rows), x=x)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=list(reversed(rows)),
        dtick=1,
        range=[-0.5, len(rows) - 0.5],
    )


def _edges(change: Change) -> tuple[float, ...]:
    inside = (change.before, change.after)
    if abs(change.low) > 1e9:
        return inside
    return (*inside, change.before + change.low, change.before + change.high)


def _leave_room(figure: go.Figure, least: float, most: float) -> None:
    """Let the longest bars and their intervals end before the picture does."""
    room = 0.1 * (most - least or 1)
    figure.update_xaxes(range=[least - room, most + 2.5 * room])
