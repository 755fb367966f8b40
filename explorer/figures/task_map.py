"""Tasks against models that lack something, as a map."""

from collections.abc import Sequence

import plotly.graph_objects as go

from explorer.figures.picture import DARKEST, Picture, framed

ROW = 48
"""Pixels of height for each task."""


def task_map(
    tasks: Sequence[str],
    models: Sequence[str],
    shares: Sequence[Sequence[float | None]],
    hints: Sequence[Sequence[str]],
    chosen: tuple[int, int],
) -> Picture:
    """Draw how much of each task each model gets right; the stronger the colour, the more.

    Args:
        tasks: rows, from top to bottom.
        models: columns, from left to right.
        shares: from 0 to 1, a row for each task; None: not known yet.
        hints: what a cell says where it is pointed at.
        chosen: row and column of the cell with a frame.
    """
    figure = go.Figure(
        go.Heatmap(
            x=list(models),
            y=list(tasks),
            z=[list(row) for row in shares],
            zmin=0,
            zmax=DARKEST,
            autocolorscale=True,
            xgap=2,
            ygap=2,
            text=[[_percent(share) for share in row] for row in shares],
            texttemplate="%{text}",
            hoverinfo="skip",
            showscale=False,
        )
    )
    # Plotly has no presses on the cells of a heatmap: points that nobody sees lie over them.
    cells = [(row, column) for row in range(len(tasks)) for column in range(len(models))]
    figure.add_scatter(
        x=[models[column] for _, column in cells],
        y=[tasks[row] for row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 0.8 * ROW, "opacity": 0},
        unselected={"marker": {"opacity": 0}},
        customdata=[hints[row][column] for row, column in cells],
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    framed(figure, height=70 + ROW * len(tasks))
    row, column = chosen
    figure.add_shape(
        type="rect",
        x0=column - 0.5,
        x1=column + 0.5,
        y0=row - 0.5,
        y1=row + 0.5,
        line={"width": 4, "color": "gray"},
    )
    # As far as the cells go, and no farther: a phone has no room beside them.
    ends = (-0.5, len(models) - 0.5)
    figure.update_xaxes(side="top", showgrid=False, range=ends, autotickangles=[0, -90])
    figure.update_yaxes(
        showgrid=False,
        range=(len(tasks) - 0.5, -0.5),
        tickvals=list(tasks),
        ticktext=[task.replace(" ", "<br>") for task in tasks],
    )
    said = "; ".join(
        f"{task}: " + ", ".join(f"{m} {_percent(s)}" for m, s in zip(models, row, strict=True))
        for task, row in zip(tasks, shares, strict=True)
    )
    return Picture(figure=figure, alt=f"Share of the answers' characters that are right. {said}.")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
