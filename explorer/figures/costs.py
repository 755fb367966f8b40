"""What a setup costs: parameters, operations, memory and speed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from explorer.figures.amounts import in_bytes, in_flops, in_rate, in_short, in_words
from explorer.figures.picture import Picture, framed

INK = "#0E1620"
"""The theme's dark text, which can be read on each of these of its colours, in light and dark."""
GROUND = "#BFD9EC"
LEAST_TYPE = 14
"""Pixels of the letters in a box; where a box is too small for them, pointing at it says all."""
FILLS = ("#56B4E9", "#CC79A7", "#E69F00", "#009E73", "#D55E00")


@dataclass(frozen=True, kw_only=True)
class Box:
    """A part of a model in the tree map, and the box that holds it."""

    id: str
    inside: str
    """The id of the box around it; empty for the whole model."""
    label: str
    kind: int
    """Which colour it has, counted from 0; of boxes that hold several kinds -1."""
    n_parameters: int


def parameter_map(boxes: Sequence[Box], opened: str) -> Picture:
    """Draw the parameters of a model as boxes in boxes, each as large as its share.

    Args:
        boxes: the whole model first.
        opened: the id of the box to show.
    """
    whole, holders = boxes[0].n_parameters, {box.inside for box in boxes}
    figure = go.Figure(
        go.Treemap(
            ids=[box.id for box in boxes],
            parents=[box.inside for box in boxes],
            labels=[box.label for box in boxes],
            values=[box.n_parameters for box in boxes],
            branchvalues="total",
            level=opened,
            sort=False,
            texttemplate=[_written(box, whole, is_holder=box.id in holders) for box in boxes],
            customdata=[f"{box.n_parameters:,}" for box in boxes],
            hovertemplate="%{label}<br>%{customdata} parameters<br>%{percentParent:.1%} of the box "
            "around it, %{percentRoot:.1%} of all<extra></extra>",
            marker={
                "colors": [_fill(box.kind) for box in boxes],
                "depthfade": False,
                "line": {"width": 1, "color": INK},
                "pad": {"t": 28, "l": 4, "r": 4, "b": 4},
            },
            textfont={"color": INK},
            pathbar={"thickness": 28, "textfont": {"color": INK}},
        )
    )
    framed(figure, height=460)
    figure.update_layout(uniformtext={"minsize": LEAST_TYPE, "mode": "hide"})
    shown = next(box for box in boxes if box.id == opened)
    parts = [box for box in boxes if box.inside == opened]
    said = "; ".join(
        f"{box.label} {box.n_parameters:,} ({_percent(box.n_parameters, shown.n_parameters)})"
        for box in parts
    )
    return Picture(
        figure=figure,
        alt=f"Tree map of {shown.label}, {shown.n_parameters:,} parameters: {said}.",
    )


def _written(box: Box, whole: int, *, is_holder: bool) -> str:
    """Say what stands in a box: of one that holds others, on a line above them."""
    label, share = box.label.rpartition(": ")[2], _percent(box.n_parameters, whole)
    lines = [f"{label} {share}"] if is_holder else [label, in_short(box.n_parameters), share]
    return "<br>".join(lines)


def flops_by_length(
    lengths: Sequence[int], parts: Mapping[str, Sequence[float]], context: int
) -> Picture:
    """Draw the operations a token takes in the forward pass, by component, by the text's length.

    Args:
        lengths: of the text, in tokens.
        parts: operations a token at each length, by component.
        context: the model's own length, which is marked.
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=list(lengths),
                y=list(values),
                name=name,
                stackgroup="all",
                mode="lines",
                hovertemplate="%{x:,} tokens: %{y:.3s}FLOP<extra>" + name + "</extra>",
            )
            for name, values in parts.items()
        ]
    )
    framed(figure, height=380, x="Tokens of the text", y="Operations a token (FLOP)")
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(exponentformat="SI", rangemode="tozero")
    figure.add_vline(x=context, **_mark("dot"), name="context")
    at = list(lengths).index(context)
    said = "; ".join(f"{name} {in_flops(values[at])}" for name, values in parts.items())
    share = sum(values[-1] for values in parts.values()) / sum(v[at] for v in parts.values())
    return Picture(
        figure=figure,
        alt=f"Operations for each token against the length of the text, stacked. At the context "
        f"of {context:,} tokens: {said}. At {lengths[-1]:,} tokens a token takes {share:.2f} "
        f"times as many in all.",
    )


def memory_bars(bars: Mapping[str, Mapping[str, float]], level: float, level_name: str) -> Picture:
    """Stack what each way to train or serve takes of memory, beside what an accelerator has.

    Args:
        bars: bytes by what they are for, by name of the bar.
        level: bytes of the accelerator's memory.
        level_name: what it is called.
    """
    parts = list(dict.fromkeys(part for bar in bars.values() for part in bar))
    names = list(bars)
    figure = go.Figure(
        [
            go.Bar(
                y=names,
                x=[bars[name].get(part, 0) for name in names],
                name=part,
                orientation="h",
                customdata=[in_bytes(bars[name].get(part, 0)) for name in names],
                hovertemplate="%{y}: %{customdata}<extra>" + part + "</extra>",
            )
            for part in parts
        ]
    )
    framed(figure, height=120 + 44 * len(names), x="Bytes")
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    figure.update_xaxes(exponentformat="SI", ticksuffix="B", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    highest = max(sum(bar.values()) for bar in bars.values())
    if level < 3 * highest:
        figure.add_vline(x=level, **_mark("dash"), name=level_name)
    said = "; ".join(
        f"{name} {in_bytes(sum(bar.values()))} ("
        + ", ".join(f"{part} {in_bytes(n)}" for part, n in bar.items() if n)
        + ")"
        for name, bar in bars.items()
    )
    return Picture(figure=figure, alt=f"Memory: {said}. {level_name} has {in_bytes(level)}.")


def cache_lines(
    lengths: Sequence[int],
    lines: Mapping[str, Sequence[float]],
    others: Mapping[str, Sequence[float]],
    level: float,
    level_name: str,
) -> Picture:
    """Draw what the KV cache takes against the length of the text, for several batches.

    Args:
        lengths: tokens of each text.
        lines: bytes of the model as it is, by batch.
        others: bytes of it with more or fewer key/value heads, or with a window kept.
        level: bytes that an accelerator has left beside the weights; below 0: none.
        level_name: what it is called.
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=list(lengths),
                y=list(values),
                name=name,
                mode="lines",
                line={"dash": dash, "width": width},
                customdata=[in_bytes(value) for value in values],
                hovertemplate="%{x:,} tokens: %{customdata}<extra>" + name + "</extra>",
            )
            for group, dash, width in ((lines, "solid", 3), (others, "dot", 2))
            for name, values in group.items()
        ]
    )
    framed(figure, height=400, x="Tokens of each text", y="Bytes of the cache")
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(type="log", exponentformat="SI", ticksuffix="B", dtick=1)
    if level > 0:
        figure.add_hline(y=level, **_mark("dash"), name=level_name)
    said = "; ".join(
        f"{name} {in_bytes(values[-1])}" for name, values in {**lines, **others}.items()
    )
    left = f"{level_name}: {in_bytes(level)}" if level > 0 else f"{level_name}: nothing"
    return Picture(
        figure=figure,
        alt=f"Bytes of the KV cache against the length of each text, both in powers of ten. At "
        f"{lengths[-1]:,} tokens: {said}. {left}.",
    )


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A pass of a model through an accelerator, as a point of the roofline."""

    name: str
    intensity: float
    """Operations a byte."""
    rate: float
    """Operations a second that it reaches at best."""


def roofline(passes: Sequence[Pass], *, peak: float, bandwidth: float) -> Picture:
    """Draw what an accelerator reaches at best against operations a byte (Williams et al. 2009).

    Args:
        passes: points on or below the roof.
        peak: operations a second at best.
        bandwidth: bytes a second at best.
    """
    ridge = peak / bandwidth
    ends = [*(each.intensity for each in passes), ridge]
    low, high = min(ends) / 3, max(ends) * 3
    x = [low, ridge, high]
    figure = go.Figure(
        go.Scatter(
            x=x,
            y=[min(peak, bandwidth * each) for each in x],
            mode="lines",
            name="the roof",
            line={"width": 3},
            hoverinfo="skip",
        )
    )
    for each in passes:
        figure.add_scatter(
            x=[each.intensity],
            y=[each.rate],
            mode="markers",
            marker={"size": 12},
            name=each.name,
            customdata=[in_rate(each.rate)],
            hovertemplate="%{x:.3g} FLOP a byte, %{customdata}<extra>" + each.name + "</extra>",
        )
    framed(figure, height=400, x="Operations a byte (FLOP/byte)", y="Operations a second")
    figure.update_xaxes(type="log", dtick=1)
    ticks = _decades(bandwidth * low, 10 * peak)
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[in_rate(tick) for tick in ticks])
    figure.add_vline(x=ridge, **_mark("dot"), name="the ridge")
    said = "; ".join(
        f"{each.name} {each.intensity:.3g} FLOP a byte, {in_rate(each.rate)}" for each in passes
    )
    return Picture(
        figure=figure,
        alt=f"Roofline: it rises with operations a byte up to {ridge:.3g}, the ridge, and is "
        f"{in_rate(peak)} from there on. {said}.",
    )


def speed_by_batch(
    batches: Sequence[int],
    lines: Mapping[str, Sequence[float]],
    best: Sequence[float],
    most_that_fits: int | None,
) -> Picture:
    """Draw tokens a second at best against the number of texts at once.

    Args:
        batches: texts at once.
        lines: tokens a second by each limit.
        best: the lower of them.
        most_that_fits: texts whose caches fit; None: any number.
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=list(batches),
                y=list(best),
                name="at best",
                mode="lines+markers",
                line={"width": 3},
                hovertemplate="%{x} texts: %{y:,.4s} tokens/s",
            ),
            *(
                go.Scatter(
                    x=list(batches),
                    y=list(values),
                    name=name,
                    mode="lines",
                    line={"dash": "dot"},
                    hovertemplate="%{x} texts: %{y:,.4s} tokens/s",
                )
                for name, values in lines.items()
            ),
        ]
    )
    framed(figure, height=380, x="Texts at once", y="Tokens a second")
    figure.update_xaxes(type="log", dtick="L0", tickvals=list(batches)[::2])
    figure.update_yaxes(type="log", exponentformat="SI", dtick=1)
    inside = most_that_fits is not None and batches[0] <= most_that_fits < batches[-1]
    if inside:
        figure.add_vline(x=most_that_fits, **_mark("dash"), name="memory is full")
    said = "; ".join(
        f"{in_words(speed)} with {batch}" for batch, speed in zip(batches, best, strict=True)
    )
    full = f" Memory is full at {most_that_fits:,} texts." if inside else ""
    return Picture(figure=figure, alt=f"Tokens a second at best by texts at once: {said}.{full}")


@dataclass(frozen=True, kw_only=True)
class Size:
    """A model by its parameters and the tokens that it was trained on."""

    title: str
    family: str
    n_parameters: int
    n_tokens: float


MOST_LABELLED = 16
"""Points with a word beside them, before words lie on one another."""


def sizes_map(sizes: Sequence[Size], tokens_a_parameter: float) -> Picture:
    """Draw models by parameters and training tokens, both in powers of ten.

    Args:
        sizes: the models.
        tokens_a_parameter: the rule of thumb that is drawn as a line.
    """
    figure = go.Figure()
    most_trained = max(sizes, key=lambda each: each.n_tokens).family
    for family, symbol in zip(
        dict.fromkeys(each.family for each in sizes), _symbols(), strict=False
    ):
        own = [each for each in sizes if each.family == family]
        is_above = family == most_trained
        figure.add_scatter(
            x=[each.n_parameters for each in own],
            y=[each.n_tokens for each in own],
            mode="markers+text" if len(sizes) <= MOST_LABELLED else "markers",
            name=family,
            marker={"size": 12, "symbol": symbol},
            text=_staggered([each.title.rsplit(" ", 1)[-1] for each in own], is_above),
            textposition=f"{'top' if is_above else 'bottom'} center",
            customdata=[
                [each.title, in_words(each.n_parameters), in_words(each.n_tokens)] for each in own
            ],
            hovertemplate="%{customdata[0]}: %{customdata[1]} parameters, %{customdata[2]} tokens"
            "<extra></extra>",
        )
    ends = np.array(
        [min(s.n_parameters for s in sizes) / 2, max(s.n_parameters for s in sizes) * 2]
    )
    figure.add_scatter(
        x=ends,
        y=tokens_a_parameter * ends,
        mode="lines",
        line={"dash": "dot"},
        name=f"{tokens_a_parameter:g} tokens a parameter",
        hoverinfo="skip",
    )
    framed(figure, height=420, x="Parameters", y="Training tokens")
    figure.update_xaxes(type="log", exponentformat="B", dtick=1)
    figure.update_yaxes(type="log", exponentformat="B", dtick=1)
    said = "; ".join(
        f"{each.title} {in_words(each.n_parameters)} parameters, {in_words(each.n_tokens)} tokens, "
        f"{in_words(each.n_tokens / each.n_parameters)} a parameter"
        for each in sizes
    )
    return Picture(figure=figure, alt=f"Training tokens against parameters: {said}.")


def _staggered(words: Sequence[str], is_above: bool) -> list[str]:
    """Put every other word a line further from its point, so that neighbours do not touch."""
    further = "{}<br> " if is_above else " <br>{}"
    return [further.format(word) if at % 2 else word for at, word in enumerate(words)]


def _mark(dash: str) -> dict[str, Any]:
    """Style a line across the picture, named in the legend: notes beside lines fail on log axes."""
    return {"line": {"color": "gray", "width": 2, "dash": dash}, "showlegend": True}


def _decades(low: float, high: float) -> list[float]:
    """List the powers of ten between two numbers."""
    return [10.0**power for power in range(ceil(log10(low)), floor(log10(high)) + 1)]


def _fill(kind: int) -> str:
    return GROUND if kind < 0 else FILLS[kind % len(FILLS)]


def _symbols() -> Sequence[str]:
    shapes = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross", "hexagon")
    return [*shapes, *(f"{shape}-open" for shape in shapes)] * 2


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"
