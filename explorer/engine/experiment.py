"""An experiment as the server knows it: a plan, its runs as far as they have begun, how it stands.

Its folder holds the plan, a run folder for each run, and what the server knows besides; what
`tiny_llama.comparing` reads and writes there is the same as without a server.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from tiny_llama.comparing.plan import Plan
from tiny_llama.comparing.plan import Run as Planned

ExperimentAction = Literal["pause", "resume", "stop"]
PACE_SECONDS = 60
"""Over how long the pace of an experiment is measured."""


class ExperimentState(StrEnum):
    """How an experiment stands; each is the word that its record on disk has."""

    RUNNING = "running"
    PAUSED = "paused"
    """By its owner, or as one of its runs cannot go on; its message says why then."""
    STOPPED = "stopped"
    """By its owner, who may let it go on."""
    FINISHED = "finished"
    """All of its runs are over."""

    @property
    def can_go_on(self) -> bool:
        """Whether it stands still and has runs left."""
        return self in (ExperimentState.PAUSED, ExperimentState.STOPPED)


@dataclass(kw_only=True)
class Experiment:
    """What the server knows of an experiment; only who keeps it changes it, pages read."""

    id: str
    plan: Plan
    owner: str
    """Fingerprint of the secret of the student who started it; nobody else may steer it."""
    text_owner: str = ""
    """Fingerprint of whose own text its runs learn from; of nobody, a built-in one."""
    folder: Path
    """For `tiny_llama.comparing.results.read_results` and all others that read results."""
    created: float = field(default_factory=time.time)
    """In seconds since 1970."""
    state: ExperimentState = ExperimentState.RUNNING
    message: str = ""
    """Why it stands still, in a sentence; empty: nothing happened."""
    seconds: Mapping[str, float]
    """How long a run of each side takes here, alone, as measured before it started."""
    runs: dict[str, Run] = field(default_factory=dict)
    """Those that have begun, by the names of their folders."""
    rates: Mapping[str, float] | None = None
    """At which learning rate each side goes on; None: they are still being tried."""
    diverged: set[str] = field(default_factory=set)
    """The names of the runs that ended so."""

    seen_at: float = field(default_factory=time.monotonic)
    """When somebody last looked at it or at one of its runs."""
    revives: bool = False
    """Whether it goes on by itself as soon as somebody looks: it ran when the server ended."""
    paces: "deque[tuple[float, float]]" = field(default_factory=deque)
    """Moments of the last minute, each with the seconds of work that were done by then."""
    _seed_runs: list[Planned] | None = field(init=False, default=None, repr=False)

    @cached_property
    def trials(self) -> list[Planned]:
        """The runs that try learning rates."""
        return self.plan.trials

    @property
    def seed_runs(self) -> list[Planned]:
        """The runs that count, seed by seed, at their learning rates once these are known."""
        if self._seed_runs is None:
            self._seed_runs = self.plan.seed_runs(self.rates or {})
        return self._seed_runs

    def take_rates(self, rates: Mapping[str, float]) -> None:
        """Note at which learning rate each side goes on."""
        self.rates, self._seed_runs = rates, None

    @property
    def planned(self) -> Iterator[Planned]:
        """All of its runs, in the order in which they begin."""
        yield from self.trials
        yield from self.seed_runs

    @property
    def n_runs(self) -> int:
        """How many runs it has in all."""
        return self.plan.n_runs

    @property
    def n_over(self) -> int:
        """How many of them are over."""
        return sum(self.is_over(each) for each in self.planned)

    @property
    def n_steps(self) -> int:
        """How many steps all its runs have."""
        return sum(each.setup.training.steps for each in self.planned)

    @property
    def steps_done(self) -> int:
        """How many of them are done; a run that has diverged has none left."""
        return sum(self.steps_of(each) for each in self.planned)

    def run_id(self, name: str) -> str:
        """Give the id under which the engine knows a run, by the name of its folder."""
        return run_id_of(self.id, name)

    def is_over(self, planned: Planned) -> bool:
        """Tell whether there is nothing left to do of a run."""
        run = self.runs.get(planned.name)
        return planned.name in self.diverged or (
            run is not None and run.status is RunState.FINISHED
        )

    def steps_of(self, planned: Planned) -> int:
        """Say how many steps of a run are behind it."""
        run = self.runs.get(planned.name)
        if self.is_over(planned):
            return planned.setup.training.steps
        return run.step if run else 0

    def wanted(self, at_once: int) -> list[Planned]:
        """List the runs that should go on now, so many at the most.

        First what tries learning rates; then seed by seed, all sides of one at once where so many
        may be, so that they can go in step.
        """
        if any(not self.is_over(each) for each in self.trials):
            return [each for each in self.trials if not self.is_over(each)][:at_once]
        n_together = len(self.plan.sides) if self.goes_in_step(at_once) else 1
        wanted: list[Planned] = []
        for first in range(0, len(self.seed_runs), n_together):
            together = self.seed_runs[first : first + n_together]
            left = [each for each in together if not self.is_over(each)]
            if len(wanted) + len(left) > at_once:
                break
            wanted += left
        return wanted

    def goes_in_step(self, at_once: int) -> bool:
        """Tell whether all sides of a seed can go on at once."""
        return 1 < len(self.plan.sides) <= at_once

    # How long it takes.

    @property
    def seconds_in_all(self) -> float:
        """How long all of it takes here, alone, as far as it was known before it started."""
        return sum(self.seconds[each.side] for each in self.planned)

    @property
    def seconds_done(self) -> float:
        """How much of that is done."""
        return sum(
            self.seconds[each.side] * self.steps_of(each) / each.setup.training.steps
            for each in self.planned
        )

    def note_pace(self) -> None:
        """Note how much is done at this moment, if it goes on."""
        if self.state is not ExperimentState.RUNNING or self.revives:
            self.paces.clear()
            return
        now = time.monotonic()
        self.paces.append((now, self.seconds_done))
        while now - self.paces[0][0] > PACE_SECONDS:
            self.paces.popleft()

    def seconds_left(self) -> float | None:
        """Say how long it will go on at its present pace; None where that cannot be said."""
        if len(self.paces) < 2:
            return None
        (began, first), (now, last) = self.paces[0], self.paces[-1]
        if last <= first:
            return None
        return (self.seconds_in_all - last) * (now - began) / (last - first)


def run_id_of(experiment: str, name: str) -> str:
    """Give the id of an experiment's run: that of the experiment, and the name of its folder."""
    return f"{experiment}.{name}"


def words_of(planned: Planned) -> str:
    """Say in words which run of an experiment this is."""
    if planned.is_trial:
        return f"{planned.side}, rate {planned.setup.training.learning_rate:g}"
    return f"{planned.side}, seed {planned.seed}"
