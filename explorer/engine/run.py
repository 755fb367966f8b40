"""A run as the server knows it: plain values only, changed by the registry, read by pages."""

import time
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from explorer.engine.run_state import RunState
from tiny_llama.setup import Setup

SERIES = (
    "loss",
    "held_out_loss",
    "learning_rate",
    "gradient_norm",
    "bits_per_byte",
    "accuracy",
    "seconds",
)
"""What is kept of each report to draw, by name as in `metrics.jsonl`."""

SERVER, BROWSER = "server", "browser"
"""Where a run can train."""
PACE_SECONDS = 20
"""Over how long the pace of a run is measured."""


class Mark(StrEnum):
    """How its student wants a run listed among their others."""

    NONE = ""
    PINNED = "pinned"
    """Before all others."""
    HIDDEN = "hidden"
    """Not, until it is asked for."""


@dataclass(kw_only=True)
class Series:
    """One metric: the steps at which it is known, the training time by then, and its values."""

    steps: "array[int]" = field(default_factory=lambda: array("i"))
    seconds: "array[float]" = field(default_factory=lambda: array("f"))
    """Training time up to and with the step, of this run's own turns."""
    values: "array[float]" = field(default_factory=lambda: array("f"))

    def add(self, step: int, seconds: float, value: float) -> None:
        """Add a point, in the place of its step."""
        place = bisect_left(self.steps, step)
        self.steps.insert(place, step)
        self.seconds.insert(place, seconds)
        self.values.insert(place, value)

    def forget_from(self, step: int) -> None:
        """Drop the points of a step and of all later ones."""
        n_kept = bisect_left(self.steps, step)
        del self.steps[n_kept:], self.seconds[n_kept:], self.values[n_kept:]


@dataclass(kw_only=True)
class Run:
    """What the server knows of a run; its registry changes it, pages only read."""

    id: str
    setup: Setup
    """The vocabulary is that of the tokenizer as soon as the run has one."""
    owner: str
    """Fingerprint of the secret of the student who started it; nobody else may steer it."""
    text_owner: str = ""
    """Fingerprint of whose own text it learns from, in a fork, too: of nobody, a built-in one."""
    folder: Path
    created: float = field(default_factory=time.time)
    """In seconds since 1970."""
    parent: str = ""
    """The run that this one was forked from or is a change of; empty: none."""
    experiment: str = ""
    """The experiment that it is one run of, and that steers it; empty: of none."""
    group: str = ""
    """With the other runs of this group it goes in step; empty: with none."""
    name: str = ""
    """What its student calls it; empty: nothing of its own."""
    mark: Mark = Mark.NONE
    status: RunState = RunState.STARTING
    message: str = ""
    """What happened to it last, in a sentence for the page."""
    step: int = 0
    seconds: float = 0.0
    """Training time so far, of this run's own turns."""
    series: dict[str, Series] = field(default_factory=lambda: {name: Series() for name in SERIES})
    samples: list[tuple[int, str]] = field(default_factory=list)
    """Texts that the model wrote, each with the step after which it did."""
    measured: Mapping[str, int] = field(default_factory=dict)
    """What the model that trains really takes; see `tiny_llama.measuring`."""

    place: str = SERVER
    """Where it trains: on the server, or in its owner's browser, whose word then counts."""
    deed: str = ""
    """What its id is drawn from, where a browser trains it: only who was lent it knows this, and by
    it may bring it back to a server that has lost it; empty: nobody may."""
    loan: str = ""
    """By what the browser is known that has it; empty: none has, as far as this server knows."""
    text_mark: str = ""
    """Fingerprint of the student's own text that it was started with here; empty: none is known."""
    damage: str = ""
    """What of its log is damaged or missing, in a sentence; empty: nothing."""
    record_damage: str = ""
    """That its record was damaged and the one before was taken, in a sentence; empty: not so."""
    is_readable: bool = True
    """Whether its folder says what it is; otherwise its message says why, and it can be deleted."""
    has_history: bool = False
    """Whether series and samples are in memory; a run that nobody looks at keeps them on disk."""
    worker: Any = None
    """The process that has it in memory; None: its folder holds all that there is."""
    seen_at: float = field(default_factory=time.monotonic)
    """When somebody last looked at it."""
    died_at: "deque[float]" = field(default_factory=deque)
    """When worker processes ended during its turns."""
    waits_since: float = field(default_factory=time.monotonic)
    """Since when it waits for room, where it does."""
    revives: bool = False
    """Whether it goes on by itself as soon as somebody looks: it ran when the server ended."""
    paces: "deque[tuple[float, int]]" = field(default_factory=lambda: deque(maxlen=200))
    """Moments of the last news, each with the step by then."""

    @property
    def is_live(self) -> bool:
        """Whether the run may still change."""
        return self.status.is_live

    @property
    def is_moving(self) -> bool:
        """Whether the run takes turns, or soon will."""
        return self.status.is_moving

    @property
    def warning(self) -> str:
        """What is wrong with its folder, for every page that looks at it; empty: nothing."""
        return (self.damage or self.record_damage) if self.is_readable else self.message

    @property
    def next_row(self) -> int:
        """The first step of which it has no row yet; series must be in memory."""
        return self.step + 1 if self.series["held_out_loss"].steps else 0

    def last(self, name: str) -> float | None:
        """Give the latest value of a series; None where there is none yet."""
        values = self.series[name].values
        return values[-1] if values else None

    def steps_a_second(self) -> float | None:
        """Tell how fast the run moves, its waiting for others included; None before that shows."""
        if self.status is not RunState.RUNNING or len(self.paces) < 2:
            return None
        (began, first), (now, last) = self.paces[0], self.paces[-1]
        return (last - first) / (now - began) if last > first else None

    def seconds_left(self) -> float | None:
        """Say how long the run will go on at its present pace; None where that cannot be said."""
        pace = self.steps_a_second()
        return (self.setup.training.steps - self.step) / pace if pace else None

    def forget_from(self, step: int) -> None:
        """Forget what will be done again after going on from a checkpoint."""
        for series in self.series.values():
            series.forget_from(step)
        self.samples = [sample for sample in self.samples if sample[0] < step]
        self.step = min(self.step, max(0, step - 1))
        self.seconds = self.series["seconds"].seconds[-1] if self.series["seconds"].steps else 0.0
        self.paces.clear()

    def forget_history(self) -> None:
        """Free the memory that series and samples take; their folder has them."""
        self.series = {name: Series() for name in SERIES}
        self.samples = []
        self.seconds = 0.0
        self.has_history = False

    def take_row(self, row: Mapping[str, Any]) -> None:
        """Note a row of `metrics.jsonl`.

        What the untrained model did, step 0, may come after the first steps.
        """
        step = row["step"]
        self.step = step or self.step
        self.seconds += row.get("seconds", 0.0)
        for name, series in self.series.items():
            if name in row:
                series.add(step, self.seconds if step else 0.0, row[name])
        if "sample" in row:
            self.samples.insert(len(self.samples) if step else 0, (step, row["sample"]))

    def note_pace(self) -> None:
        """Note where the run is at this moment."""
        now = time.monotonic()
        self.paces.append((now, self.step))
        while now - self.paces[0][0] > PACE_SECONDS:
            self.paces.popleft()
