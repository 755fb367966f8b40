"""A chart of a run in progress: each update sends new points only, and the student's zoom stays.

The browser keeps what it was sent. It is sent a line in full when it is new, and asks for all
lines again when points are missing: after a reload, or when a page is opened again.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import streamlit as st

# Streamlit may replace an update that has not left yet by the next, so each carries the last few.
OVERLAP = 5
MOST_POINTS = 4000  # a line in full; more could not be told apart on a screen

# How far each line was sent at the last calls, oldest first; its key is the line's run and name.
Sent = dict[tuple[str, str], deque[int]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series. Within a run its history only grows; values that are not finite are not drawn."""

    name: str  # the same in every run, as "loss": it decides the colour
    title: str  # in the legend
    steps: Sequence[int] | np.ndarray
    values: Sequence[float] | np.ndarray
    run: str = ""  # the first line's run is the current one; lines of others are paler and dashed
    smooth: bool = False  # a noisy line: pale, under its moving average; otherwise line and markers


def live_chart(
    lines: Sequence[Line],
    *,
    key: str,
    y_title: str,
    alt: str,
    x_title: str = "Step",
    height: int = 320,
    log_y: bool = False,
    max_steps: int | None = None,
) -> None:
    """Draw the lines, or what is new of them; call it again as they grow, under the same `key`.

    `alt` says in words what the chart shows, `height` is in pixels, and `max_steps` is the
    length of the whole run: the x axis then stands still while the lines grow into it.
    """
    memory = f"{key}: sent"
    sent: Sent = st.session_state.setdefault(memory, {})
    _component()(
        key=key,
        height=height,
        data={
            "lines": updates(lines, sent),
            "xTitle": x_title,
            "yTitle": y_title,
            "alt": alt,
            "logY": log_y,
            "maxSteps": max_steps,
        },
        # A callback runs before the page does: with the memory gone, the page sends everything.
        on_resync_change=lambda: st.session_state.pop(memory, None),
    )


def updates(lines: Sequence[Line], sent: Sent) -> list[dict[str, Any]]:
    """What the browser still needs of each line; `sent` is brought up to date."""
    shown = {(line.run, line.name): line for line in lines}
    for gone in sent.keys() - shown.keys():
        del sent[gone]
    return [
        _update(line, sent.setdefault(identity, deque(maxlen=OVERLAP)))
        for identity, line in shown.items()
    ]


def moving_average(values: np.ndarray) -> np.ndarray:
    """Smooth over a window that grows with the run, as losses fall fast first and slowly later.

    The browser goes on from here with the same rule (`append` in live_chart.js).
    """
    averages, average = [], math.nan
    for index, value in enumerate(values.tolist()):
        if math.isfinite(value):
            step_size = 1 / (2 + 0.03 * index)
            average = value if math.isnan(average) else average + step_size * (value - average)
        averages.append(average)
    return np.array(averages)


@cache
def _component() -> Any:
    # At import it would fail wherever Streamlit does not run, as in a test of `updates`.
    return st.components.v2.component(
        "explorer.live_chart", js="live_chart.js", css="live_chart.css"
    )


def _update(line: Line, sent: deque[int]) -> dict[str, Any]:
    """Points `start` to `end` of a line, or, where `start` is 0, the whole line in place of any."""
    end = min(len(line.steps), len(line.values))  # another thread may be adding the next point
    start = sent[0] if sent and sent[-1] <= end <= sent[0] + MOST_POINTS else 0
    if start == 0:
        sent.clear()
    sent.append(end)
    steps = np.asarray(line.steps[start:end], dtype=np.int64)
    values = np.asarray(line.values[start:end], dtype=np.float64)
    update = {
        "name": line.name,
        "title": line.title,
        "run": line.run,
        "smooth": line.smooth,
        "start": start,
        "end": end,
    }
    if len(values) > MOST_POINTS:
        kept = _worth_drawing(values)
        if line.smooth:
            update["averages"] = _short(moving_average(values)[kept])
        steps, values = steps[kept], values[kept]
    # Distances between steps are shorter to write than steps.
    return update | {"steps": np.diff(steps, prepend=0).tolist(), "values": _short(values)}


def _worth_drawing(values: np.ndarray) -> np.ndarray:
    """Both ends, and the lowest and highest value of many equal stretches: no spike is lost."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= MOST_POINTS:
        return finite
    kept = [finite[0], finite[-1]]
    for stretch in np.array_split(finite, MOST_POINTS // 2 - 1):
        kept += [stretch[values[stretch].argmin()], stretch[values[stretch].argmax()]]
    return np.unique(kept)


def _short(values: np.ndarray) -> list[float | None]:
    """Round to five digits; what is not finite has no place in JSON and becomes None."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]
