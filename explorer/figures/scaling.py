"""Laws of scaling: parameters against tokens, and losses of tiny models against their law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from explorer.figures.amounts import in_short, in_words
from explorer.figures.picture import THEME, Picture, framed, log_axis

GREY = "gray"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FLOPS = 6
"""Of training, for each parameter and token: 6 N D."""
_FAR = 0.8
"""Of the map's width, from which the upper ends of lines crowd."""
_DASHES = ("dash", "dashdot", "longdash", "dot", "longdashdot", "2px 6px")


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A model on the map of parameters against tokens."""

    title: str
    parameters: float
    tokens: float
    label: str = ""
    """What stands beside it; empty: pointing at it says its name."""
    side: str = "top center"
    """Where, in Plotly's words."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line on the map, or in a chart of losses."""

    title: str
    x: Sequence[float]
    y: Sequence[float]
    label: str = ""
    """What stands at its end; empty: pointing at it says its title."""


MAP_X, MAP_Y = (8e7, 4e12), (5e10, 1.5e14)
"""What the map shows of parameters and of tokens."""


def law_map(
    groups: Mapping[str, Sequence[Spot]],
    *,
    chosen: Line,
    others: Sequence[Line],
    marks: Mapping[str, Spot],
    iso_loss: Mapping[str, Line],
    between: Line | None = None,
) -> Picture:
    """Draw models by parameters and training tokens, with lines of equal compute and equal loss.

    Args:
        groups: three, by what their models have in common; those of the last stand out.
        chosen: where the chosen rule has its best sizes.
        others: where other rules have theirs.
        marks: what is asked for, by what it is called.
        iso_loss: lines of equal loss by the loss that is written beside them.
        between: what joins the marks, where they have something in common.
    """
    (least_n, most_n), (least_d, most_d) = _reach(marks.values())
    figure = go.Figure()
    symbols = ("circle-open", "triangle-up-open", "diamond")
    for (name, spots), symbol in zip(groups.items(), symbols, strict=True):
        figure.add_trace(_spots(name, spots, symbol))
    for name, spot in marks.items():
        figure.add_trace(_mark(name, spot))
    if between is not None:
        figure.add_scatter(
            x=list(between.x), y=list(between.y), mode="lines", name=between.title, hoverinfo="name"
        )
    figure.add_scatter(
        x=list(chosen.x),
        y=list(chosen.y),
        mode="lines",
        name="best by law",
        line={"width": 4, "color": GREY},
        hovertemplate=f"{chosen.title}<extra></extra>",
    )
    for line, dash in zip(others, _DASHES, strict=False):
        figure.add_scatter(
            **_inside(line, most_n, most_d),
            mode="lines+text",
            name=line.title,
            text=["", line.label],
            textposition="bottom left",
            line={"width": 1.5, "color": GREY, "dash": dash},
            hoverinfo="name",
            showlegend=False,
        )
    least, most = (log10(_FLOPS * n * d) for n, d in ((least_n, least_d), (most_n, most_d)))
    for power in range(floor(least) + 1, ceil(most)):
        figure.add_trace(_iso_flop(power, (least_n, most_n), (least_d, most_d)))
    for loss, line in iso_loss.items():
        figure.add_trace(_iso_loss(loss, line, most_d))
    framed(figure, height=460, x="Parameters", y="Training tokens")
    figure.update_xaxes(**_decades(least_n, most_n))
    figure.update_yaxes(**_decades(least_d, most_d))
    said = "; ".join(
        f"{spot.title} {in_words(spot.parameters)} parameters, {in_words(spot.tokens)} tokens"
        for spots in groups.values()
        for spot in spots
        if spot.label
    )
    asked = "; ".join(
        f"{name}: {in_words(spot.parameters)} parameters, {in_words(spot.tokens)} tokens"
        for name, spot in marks.items()
    )
    n_models = sum(map(len, groups.values()))
    return Picture(
        figure=figure,
        alt=f"{n_models} models by parameters and training tokens, with lines of equal compute. "
        f"The thick line is {chosen.title}. Marked: {asked}. Named: {said}.",
    )


def _inside(line: Line, most_n: float, most_d: float) -> dict[str, list[float]]:
    """Cut a straight line of the map where it leaves it to the right or above."""
    (x0, x1), (y0, y1) = np.log10(line.x), np.log10(line.y)
    slope = (y1 - y0) / (x1 - x0)
    end = min(log10(most_n), x0 + (log10(most_d) - y0) / slope)
    return {"x": [line.x[0], 10**end], "y": [line.y[0], 10 ** (y0 + slope * (end - x0))]}


def _reach(marks: Sequence[Spot] | Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Say what the map has to show, so that each mark lies on it."""
    spots = list(marks)
    sizes = [spot.parameters for spot in spots]
    tokens = [spot.tokens for spot in spots]
    return (
        (min(MAP_X[0], *(n / 2 for n in sizes)), max(MAP_X[1], *(n * 2 for n in sizes))),
        (min(MAP_Y[0], *(n / 2 for n in tokens)), max(MAP_Y[1], *(n * 2 for n in tokens))),
    )


def _spots(name: str, spots: Sequence[Spot], symbol: str) -> go.Scatter:
    is_main = not symbol.endswith("open")
    return go.Scatter(
        x=[spot.parameters for spot in spots],
        y=[spot.tokens for spot in spots],
        mode="markers+text",
        name=name,
        text=[spot.label for spot in spots],
        textposition=[spot.side for spot in spots],
        marker={"size": 13 if is_main else 9, "symbol": symbol, "line": {"width": 2}},
        customdata=[
            [
                spot.title,
                in_words(spot.parameters),
                in_words(spot.tokens),
                in_words(spot.tokens / spot.parameters),
            ]
            for spot in spots
        ],
        hovertemplate="%{customdata[0]}: %{customdata[1]} parameters, %{customdata[2]} tokens, "
        "%{customdata[3]} a parameter<extra></extra>",
    )


def _mark(name: str, spot: Spot) -> go.Scatter:
    return go.Scatter(
        x=[spot.parameters],
        y=[spot.tokens],
        mode="markers",
        name=name,
        marker={"size": 20, "symbol": "star", "line": {"width": 1}},
        hovertemplate=f"{name}: {in_words(spot.parameters)} parameters, "
        f"{in_words(spot.tokens)} tokens<extra></extra>",
    )


def _iso_flop(power: int, sizes: tuple[float, float], tokens: tuple[float, float]) -> go.Scatter:
    """Draw where 6 N D is a power of ten, as far as the map goes, named at its upper end.

    Where that lies among the ends of other lines, far right, its lower end is named. The unit
    stands where there is room for it also on a phone: at the left edge.
    """
    least = max(sizes[0], 10.0**power / _FLOPS / tokens[1])
    most = min(sizes[1], 10.0**power / _FLOPS / tokens[0])
    x = np.array([least, least * 1.06, most / 1.06, most])
    name = f"10{str(power).translate(_RAISED)}" + " FLOP" * (least == sizes[0])
    is_far = log10(least / sizes[0]) > _FAR * log10(sizes[1] / sizes[0])
    return go.Scatter(
        x=x,
        y=10.0**power / _FLOPS / x,
        mode="lines+text",
        text=["", "", name, ""] if is_far else ["", name, "", ""],
        textposition="bottom left" if is_far else "bottom right",
        line={"width": 0.8, "color": GREY, "dash": "dot"},
        opacity=0.6,
        hoverinfo="skip",
        showlegend=False,
    )


def _iso_loss(loss: str, line: Line, highest: float) -> go.Scatter:
    """Draw where a law says the same loss, which is written where the line leaves the map."""
    x, y = np.array(line.x), np.array(line.y)
    inside = y <= highest
    x, y = x[inside], y[inside]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+text",
        text=["", "", loss, *[""] * max(0, len(x) - 3)],
        textposition="middle right",
        line={"width": 1, "color": GREY},
        opacity=0.45,
        hovertemplate=f"predicted loss {loss}<extra></extra>",
        showlegend=False,
    )


def _decades(low: float, high: float) -> dict[str, Any]:
    """Describe an axis of powers of ten alone."""
    powers = [10.0**power for power in range(ceil(log10(low)), floor(log10(high)) + 1)]
    ticks = {"tickvals": powers, "ticktext": [in_short(power) for power in powers]}
    return _axis(low, high) | ticks


# Runs of one's own.


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in a chart: its place, and what pointing at it says."""

    x: float
    y: float
    words: str


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The runs of one budget of compute, and curves through them."""

    title: str
    runs: Sequence[Run]
    law: Line | None = None
    """What the law says at this budget."""
    parabola: Line | None = None
    lowest: tuple[float, float] | None = None
    """Where the parabola is lowest."""
    best: tuple[float, float] | None = None
    """Where the law is lowest at this budget."""


_SHAPES = ("circle", "square", "diamond", "triangle-up", "x", "star")


def isoflop_curves(budgets: Sequence[Budget], *, added: Sequence[Run] = ()) -> Picture:
    """Draw the losses of each budget of compute against size, with the law and the parabola.

    Args:
        budgets: from small to large.
        added: runs of no budget, as others have sent them.
    """
    figure = go.Figure()
    for place, budget in enumerate(budgets):
        colour = THEME[place % len(THEME)]
        figure.add_trace(_runs(budget.title, budget.runs, colour, _SHAPES[place % len(_SHAPES)]))
        for line, dash in ((budget.law, "solid"), (budget.parabola, "dot")):
            if line is not None:
                figure.add_scatter(
                    x=list(line.x),
                    y=list(line.y),
                    mode="lines",
                    name=f"{line.title}",
                    line={"color": colour, "dash": dash, "width": 2},
                    hoverinfo="name",
                    showlegend=False,
                )
        ends = [(budget.best, "star"), (budget.lowest, "star-open")]
        for end, symbol in ends:
            if end is not None:
                figure.add_scatter(
                    x=[end[0]],
                    y=[end[1]],
                    mode="markers",
                    marker={"symbol": symbol, "size": 15, "color": colour},
                    hovertemplate=f"lowest: {in_words(end[0])} parameters<extra></extra>",
                    showlegend=False,
                )
    for name, dash in (("the law", "solid"), ("parabola", "dot")):  # what lines and stars mean
        figure.add_scatter(
            x=[None], y=[None], mode="lines", name=name, line={"color": GREY, "dash": dash}
        )
    if added:
        figure.add_trace(_runs("added", added, GREY, "cross"))
    framed(figure, height=440, x="Parameters that multiply (N)", y="Held-out loss, nats a token")
    figure.update_xaxes(**_axis(*_around([r.x for b in budgets for r in b.runs], added)))
    said = "; ".join(
        f"{budget.title}: {len(budget.runs)} runs, losses from "
        f"{min(run.y for run in budget.runs):.3f} to {max(run.y for run in budget.runs):.3f}"
        + (f", the law is lowest at {in_words(budget.best[0])}" if budget.best else "")
        + (f", the parabola at {in_words(budget.lowest[0])}" if budget.lowest else "")
        for budget in budgets
    )
    return Picture(figure=figure, alt=f"Held-out loss against size, by budget of compute: {said}.")


def _axis(low: float, high: float) -> dict[str, Any]:
    """Describe an axis of factors, its ticks in as few signs as can be."""
    axis = log_axis(low, high)
    return axis | {"ticktext": [in_short(tick) for tick in axis["tickvals"]]}


def _around(sizes: Sequence[float], added: Sequence[Run]) -> tuple[float, float]:
    every = [*sizes, *(run.x for run in added)]
    return min(every) / 1.3, max(every) * 1.3


def _runs(name: str, runs: Sequence[Run], colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=[run.x for run in runs],
        y=[run.y for run in runs],
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.85},
        text=[run.words for run in runs],
        hovertemplate="%{text}<extra></extra>",
    )


def by_group(
    groups: Mapping[str, Sequence[Run]],
    *,
    x: str,
    y: str,
    alt: str,
    line: Line | None = None,
    level: float | None = None,
    is_log: bool = False,
) -> Picture:
    """Draw runs in groups against something, on a scale of factors.

    Args:
        groups: runs by what they have in common.
        x: title of the axis, with its unit.
        y: title of the axis, with its unit.
        alt: what there is to see.
        line: a curve beside them.
        level: a height that is marked.
        is_log: whether the upright axis is one of factors, too.
    """
    figure = go.Figure()
    for place, (name, runs) in enumerate(groups.items()):
        shape = _SHAPES[place % len(_SHAPES)]
        figure.add_trace(_runs(name, runs, THEME[place % len(THEME)], shape))
    if line is not None:
        figure.add_scatter(
            x=list(line.x),
            y=list(line.y),
            mode="lines",
            name=line.title,
            line={"color": GREY, "width": 2},
            hoverinfo="name",
        )
    if level is not None:
        figure.add_hline(y=level, line={"color": GREY, "width": 2, "dash": "dot"})
    framed(figure, height=440, x=x, y=y)
    places = [run.x for runs in groups.values() for run in runs]
    figure.update_xaxes(**_axis(min(places) / 1.3, max(places) * 1.3))
    if is_log:
        heights = [run.y for runs in groups.values() for run in runs]
        figure.update_yaxes(**_axis(min(heights) / 1.3, max(heights) * 1.3))
    return Picture(figure=figure, alt=alt)


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """A loss, with what was said of it before."""

    guess: float
    law: tuple[float, float, float]
    """What the law says, and the ends of its interval."""
    truth: Sequence[Run]


def prediction(groups: Mapping[str, Sequence[Run]], size: float, told: Foretold | None) -> Picture:
    """Draw losses against size, and where the one that is asked for will be.

    Args:
        groups: runs that may be seen, by budget of compute.
        size: of the model whose loss is asked for.
        told: what was said and what came; None: it is sealed.
    """
    figure = go.Figure()
    for place, (name, runs) in enumerate(groups.items()):
        colour, shape = THEME[place % len(THEME)], _SHAPES[place % len(_SHAPES)]
        figure.add_trace(_runs(name, runs, colour, shape))
    figure.add_vline(x=size, line={"color": GREY, "width": 2, "dash": "dot"})
    said = "The loss that is asked for is sealed."
    if told is not None:
        figure.add_traces(_told(size, told))
        law, low, high = told.law
        found = ", ".join(f"{run.y:.4f}" for run in told.truth)
        said = (
            f"Guessed: {told.guess:.3f}. The law: {law:.3f}, from {low:.3f} to {high:.3f}. "
            f"Found: {found}."
        )
    framed(figure, height=440, x="Parameters that multiply (N)", y="Held-out loss, nats a token")
    sizes = [run.x for runs in groups.values() for run in runs]
    figure.update_xaxes(**_axis(min(sizes) / 1.3, max(*sizes, size) * 1.3))
    listed = "; ".join(
        f"{name}: {', '.join(f'{run.y:.3f}' for run in runs)}" for name, runs in groups.items()
    )
    return Picture(
        figure=figure,
        alt=f"Held-out losses against size, by budget: {listed}. The dotted line is the model of "
        f"{in_words(size)} parameters. {said}",
    )


def _told(size: float, told: Foretold) -> list[go.Scatter]:
    """Draw the guess, the law's prediction with its interval, and what was found."""
    law, low, high = told.law
    return [
        go.Scatter(
            x=[size / 1.06],
            y=[told.guess],
            mode="markers",
            name="your guess",
            marker={"symbol": "x", "size": 14, "color": THEME[3]},
            hovertemplate="your guess: %{y:.3f}<extra></extra>",
        ),
        go.Scatter(
            x=[size * 1.06],
            y=[law],
            mode="markers",
            name="the law",
            marker={"symbol": "diamond-open", "size": 14, "color": THEME[4]},
            error_y={"array": [high - law], "arrayminus": [law - low]},
            hovertemplate="the law: %{y:.3f}<extra></extra>",
        ),
        _runs("found", told.truth, THEME[5], "star"),
    ]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one kind, and their means."""

    title: str
    runs: Sequence[Run]
    means: Sequence[tuple[float, float, float, float]]
    """Each its place, the mean, and the ends of the mean's 95% interval."""


def by_noise(groups: Sequence[Group]) -> Picture:
    """Draw what runs came to, against the share of wrong tokens in what they read.

    Args:
        groups: at most six.
    """
    figure = go.Figure()
    for number, group in enumerate(groups):
        colour, shape = THEME[number], _SHAPES[number]
        shift = 0.006 * (number - (len(groups) - 1) / 2)
        x, mean, low, high = np.array(group.means).T
        figure.add_scatter(
            x=x + shift,
            y=mean,
            mode="lines+markers",
            name=group.title,
            line={"color": colour, "width": 2},
            marker={"symbol": shape, "size": 11},
            error_y={"array": high - mean, "arrayminus": mean - low},
            hovertemplate=f"{group.title}, mean: %{{y:.4f}}<extra></extra>",
        )
        figure.add_scatter(
            x=[run.x + shift for run in group.runs],
            y=[run.y for run in group.runs],
            mode="markers",
            marker={"color": colour, "symbol": f"{shape}-open", "size": 8},
            text=[run.words for run in group.runs],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    framed(
        figure,
        height=440,
        x="Wrong tokens in the text that is read",
        y="Held-out loss on clean text (nats a token)",
    )
    figure.update_xaxes(
        tickformat=".0%", tickvals=sorted({run.x for g in groups for run in g.runs})
    )
    said = "; ".join(
        f"{group.title} with {place:.0%} wrong {mean:.3f}"
        for group in groups
        for place, mean, *_ in group.means
    )
    return Picture(
        figure=figure,
        alt=f"Held-out loss on clean text at one budget of compute, means over seeds: {said}.",
    )
