"""What each layer would say: guesses, how sure they are, and when the final one comes up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import plotted, visible
from explorer.figures.picture import Picture, framed


@dataclass(frozen=True, kw_only=True)
class Shade:
    """A number that colours the cells of the lens."""

    title: str
    name: str
    """Of the numbers in what the view found."""
    is_rank: bool = False


SHADES: Mapping[str, Shade] = {
    "Probability": Shade(title="Probability of its guess", name="top_probabilities"),
    "Entropy": Shade(title="Entropy (nats)", name="entropies"),
    "Rank": Shade(title="Rank of the model's final token", name="final_ranks", is_rank=True),
}
_BAR = {"orientation": "h", "thickness": 12, "y": 1, "yanchor": "bottom", "ypad": 4}
_TICKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def lens_map(
    tokens: Sequence[str],
    guesses: Sequence[Sequence[str]],
    values: np.ndarray,
    *,
    shade: Shade,
    first: int = 0,
    framed_at: int | None = None,
) -> Picture:
    """Draw the guess of each layer after each token; layers go up as the text goes through them.

    Args:
        tokens: what is read, `t`.
        guesses: the likeliest token of each row and place, `l t`; row 0 is the embedding.
        values: what colours them, `l t`.
        shade: what that is.
        first: the place of the first token in the whole text.
        framed_at: the column that is looked at more closely; None: none of these.
    """
    rows = row_names(len(guesses))
    drawn = np.log10(values) if shade.is_rank else values
    bar: dict[str, object] = {"title": {"text": shade.title}, **_BAR}
    if shade.is_rank:
        ticks = [tick for tick in _TICKS if tick <= 10 ** float(drawn.max())] or [1]
        bar |= {"tickvals": [float(np.log10(tick)) for tick in ticks], "ticktext": ticks}
    figure = go.Figure(
        go.Heatmap(
            z=drawn.astype(np.float32).round(3),
            zmin=0,
            zmax=1 if shade.name == "top_probabilities" else None,
            text=[[plotted(guess) for guess in row] for row in guesses],
            customdata=values.astype(np.float32).round(3),
            texttemplate="%{text}",
            textfont={"size": 15},
            colorbar=bar,
            xgap=1,
            ygap=1,
            hovertemplate="guess %{text}<br>" + shade.title + " %{customdata:.3~f}<extra></extra>",
        )
    )
    framed(figure, height=170 + 38 * len(rows), y="After layer")
    figure.update_layout(margin_t=80)
    figure.update_xaxes(
        tickvals=list(range(len(tokens))),
        ticktext=[plotted(token) for token in tokens],
        tickangle=0,
        showgrid=False,
    )
    short = ["emb.", *map(str, range(len(rows) - 1))]
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=short, showgrid=False)
    if framed_at is not None:
        figure.add_shape(
            type="rect",
            x0=framed_at - 0.5,
            x1=framed_at + 0.5,
            y0=-0.5,
            y1=len(rows) - 0.5,
            line={"width": 3},
        )
    said = "; ".join(
        f"{name} guesses {visible(row[-1])}, {shade.title.lower()} {value:.3g}"
        for name, row, value in zip(rows, guesses, values[:, -1], strict=True)
    )
    return Picture(
        figure=figure,
        alt=f"What each layer would say after tokens {first + 1} to {first + len(tokens)}. After "
        f"the last of them, {visible(tokens[-1])}: {said}.",
    )


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
