"""Pictures of rotary embeddings: clocks, wavelengths, and both layouts of the pairs."""

import math

import numpy as np
import plotly.graph_objects as go

from explorer.figures.picture import Picture, framed

MOST_CLOCKS = 16


def clocks(before: np.ndarray, after: np.ndarray, turns: np.ndarray, *, position: int) -> Picture:
    """Draw the pairs of a query as hands: as the model has put them, and as they are turned.

    All hands are drawn equally long, whatever the lengths of the pairs.

    Args:
        before: the query, `e`, of which the pairs are (i, i + e/2).
        after: the same, turned.
        turns: radians that each pair turns a position, `e/2`.
        position: the position.
    """
    n_pairs = len(turns)
    shown = np.unique(np.linspace(0, n_pairs - 1, min(n_pairs, MOST_CLOCKS)).astype(int))
    a_row = math.ceil(len(shown) ** 0.5)
    rows = -(-len(shown) // a_row)
    at = np.arange(len(shown))
    x, y = 2.6 * (at % a_row), -2.9 * (at // a_row)
    lengths = np.hypot(before[:n_pairs], before[n_pairs:])[shown]
    figure = go.Figure()
    figure.add_scatter(**_dials(x, y), mode="lines", line={"width": 1, "color": "gray"})
    for values, name, dash in ((before, "at position 0", "dot"), (after, "turned", "solid")):
        ends = values.reshape(2, -1)[:, shown] / np.maximum(lengths, 1e-9)
        figure.add_scatter(
            x=_joined(x, x + ends[0]),
            y=_joined(y, y + ends[1]),
            name=name,
            mode="lines+markers",
            line={"width": 2 if dash == "dot" else 4, "dash": dash},
            marker={"size": [0, 9 if dash == "solid" else 5, 0] * len(shown)},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=x,
        y=y - 1.05,
        mode="text",
        textposition="bottom center",
        text=[f"{i}: λ {short_wavelength(2 * np.pi / turns[i])}" for i in shown],
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": 50, "opacity": 0},
        customdata=np.round(np.stack([position * turns[shown] / (2 * np.pi), lengths], -1), 3),
        text=[f"pair {i}" for i in shown],
        hovertemplate="%{text}: %{customdata[0]} turns, length %{customdata[1]}<extra></extra>",
    )
    framed(figure, height=70 + 135 * rows)
    for number, trace in enumerate(figure.data):
        trace.showlegend = number in (1, 2)
    figure.update_xaxes(visible=False, range=[-1.3, 2.6 * (a_row - 1) + 1.3], constrain="domain")
    figure.update_yaxes(
        visible=False,
        range=[-2.9 * (rows - 1) - 1.9, 1.2],
        scaleanchor="x",
        constrain="domain",
    )
    rounds = position * turns / (2 * np.pi)
    return Picture(
        figure=figure,
        alt=f"{len(shown)} of {n_pairs} pairs as hands of clocks at position {position}: pair 0 "
        f"has turned {rounds[0]:.2f} times, pair {n_pairs - 1} {rounds[-1]:.4f} times.",
    )


def spectrum(lengths: np.ndarray, *, context: int, title: str) -> Picture:
    """Draw the wavelength of each pair, and where the context falls.

    Args:
        lengths: in positions, `e/2`.
        context: how many tokens the model reads in training.
        title: whose they are.
    """
    figure = go.Figure()
    pairs = np.arange(len(lengths))
    kinds = (
        (lengths <= context, "come round within the context", "circle"),
        (lengths > context, "do not come round", "diamond-open"),
    )
    for chosen, name, symbol in kinds:
        if chosen.any():
            figure.add_scatter(
                x=pairs[chosen],
                y=[float(f"{each:.5g}") for each in lengths[chosen]],
                name=name,
                mode="markers",
                marker={"symbol": symbol, "size": 10 if len(lengths) <= 32 else 7},
                hovertemplate="pair %{x}: %{y:,.1f} positions<extra></extra>",
            )
    figure.add_scatter(
        x=[-0.5, len(lengths) - 0.5],
        y=[context, context],
        name=f"context {context:,}",
        mode="lines",
        line={"dash": "dash", "width": 2},
        hoverinfo="skip",
    )
    framed(figure, height=340, x="Pair", y="Wavelength (positions)")
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    figure.update_layout(showlegend=True)
    n_round = int((lengths <= context).sum())
    return Picture(
        figure=figure,
        alt=f"Wavelengths in {title}: {len(lengths)} pairs from {wavelength_words(lengths[0])} to "
        f"{wavelength_words(lengths[-1])} positions; {n_round} come round within the context of "
        f"{context:,}, {len(lengths) - n_round} do not.",
    )


def layouts(order: np.ndarray) -> Picture:
    """Draw the same coordinates in both layouts, each joined to where it stands in the other.

    Args:
        order: by which rotate-half's coordinates stand in the interleaved layout, `e`.
    """
    n = len(order)
    half, places = n // 2, np.arange(n)
    figure = go.Figure()
    for kind, first, dash in (("first half", 0, "solid"), ("second half", half, "dot")):
        chosen = [place for place in range(n) if first <= order[place] < first + half]
        figure.add_scatter(
            x=_joined(order[chosen].astype(float), np.array(chosen, float)),
            y=_joined(np.full(half, 0.88), np.full(half, 0.12)),
            mode="lines",
            line={"dash": dash, "width": 1.5},
            name=kind,
            hoverinfo="skip",
        )
    symbol = {"size": 20 if n <= 16 else 10, "symbol": "square"}
    for row, layout, name in ((1, places, "rotate-half"), (0, order, "interleaved")):
        figure.add_scatter(
            x=places,
            y=np.full(n, row),
            mode="markers+text" if n <= 16 else "markers",
            marker={**symbol, "color": "gray", "opacity": 0.25},
            text=[str(each) for each in layout],
            customdata=[int(each) % half for each in layout],
            hovertemplate="coordinate %{text}, of pair %{customdata}<extra></extra>",
            showlegend=False,
        )
        figure.add_annotation(
            x=0, y=row, yshift=26 if row else -26, text=name, showarrow=False, xanchor="left"
        )
    framed(figure, height=260)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, range=[-0.2, 1.2])
    return Picture(
        figure=figure,
        alt=f"The {n} coordinates of a head in both layouts. Interleaved, they stand in the order "
        f"{', '.join(str(each) for each in order[:6])}{', …' if n > 6 else ''}: coordinate i next "
        f"to i + {half}.",
    )


def _dials(x: np.ndarray, y: np.ndarray) -> dict[str, list[float | None]]:
    """Draw a circle around each centre, as one line with gaps."""
    angle = np.linspace(0, 2 * np.pi, 33)
    points: dict[str, list[float | None]] = {"x": [], "y": []}
    for a, b in zip(x, y, strict=True):
        points["x"] += [*np.round(a + np.cos(angle), 3).tolist(), None]
        points["y"] += [*np.round(b + np.sin(angle), 3).tolist(), None]
    return points


def _joined(start: np.ndarray, end: np.ndarray) -> list[float | None]:
    """Join start and end of each line, with gaps between the lines."""
    pairs = zip(np.round(start, 3).tolist(), np.round(end, 3).tolist(), strict=True)
    return [each for a, b in pairs for each in (a, b, None)]


def wavelength_words(length: float) -> str:
    """Write a wavelength in few characters."""
    if length < 100:
        return f"{length:.3g}"
    return f"{length:,.0f}" if length < 1e6 else f"{length:.1e}"


def short_wavelength(length: float) -> str:
    """Write a wavelength in fewer characters still: thousands as k, millions as M."""
    if length >= 1e9:
        return f"{length:.0e}"
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if length >= size:
            return f"{float(f'{length / size:.2g}'):g}{unit}"
    return f"{length:.3g}"
