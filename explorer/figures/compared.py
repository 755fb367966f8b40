"""Experiments: curves of several seeds, differences with their intervals, learning rates, rungs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from explorer.figures.norms import DASHES, MARK, SYMBOLS
from explorer.figures.picture import THEME, Picture, framed, log_axis

BAND = 0.25
"""How strongly a band is seen; the lines over it are solid."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The runs of one side, along the same axis."""

    title: str
    seeds: Sequence[tuple[np.ndarray, np.ndarray]]
    """Places and values of each run, whatever it has come to."""
    x: np.ndarray
    """Places of the mean, which is over the runs that are done; empty: none is."""
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """The 95% interval of the mean."""


def race(sides: Sequence[Curves], *, x: str, y: str, begins: float, top: float) -> Picture:
    """Draw each seed as a thin line, and the mean of each side with its band.

    Args:
        sides: at most as many as the theme has colours.
        x: title of the axis, with its unit.
        y: likewise.
        begins: where the picture begins.
        top: the largest value that it shows.
    """
    figure = go.Figure()
    for number, side in enumerate(sides):
        style = {"color": THEME[number], "dash": DASHES[number % len(DASHES)]}
        figure.add_scatter(**_joined(side.seeds), **_thin(style), name=f"{side.title}, each seed")
        if len(side.x):
            figure.add_scatter(**_band(side.x, side.low, side.high), line=style | {"width": 0})
            figure.add_scatter(
                x=side.x,
                y=np.round(side.mean, 5),
                mode="lines",
                name=side.title,
                line=style | {"width": 3},
                hovertemplate="%{y:.4f}",
            )
    framed(figure, height=420, x=x, y=y)
    last = max((float(places[-1]) for side in sides for places, _ in side.seeds), default=1.0)
    figure.update_xaxes(range=[begins, last], exponentformat="SI")
    figure.update_yaxes(range=[_least(sides, begins), top])
    figure.update_layout(hovermode="x unified")
    return Picture(figure=figure, alt=f"{y} against {x}: {'; '.join(map(_how_it_ended, sides))}.")


def difference(
    places: np.ndarray,
    seeds: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    begins: float,
    x: str,
    y: str,
) -> Picture:
    """Draw the difference of each pair of runs, and their mean with its band.

    Args:
        places: along the axis, `n`.
        seeds: the differences, `s n`.
        mean: of the pairs, `n`.
        low: of its 95% interval, `n`; infinite where there is only one pair.
        high: likewise.
        begins: where the picture begins.
        x: title of the axis, with its unit.
        y: what is taken from what.
    """
    figure = go.Figure()
    style = {"color": THEME[2]}
    figure.add_hline(y=0, line=MARK | {"width": 2})
    figure.add_scatter(
        **_joined([(places, each) for each in seeds]), **_thin(style), name="each seed"
    )
    if np.isfinite(low).all():
        figure.add_scatter(**_band(places, low, high), line=style | {"width": 0})
    figure.add_scatter(
        x=places,
        y=np.round(mean, 5),
        mode="lines",
        name="mean, with its 95% interval",
        line=style | {"width": 3},
        customdata=np.round(np.stack([low, high], -1), 4),
        hovertemplate="%{y:.4f} (%{customdata[0]} to %{customdata[1]})",
    )
    framed(figure, height=420, x=x, y=y)
    seen = seeds[:, places >= begins]
    least, most = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
    margin = 0.15 * (most - least)
    figure.update_xaxes(range=[begins, float(places[-1])], exponentformat="SI")
    figure.update_yaxes(range=[least - margin, most + margin])
    figure.update_layout(hovermode="x unified")
    return Picture(
        figure=figure,
        alt=f"{y}, along {x}, of {len(seeds)} pairs: at the end {mean[-1]:+.4f} "
        f"({low[-1]:+.4f} to {high[-1]:+.4f}).",
    )


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The learning rates that were tried on one side."""

    title: str
    rates: Sequence[float]
    values: Sequence[float | None]
    """What each came to; None: it diverged."""
    diverged: Mapping[float, int]
    """The step at which it did, by the rate."""
    best: float


def learning_rates(sides: Sequence[Tried], *, y: str) -> Picture:
    """Draw what each learning rate came to; the best are marked, and which diverged is said.

    Args:
        sides: at most as many as the theme has colours.
        y: title of the axis, with its unit.
    """
    figure = go.Figure()
    values = [value for side in sides for value in side.values if value is not None]
    top = max(values, default=1.0) + 0.12 * (max(values, default=1.0) - min(values, default=0.0))
    for number, side in enumerate(sides):
        colour, symbol = THEME[number], SYMBOLS[number % len(SYMBOLS)]
        is_best = [rate == side.best for rate in side.rates]
        figure.add_scatter(
            x=list(side.rates),
            y=list(side.values),
            mode="lines+markers",
            name=side.title,
            line={"color": colour, "dash": DASHES[number % len(DASHES)], "width": 2},
            marker={
                "symbol": ["star" if best else symbol for best in is_best],
                "size": [18 if best else 10 for best in is_best],
            },
            hovertemplate="learning rate %{x}: %{y:.4f}",
        )
        if side.diverged:
            figure.add_scatter(
                x=list(side.diverged),
                y=[top] * len(side.diverged),
                mode="markers+text",
                name=f"{side.title}: diverged",
                marker={"symbol": "x-thin", "size": 12, "line": {"width": 3, "color": colour}},
                text=[f"diverged at step {step}" for step in side.diverged.values()],
                textposition="bottom center" if number % 2 else "top center",
                cliponaxis=False,
                hovertemplate="%{text}",
            )
    framed(figure, height=420, x="Learning rate", y=y)
    rates = [rate for side in sides for rate in side.rates]
    figure.update_xaxes(**log_axis(min(rates) / 1.3, max(rates) * 1.3))
    figure.update_xaxes(tickvals=sorted(set(rates)), ticktext=[f"{r:g}" for r in sorted({*rates})])
    return Picture(figure=figure, alt=f"{y} by learning rate. {' '.join(map(_how_tried, sides))}")


def _how_tried(side: Tried) -> str:
    pairs = zip(side.rates, side.values, strict=True)
    said = "; ".join(
        f"{rate:g} diverged at step {side.diverged.get(rate, 0):,}"
        if value is None
        else f"{rate:g} came to {value:.4f}"
        for rate, value in pairs
    )
    return f"{side.title}: {said}; best {side.best:g}."


def _how_it_ended(side: Curves) -> str:
    if not len(side.x):
        return f"{side.title}, no run done yet"
    return (
        f"{side.title} ends at {side.mean[-1]:.4f} ({side.low[-1]:.4f} to {side.high[-1]:.4f}) as "
        f"the mean of {len(side.seeds)} seeds"
    )


def _least(sides: Sequence[Curves], begins: float) -> float:
    """Say where the y axis begins: a little under the lowest value that is seen."""
    seen = [values[places >= begins] for side in sides for places, values in side.seeds]
    low = min((float(each.min()) for each in seen if len(each)), default=0.0)
    high = max((float(each.max()) for each in seen if len(each)), default=1.0)
    return low - 0.05 * (high - low)


def _joined(lines: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, list[float | None]]:
    """Give lines as one trace, with gaps between them."""
    x: list[float | None] = []
    y: list[float | None] = []
    for places, values in lines:
        x += [*map(float, places), None]
        y += [*(round(float(value), 5) for value in values), None]
    return {"x": x, "y": y}


def _thin(style: Mapping[str, str]) -> dict[str, object]:
    return {
        "mode": "lines",
        "line": {**style, "width": 1},
        "opacity": 0.5,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, object]:
    return {
        "x": np.concatenate([x, x[::-1]]),
        "y": np.round(np.concatenate([low, high[::-1]]), 5),
        "mode": "lines",
        "fill": "toself",
        "opacity": BAND,
        "hoverinfo": "skip",
        "showlegend": False,
    }
