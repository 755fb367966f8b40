"""What the runs of an experiment have come to, read from their folders without PyTorch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from tiny_llama.comparing.plan import MEASURES, Plan, Run
from tiny_llama.errors import CheckpointError
from tiny_llama.files import read_sealed, write_sealed
from tiny_llama.metrics import SAMPLE, read_metrics
from tiny_llama.setup import SETUP, changes, changes_in_words, load_setup

DIVERGED = "diverged.json"
"""What a run folder holds where loss or gradient became no finite number: the step, and why."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has come to."""

    run: Run
    steps_done: int
    curve: Mapping[int, float]
    """What each look at held-out text found, by the step after which it was."""
    seconds: float
    """Training time so far."""
    is_done: bool
    diverged_at: int | None = None
    """The step at which it ended by diverging."""
    elapsed: Mapping[int, float] = field(default_factory=dict)
    """Seconds of training until each look."""
    samples: Mapping[int, str] = field(default_factory=dict)
    """What it wrote, by the step after which it did."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.is_done or self.diverged_at is not None

    @property
    def final(self) -> float | None:
        """What the last look found; None: it diverged, or is not done."""
        return self.curve[self.run.setup.training.steps] if self.is_done else None

    @property
    def score(self) -> float | None:
        """By what it is judged: a run that diverged has learned nothing and counts as it began."""
        return self.final if self.diverged_at is None else self.curve.get(0)


def read_outcome(folder: Path, run: Run, measure: str) -> Outcome:
    """Read what a run of an experiment has come to.

    Args:
        folder: of the experiment.
        run: one of its plan's.
        measure: by what it is judged, out of `MEASURES`.

    Raises:
        UserError: if its folder is damaged, or holds a run with other settings.
    """
    place, steps = folder / run.name, run.setup.training.steps
    if not (place / SETUP).is_file():
        return Outcome(run=run, steps_done=0, curve={}, seconds=0.0, is_done=False)
    _check_setup(place, run)
    rows = read_metrics(place)
    curve = {row["step"]: row[measure] for row in rows if row.get(measure) is not None}
    at = read_sealed(place / DIVERGED, ("step", "why")) if (place / DIVERGED).is_file() else {}
    seconds = list(accumulate((row.get("seconds", 0.0) for row in rows), initial=0.0))
    elapsed = {row["step"]: so_far for row, so_far in zip(rows, seconds[1:], strict=True)}
    return Outcome(
        run=run,
        steps_done=max((row["step"] for row in rows), default=0),
        curve=curve,
        seconds=seconds[-1],
        is_done=steps in curve,
        diverged_at=at.get("step"),
        elapsed={step: elapsed[step] for step in curve},
        samples={row["step"]: row[SAMPLE] for row in rows if SAMPLE in row},
    )


def note_divergence(folder: Path, step: int, why: str) -> None:
    """Keep in a run folder that the run has diverged, so that it is not tried again.

    Raises:
        CheckpointError: if the folder cannot be written.
    """
    write_sealed(folder / DIVERGED, {"step": step, "why": why})


def read_outcomes(folder: Path, plan: Plan) -> tuple[list[Outcome], list[Outcome]]:
    """Read what all runs of an experiment have come to: those that try rates, and those that count.

    Of the latter, those of sides whose learning rate is known by now.

    Raises:
        UserError: if a run folder is damaged, or holds a run with other settings.
    """
    trials = [read_outcome(folder, run, plan.measure) for run in plan.trials]
    rates = best_rates(plan, trials)
    runs = plan.seed_runs(rates)
    if plan.learning_rates:
        runs = [run for run in runs if run.side in rates]
    return trials, [read_outcome(folder, run, plan.measure) for run in runs]


def best_rates(plan: Plan, trials: Iterable[Outcome]) -> dict[str, float]:
    """Choose each side's learning rate: that of the trial that ended best.

    Args:
        plan: the experiment.
        trials: what the runs that try rates have come to.

    Returns:
        The rate of each side whose trials are all over. Where all diverged, it is the lowest.
    """
    _, lower_is_better = MEASURES[plan.measure]
    of_side: dict[str, list[Outcome]] = {}
    for trial in trials:
        of_side.setdefault(trial.run.side, []).append(trial)

    def badness(trial: Outcome) -> tuple[float, float]:
        rate = trial.run.setup.training.learning_rate
        if trial.final is None:
            return float("inf"), rate
        return (trial.final if lower_is_better else -trial.final), rate

    return {
        side: min(tried, key=badness).run.setup.training.learning_rate
        for side, tried in of_side.items()
        if all(trial.is_over for trial in tried)
    }


def _check_setup(place: Path, run: Run) -> None:
    if differences := changes(run.setup, load_setup(place)):
        raise CheckpointError(
            f"The run {place.name!r} has other settings than the experiment wants "
            f"({changes_in_words(differences)}); move it away, and start the experiment again."
        )


def as_plain(outcome: Outcome) -> dict[str, Any]:
    """Give what a run has come to in plain values, fit for JSON."""
    training = outcome.run.setup.training
    return {
        "run": outcome.run.name,
        "side": outcome.run.side,
        "seed": outcome.run.seed,
        "learning_rate": training.learning_rate,
        "steps_done": outcome.steps_done,
        "steps": training.steps,
        "final": outcome.final,
        "diverged_at": outcome.diverged_at,
        "seconds": round(outcome.seconds, 3),
    }
