"""Results of an experiment at any time: sides, trials of learning rates, comparisons."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from tiny_llama.comparing.law import Points, points_of
from tiny_llama.comparing.outcomes import Outcome, best_rates, read_outcomes
from tiny_llama.comparing.pairs import paired_difference
from tiny_llama.comparing.plan import MEASURES, Plan
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.comparing.verdicts import Judgement, judge
from tiny_llama.comparing.worth import Worth, worth_in_steps
from tiny_llama.cost import count_parameters


@dataclass(frozen=True, kw_only=True)
class SideResult:
    """What the runs of one side have come to so far."""

    name: str
    n_parameters: int
    learning_rate: float
    """That of its runs; its own, as long as others are still being tried."""
    finals: tuple[float, ...]
    """Of the seeds that are done."""
    n_diverged: int
    n_seeds: int
    """How many there are to be."""
    trials: Mapping[float, float | None]
    """By the learning rates that are over: what each came to; None: it diverged."""
    note: str
    """How it was matched, and what the trials say, in sentences."""

    @property
    def mean(self) -> float | None:
        """Of the seeds that are done."""
        return fmean(self.finals) if self.finals else None

    @property
    def sd(self) -> float | None:
        """Between the seeds that are done."""
        return stdev(self.finals) if len(self.finals) > 1 else None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A side judged by another, over the seeds that both have done."""

    first: str
    second: str
    judgement: Judgement
    worth: Worth | None


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that can be said of an experiment so far."""

    plan: Plan
    sides: tuple[SideResult, ...]
    comparisons: tuple[Comparison, ...]
    trials: tuple[Outcome, ...]
    """What the runs that try learning rates have come to."""
    runs: tuple[Outcome, ...]
    """What the runs that count have come to: those of sides whose learning rate is known."""

    @property
    def n_over(self) -> int:
        """How many runs are done or have diverged, of `plan.n_runs`."""
        return sum(each.is_over for each in (*self.trials, *self.runs))

    def side(self, name: str) -> SideResult:
        """Give what a side has come to.

        Raises:
            KeyError: if there is none of that name.
        """
        return {side.name: side for side in self.sides}[name]

    def runs_of(self, side: str) -> list[Outcome]:
        """List the runs of a side that count, by seed."""
        return _of(side, self.runs)

    def trials_of(self, side: str) -> list[Outcome]:
        """List the runs of a side that try learning rates, from the lowest rate up."""
        return _of(side, self.trials)


def read_results(folder: Path, plan: Plan) -> Results:
    """Read the results of an experiment, whether it is over, goes on, or was stopped.

    Raises:
        UserError: if a run folder is damaged.
    """
    trials, runs = read_outcomes(folder, plan)
    rates = best_rates(plan, trials)
    sides = {
        name: _side(plan, name, rates, _of(name, trials), _of(name, runs)) for name in plan.sides
    }
    return Results(
        plan=plan,
        sides=tuple(sides.values()),
        comparisons=tuple(_comparisons(plan, runs)),
        trials=tuple(trials),
        runs=tuple(runs),
    )


def read_points(folder: Path, plan: Plan) -> Points:
    """Read the runs of an experiment as points of a law: those of its seeds that are done.

    Raises:
        UserError: if a run folder is damaged.
    """
    _, runs = read_outcomes(folder, plan)
    done = (run for run in runs if run.final is not None)
    return points_of(
        (law_parameters(each.run.setup), law_tokens(each.run.setup), float(each.final or 0.0))
        for each in done
    )


def _of(side: str, outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [each for each in outcomes if each.run.side == side]


def _side(
    plan: Plan,
    name: str,
    rates: Mapping[str, float],
    trials: Sequence[Outcome],
    runs: Sequence[Outcome],
) -> SideResult:
    side = plan.sides[name]
    rate = rates.get(name, side.setup.training.learning_rate)
    tried = {t.run.setup.training.learning_rate: t.final for t in trials if t.is_over}
    said = (side.note, _about_rates(plan, rate, tried))
    return SideResult(
        name=name,
        n_parameters=count_parameters(side.setup.model),
        learning_rate=rate,
        finals=tuple(run.final for run in runs if run.final is not None),
        n_diverged=sum(run.diverged_at is not None for run in runs),
        n_seeds=len(plan.seeds),
        trials=tried,
        note=" ".join(filter(None, said)),
    )


def _about_rates(plan: Plan, rate: float, tried: Mapping[float, float | None]) -> str:
    """Say at which learning rates a side diverged, and whether its best one is at the edge."""
    if len(tried) < len(plan.learning_rates) or not tried:
        return ""
    diverged = [each for each, final in tried.items() if final is None]
    if len(diverged) == len(tried):
        return f"It diverged at every learning rate that was tried, the lowest of them {rate:g}."
    said = []
    if diverged:
        where = " and ".join(f"{each:g}" for each in sorted(diverged))
        said.append(f"It diverged at the learning rate {where} and trains at {rate:g}.")
    if len(tried) > 1 and rate in (min(tried), max(tried)) and rate not in _beside(diverged, tried):
        edge = "lowest" if rate == min(tried) else "highest"
        said.append(f"Its best learning rate, {rate:g}, is the {edge} tried: try others beyond.")
    return " ".join(said)


def _beside(diverged: Sequence[float], tried: Mapping[float, float | None]) -> set[float]:
    """Give the rates just below one that diverged: beyond them there is nothing to try."""
    rates = sorted(tried)
    return {rates[rates.index(each) - 1] for each in diverged if rates.index(each)}


def _comparisons(plan: Plan, runs: Sequence[Outcome]) -> Iterator[Comparison]:
    """Judge all pairs together, each over the seeds that are over on both sides."""
    _, lower_is_better = MEASURES[plan.measure]
    pairs = {pair: _pairs(*(_of(side, runs) for side in pair)) for pair in plan.comparisons}
    differences = {
        "\n".join(pair): paired_difference(
            [first.score for first, _ in both],
            [second.score for _, second in both],
            margin=plan.margin,
            lower_is_better=lower_is_better,
            n_diverged=(_n_diverged(a for a, _ in both), _n_diverged(b for _, b in both)),
        )
        for pair, both in pairs.items()
    }
    judged = judge(differences)
    for (first, second), both in pairs.items():
        yield Comparison(
            first=first,
            second=second,
            judgement=judged[f"{first}\n{second}"],
            worth=_worth(both, lower_is_better),
        )


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A run that is over."""

    outcome: Outcome
    score: float


def _pairs(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[tuple[_Scored, _Scored]]:
    """Pair the runs of two sides by their seeds, where both are over."""
    one, other = (
        {
            run.run.seed: _Scored(outcome=run, score=run.score)
            for run in runs
            if run.is_over and run.score is not None
        }
        for runs in (first, second)
    )
    return [(one[seed], other[seed]) for seed in one if seed in other]


def _n_diverged(runs: Iterable[_Scored]) -> int:
    return sum(run.outcome.diverged_at is not None for run in runs)


def _worth(pairs: Sequence[tuple[_Scored, _Scored]], lower_is_better: bool) -> Worth | None:
    """Say what a difference is worth in steps, where both sides took as many."""
    both = ([run.outcome for run in pair] for pair in pairs)
    whole = [pair for pair in both if all(run.is_done for run in pair)]
    if not whole:
        return None
    looks = set.intersection(*(set(run.curve) for pair in whole for run in pair))
    steps = sorted(looks - {0})
    lengths = {run.run.setup.training.steps for pair in whole for run in pair}
    if not steps or lengths != {steps[-1]}:
        return None
    first, second = (
        np.array([[pair[side].curve[step] for step in steps] for pair in whole]) for side in (0, 1)
    )
    return worth_in_steps(steps, first, second, lower_is_better=lower_is_better)
