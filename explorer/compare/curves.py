"""The curves of an experiment along steps, tokens, seconds and operations, from its outcomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.compare.naming import side_title
from explorer.figures.compared import Curves
from tiny_llama.comparing.outcomes import Outcome
from tiny_llama.comparing.pairs import Difference, mean_interval, paired_difference
from tiny_llama.comparing.plan import MEASURES
from tiny_llama.comparing.results import Results
from tiny_llama.setup import Setup
from tiny_llama.training_cost import exact_training_flops


@dataclass(frozen=True, kw_only=True)
class Along:
    """An axis along which runs can be compared."""

    title: str
    axis: str
    """Its title in the picture, with its unit."""
    of_a_step: Callable[[Setup], float] | None
    """How far a step of a run goes; None: as far as it took seconds."""

    def place(self, run: Outcome, step: int) -> float:
        """Say where a run is after a step."""
        if self.of_a_step is None:
            return run.elapsed[step]
        return step * self.of_a_step(run.run.setup)


def _flops(setup: Setup) -> float:
    return exact_training_flops(setup.model, setup.tokens_a_step)


ALONG: Mapping[str, Along] = {
    "steps": Along(title="Steps", axis="Step", of_a_step=lambda _: 1),
    "tokens": Along(
        title="Tokens", axis="Tokens read", of_a_step=lambda setup: setup.tokens_a_step
    ),
    "seconds": Along(title="Seconds", axis="Seconds of training", of_a_step=None),
    "flops": Along(title="FLOPs", axis="Operations (FLOP)", of_a_step=_flops),
}
"""By the word that the link has."""


def curves_of(results: Results, side: str, along: Along) -> Curves:
    """Give the curve of each run of a side, and their mean as far as runs are done."""
    lines = [_line(run, along) for run in results.runs_of(side) if run.curve]
    done = [run for run in results.runs_of(side) if run.is_done]
    steps = sorted(set.intersection(*(set(run.curve) for run in done))) if done else []
    intervals = [mean_interval([run.curve[step] for run in done]) for step in steps]
    mean, low, high = np.array(intervals).T if intervals else np.empty((3, 0))
    return Curves(
        title=side_title(side),
        seeds=lines,
        x=np.array([np.mean([along.place(run, step) for run in done]) for step in steps]),
        mean=mean,
        low=np.where(np.isfinite(low), low, mean),
        high=np.where(np.isfinite(high), high, mean),
    )


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """The difference of two sides all along, seed by seed."""

    places: np.ndarray
    """`n`."""
    seeds: np.ndarray
    """`s n`: the first side's outcome less the second's."""
    differences: Sequence[Difference]
    """Over the seeds, one for each place."""


def gaps_of(results: Results, first: str, second: str, along: Along) -> Gaps | None:
    """Compare two sides all along, over the seeds that both have done; None: there is none yet.

    Where sides were looked at in other places, such as by the seconds that each took, what lies
    between two looks is taken to lie on a line.
    """
    pairs = [
        (_line(one, along), _line(other, along))
        for one in results.runs_of(first)
        for other in results.runs_of(second)
        if one.run.seed == other.run.seed and one.is_done and other.is_done
    ]
    if not pairs:
        return None
    places = _places([line for pair in pairs for line in pair])
    seeds = np.array([_at(places, one) - _at(places, other) for one, other in pairs])
    _, lower_is_better = MEASURES[results.plan.measure]
    nothing = [0.0] * len(pairs)
    differences = [
        paired_difference(list(column), nothing, lower_is_better=lower_is_better)
        for column in seeds.T
    ]
    return Gaps(places=places, seeds=seeds, differences=differences)


def _line(run: Outcome, along: Along) -> tuple[np.ndarray, np.ndarray]:
    steps = sorted(run.curve)
    places = np.array([along.place(run, step) for step in steps], dtype=float)
    return places, np.array([run.curve[step] for step in steps])


def _places(lines: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Choose where to compare: where the first was looked at, as far as all have come."""
    first, end = lines[0][0], min(float(places[-1]) for places, _ in lines)
    return np.append(first[first < 0.999 * end], end)


def _at(places: np.ndarray, line: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.asarray(np.interp(places, *line))
