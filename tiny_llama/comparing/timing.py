"""How long runs take: measured on a few steps of each side, before any is begun."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tiny_llama.checkpoint import new_trainer
from tiny_llama.comparing.durations import seconds_of_run
from tiny_llama.comparing.outcomes import Outcome
from tiny_llama.comparing.plan import Plan
from tiny_llama.comparing.running import Texts
from tiny_llama.errors import TrainingError
from tiny_llama.setup import Setup
from tiny_llama.training import Trainer

N_TIMED = 3
"""Steps of which the quickest counts: the first has to find its memory."""


def seconds_a_run(plan: Plan, texts: Texts) -> dict[str, float]:
    """Estimate how long a run of each side takes on this machine, alone on its threads.

    Returns:
        Seconds by the side's name. Sides that compute the same are measured once.
    """
    known: dict[str, float] = {}
    found = {}
    for name, side in plan.sides.items():
        key = repr(side.setup)
        if key not in known:
            known[key] = _seconds(side.setup, texts)
        found[name] = known[key]
    return found


def seconds_of_all(plan: Plan, seconds: Mapping[str, float]) -> float:
    """Sum up how long all runs take, by what one of each side does."""
    a_side = len(plan.seeds) + len(plan.learning_rates)
    return a_side * sum(seconds.values())


def seconds_done(outcome: Outcome, seconds: Mapping[str, float]) -> float:
    """Say how much of that a run has behind it, all where it is over."""
    steps = outcome.run.setup.training.steps
    share = 1.0 if outcome.is_over else outcome.steps_done / steps
    return seconds[outcome.run.side] * share


def _seconds(setup: Setup, texts: Texts) -> float:
    """Time steps, looks and samples of a setup, and multiply each by how many there are."""
    training = setup.training
    without = replace(training, steps=10 * N_TIMED, evaluate_every=0, sample_every=0, n_snapshots=0)
    trainer = new_trainer(replace(setup, training=without), texts.of(setup))
    trainer.skip_untrained()
    return seconds_of_run(
        training,
        step=_seconds_a_step(trainer),
        look=_timed(trainer.evaluate),
        sample=_timed(trainer.sample),
    )


def _seconds_a_step(trainer: Trainer) -> float:
    seconds = []
    try:
        for _ in range(N_TIMED):
            seconds.append(next(trainer).seconds)
    except TrainingError:  # it diverges at once, and its run will be as short
        pass
    return min(seconds, default=0.0)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
