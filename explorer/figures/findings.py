"""What others found, beside what was found here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from explorer.figures.norms import MARK, SYMBOLS
from explorer.figures.picture import THEME, Picture, framed

ROW = 46
"""Pixels of height for each row."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """By what share something changed a loss; below zero is lower, and better."""

    title: str
    percent: float
    low: float | None
    high: float | None
    """The 95% interval, where one is known."""
    is_ours: bool


def findings(rows: Sequence[Finding], *, x: str) -> Picture:
    """Draw what was found elsewhere and here, a row each, with the intervals that are known.

    Args:
        rows: from top to bottom.
        x: title of the axis, with its unit.
    """
    titles = [row.title for row in rows]
    figure = go.Figure()
    for number, (is_ours, name) in enumerate(((False, "Published"), (True, "Recorded here"))):
        shown = [row for row in rows if row.is_ours == is_ours]
        figure.add_scatter(
            x=[row.percent for row in shown],
            y=[row.title for row in shown],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(row.high or row.percent) - row.percent for row in shown],
                "arrayminus": [row.percent - (row.low or row.percent) for row in shown],
                "thickness": 2,
                "width": 6,
            },
            mode="markers+text",
            name=name,
            marker={"symbol": SYMBOLS[2 * number], "size": 13, "color": THEME[1 - number]},
            text=[f"{row.percent:+.1f}%" for row in shown],
            textposition="top center",
            hovertemplate="%{y}: %{x:.2f}%",
        )
    figure.add_vline(x=0, line=MARK | {"width": 2})
    framed(figure, height=90 + ROW * len(rows), x=x)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=list(reversed(titles)),
        dtick=1,
        range=[-0.6, len(rows) - 0.4],
    )
    said = "; ".join(f"{row.title.replace('<br>', ' ')} {row.percent:+.2f}%" for row in rows)
    return Picture(figure=figure, alt=f"{x}: {said}.")


def flips(reports: Mapping[str, Mapping[str, float]], *, x: str) -> Picture:
    """Draw what leaving something out cost in each of several single runs.

    Args:
        reports: by the name of the run, what each omission added to the loss.
        x: title of the axis, with its unit.
    """
    rows = list(next(iter(reports.values())))
    figure = go.Figure()
    for number, (name, added) in enumerate(reports.items()):
        shift = 0.26 * (number - (len(reports) - 1) / 2)
        figure.add_scatter(
            x=list(added.values()),
            y=[at + shift for at in range(len(rows))],
            mode="markers+text",
            name=name,
            marker={"color": THEME[number], "symbol": SYMBOLS[number], "size": 12},
            text=[f"{value:+.3f}" for value in added.values()],
            textposition="middle right",
            cliponaxis=False,
            hovertemplate="%{x:+.4f}",
        )
    figure.add_vline(x=0, line=MARK | {"width": 2})
    framed(figure, height=90 + 2 * ROW * len(rows), x=x)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[row.replace(", ", ",<br>") for row in rows],
        range=[len(rows) - 0.5, -0.5],
    )
    least = min(value for added in reports.values() for value in added.values())
    most = max(value for added in reports.values() for value in added.values())
    figure.update_xaxes(range=[least - 0.06 * most, 1.15 * most])
    said = "; ".join(
        f"{row}: " + ", ".join(f"{name} {added[row]:+.4f}" for name, added in reports.items())
        for row in rows
    )
    return Picture(figure=figure, alt=f"{x}: {said}.")
