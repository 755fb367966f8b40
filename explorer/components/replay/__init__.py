"""A recorded training that plays by itself: the loss falls, and noise turns into a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.components.browser import part
from explorer.components.live_chart import moving_average

MOST_POINTS = 1000
"""Of the curve: more could not be told apart on a screen."""
TOLD = 60
"""Characters of a text that the alternative text repeats."""

# What the page keeps free while the script is on the way, so that nothing jumps.
_PLACE = '<div class="part replay"></div>'


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was noted while a model trained."""

    title: str
    """What is learned, in a few words."""
    note: str
    """That it is recorded, of which model, and how long it took."""
    steps: Sequence[int]
    losses: Sequence[float]
    """In nats a token, one for each of the steps."""
    samples: Sequence[tuple[int, str]]
    """What the model wrote, each text with the step after which it did; in order."""


def replay(recording: Recording, *, key: str) -> None:
    """Play a training; who likes no motion sees how it ended, and may press play.

    Args:
        recording: of at least two steps and one sample.
        key: identifies it on the page.
    """
    part("replay", html=_PLACE)(key=key, data=replay_data(recording), height="content")


def replay_data(recording: Recording) -> dict[str, Any]:
    """Write down what the browser is sent."""
    losses = np.asarray(recording.losses, dtype=np.float64)
    kept = np.linspace(0, len(losses) - 1, min(MOST_POINTS, len(losses))).astype(int)
    return {
        "title": recording.title,
        "note": recording.note,
        "steps": [int(recording.steps[at]) for at in kept],
        "losses": _short(losses[kept]),
        "averages": _short(moving_average(losses)[kept]),
        "samples": [list(sample) for sample in recording.samples],
        "alt": replay_words(recording),
    }


def replay_words(recording: Recording) -> str:
    """Say how the loss fell, and what was written first and last."""
    (_, first), (_, last) = recording.samples[0], recording.samples[-1]
    return (
        f"{recording.title}. {recording.note}. The loss falls from {recording.losses[0]:.2f} to "
        f"{recording.losses[-1]:.2f} nats a token in {recording.steps[-1]:,} steps. At first "
        f"it writes: {first[:TOLD]} … In the end: {last[:TOLD]} …"
    )


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]
