"""A run in progress, its numbers and its curves: an update is small, and the student's zoom stays.

The browser keeps what it was sent. It is sent a line in full when it is new, and asks for all
lines again when points are missing: after a reload, or when a page is opened again.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer import state
from explorer.components.browser import part

# Streamlit may replace an update that has not left yet by the next, so each carries the last few.
OVERLAP = 5
MOST_POINTS = 4000  # a line in full; more could not be told apart on a screen

# How far each line was sent at the last calls, oldest first. Its key is the title of the x axis and
# the line's run and name: along another axis it is another line, of which nothing was sent yet. So
# is one that has got a first point before all others: that of the untrained model may come late.
Sent = dict[tuple[str, str, str, float], deque[int]]

# What the page keeps free for the chart while its script is on the way. The text below would jump
# more without it; how high the chart will be depends on the width of the screen.
_PLACE = '<div class="place" style="height: 28rem"></div>'


# A tile: its label, its value, and perhaps a hint that a mouse brings up.
Number = tuple[str, str] | tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series. Within a run its history only grows, but for a first point that comes late;
    values that are not finite are not drawn.

    A series that another thread adds to is best given as it is (a list, an `array`): a line takes
    slices of it, which are safe, where a NumPy view would forbid an `array` to grow.
    """

    name: str  # the same in every run, as "loss": it decides the marker
    title: str  # in the legend
    x: Sequence[float] | np.ndarray  # steps, tokens, seconds: never falling, whole or fractional
    values: Sequence[float] | np.ndarray
    run: str = ""  # the first line's run is the current one; lines of others are paler and dashed
    colour: int | None = None  # of the theme's, the run's own; None: that of the series
    label: str = ""  # beside the end of the line, where runs are to be told apart
    smooth: bool = False  # a noisy line: pale, under its moving average; of earlier runs that alone


def live_chart(
    lines: Sequence[Line],
    *,
    key: str,
    y_title: str,
    alt: str,
    x_title: str = "Step",
    height: int | None = None,
    log_y: bool = False,
    max_x: float | None = None,
    numbers: Sequence[Number] = (),
) -> None:
    """Draw the lines, or what is new of them; call it again as they grow, under the same `key`.

    Args:
        lines: those of the current run first, then of earlier ones, newest first: five earlier
            runs can still be told apart.
        key: identifies the chart on the page.
        y_title: what the values are, with their unit.
        alt: says in words what the chart shows.
        x_title: what `Line.x` counts, with its unit if it has one, as "Tokens" or "Seconds"; in
            lower case it is the word of readings. Under another title the lines are sent again in
            full and a zoom is dropped.
        height: of the plot alone, in pixels; the numbers and the legend come on top of it. None:
            as the page's style sheet says by `--plot-height`.
        log_y: whether the y axis is logarithmic.
        max_x: the end of the whole run: the x axis then stands still while the lines grow into it.
        numbers: label, value and perhaps a hint for each tile above the chart.
    """
    memory = f"{key}: sent"
    sent: Sent = state.kept(memory, dict)
    part("live_chart", html=_PLACE)(
        key=key,
        height="content",
        data={
            "lines": updates(lines, sent, x_title),
            "numbers": [list(number) for number in numbers],
            "xTitle": x_title,
            "yTitle": y_title,
            "alt": alt,
            "height": height,
            "logY": log_y,
            "maxX": max_x,
        },
        # A callback runs before the page does: with the memory gone, the page sends everything.
        on_resync_change=lambda: state.keep(memory, {}),
    )


def updates(lines: Sequence[Line], sent: Sent, x_title: str = "") -> list[dict[str, Any]]:
    """Give what the browser still needs of each line; `sent` is brought up to date."""
    shown = {(x_title, line.run, line.name, _first(line)): line for line in lines}
    for gone in sent.keys() - shown.keys():
        del sent[gone]
    return [
        _update(line, sent.setdefault(identity, deque(maxlen=OVERLAP)))
        for identity, line in shown.items()
    ]


def moving_average(values: np.ndarray) -> np.ndarray:
    """Smooth over a window that grows with the run, as losses fall fast first and slowly later.

    The browser goes on from here with the same rule (`append` in points.js).
    """
    averages, average = [], math.nan
    for index, value in enumerate(values.tolist()):
        if math.isfinite(value):
            step_size = 1 / (2 + 0.03 * index)
            average = value if math.isnan(average) else average + step_size * (value - average)
        averages.append(average)
    return np.array(averages)


def _first(line: Line) -> float:
    """Say where a line begins; before everything, while it has no point."""
    return float(np.asarray(line.x[:1])[0]) if len(line.x) else -math.inf


def _update(line: Line, sent: deque[int]) -> dict[str, Any]:
    """Give points `start` to `end` of a line; where `start` is 0, the whole line replaces any."""
    end = min(len(line.x), len(line.values))  # another thread may be adding the next point
    start = sent[0] if sent and sent[-1] <= end <= sent[0] + MOST_POINTS else 0
    if start == 0:
        sent.clear()
    sent.append(end)
    update = {
        "name": line.name,
        "title": line.title,
        "run": line.run,
        "smooth": line.smooth,
        "colour": line.colour,
        "label": line.label,
        "start": start,
        "end": end,
    }
    return update | _points(line, start, end)


def _points(line: Line, start: int, end: int) -> dict[str, Any]:
    if start == end:  # a run of the past costs next to nothing
        return {"x": [], "values": []}
    x = np.asarray(line.x[start:end])
    values = np.asarray(line.values[start:end], dtype=np.float64)
    if len(values) <= MOST_POINTS:
        return _places(x) | {"values": _short(values)}
    kept = _worth_drawing(values)
    points = _places(x[kept]) | {"values": _short(values[kept])}
    if line.smooth:
        points["averages"] = _short(moving_average(values)[kept])
    return points


def _places(x: np.ndarray) -> dict[str, Any]:
    """Give whole numbers as distances to the one before, which are shorter to write; or `x` itself.

    Seven digits show a tenth of a second after ten days.
    """
    if np.issubdtype(x.dtype, np.integer):
        return {"dx": np.diff(x.astype(np.int64), prepend=0).tolist()}
    return {"x": _short(x, digits=7)}


def _worth_drawing(values: np.ndarray) -> np.ndarray:
    """Find both ends, and the lowest and highest of many equal stretches: no spike is lost."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= MOST_POINTS:
        return finite
    kept = [finite[0], finite[-1]]
    for stretch in np.array_split(finite, MOST_POINTS // 2 - 1):
        kept += [stretch[values[stretch].argmin()], stretch[values[stretch].argmax()]]
    return np.unique(kept)


def _short(values: np.ndarray, digits: int = 5) -> list[float | None]:
    """Round to some digits; what is not finite has no place in JSON and becomes None."""
    return [
        float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()
    ]
