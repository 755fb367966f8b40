"""How sure each layer is of its guess, and where it has the final one."""

import numpy as np
import plotly.graph_objects as go

from explorer.figures.picture import Picture, framed

_TICKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def by_layer(
    here: np.ndarray, mean: np.ndarray, *, title: str, word: str, is_rank: bool = False
) -> Picture:
    """Draw one number by layer, after the chosen token and on average over the text.

    Args:
        here: after the chosen token, `l`.
        mean: over all tokens of the text, `l`.
        title: of the axis.
        word: for the average: mean, or geometric mean.
        is_rank: whether the axis counts from 1 in powers of ten, 1 on top.
    """
    rows = row_names(len(here))
    figure = go.Figure(
        [
            go.Scatter(
                x=list(range(len(rows))),
                y=line.astype(np.float64).round(3),
                mode="lines+markers",
                name=name,
                line={"dash": dash},
                marker={"symbol": symbol, "size": 8},
                hovertemplate="%{y:.3~f}",
            )
            for name, line, dash, symbol in (
                ("after this token", here, "solid", "circle"),
                (f"{word} over the text", mean, "dash", "square-open"),
            )
        ]
    )
    framed(figure, height=280, y=title)
    figure.update_xaxes(tickvals=list(range(len(rows))), ticktext=rows)
    if is_rank:
        top = float(np.log10(max(here.max(), mean.max(), 3))) + 0.1
        figure.update_yaxes(type="log", range=[top, -0.1], tickvals=_TICKS)
    else:
        figure.update_yaxes(rangemode="tozero")
    said = ", ".join(f"{name} {value:.3g}" for name, value in zip(rows, here, strict=True))
    means = ", ".join(f"{value:.3g}" for value in mean)
    return Picture(
        figure=figure,
        alt=f"{title} by layer after the chosen token: {said}; {word} over the text: {means}.",
    )


def row_names(n: int) -> list[str]:
    """Name the rows of the lens: the embedding, then the layers counted from 0."""
    return ["embedding", *(f"layer {layer}" for layer in range(n - 1))]
