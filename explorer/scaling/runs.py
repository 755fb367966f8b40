"""Runs of tiny models as points of a law, recorded or of a sweep: what is open, what is sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path

import streamlit as st

from explorer import content, link, session
from explorer.engine.experiment import Experiment
from explorer.figures.amounts import in_flops
from explorer.figures.scaling import Run
from explorer.recorded import recorded
from tiny_llama.comparing.isoflop import budgets
from tiny_llama.comparing.law import LawFit, fit_law, points_of
from tiny_llama.comparing.outcomes import Outcome
from tiny_llama.comparing.plan import Plan
from tiny_llama.comparing.points_file import Point
from tiny_llama.comparing.results import Results, read_results
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.corpora import CORPORA, TextCorpus
from tiny_llama.cost import FLOPS_A_TRAINED_TOKEN
from tiny_llama.errors import CheckpointError
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import Setup

NAME = "scaling"
"""Of the recorded experiment."""
TRAINED_SHARE = 0.9
"""Of a text; its last tenth is held out."""
N_RESAMPLES, FEW_RESAMPLES = 100, 20
"""Fits to runs drawn again: of the recorded runs, done once for everybody in about a second; of a
student's own points a fifth of it, which ends of intervals show."""
LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class LawRun:
    """A run of the recorded experiment, or of a sweep."""

    point: Point
    setup: Setup
    seed: int
    readings: float
    """How often it read its text."""

    @property
    def words(self) -> str:
        """What pointing at it says."""
        model, training = self.setup.model, self.setup.training
        return (
            f"{model.n_layers} layers × {model.d_model} wide, {self.point.parameters:,.0f} "
            f"parameters<br>{training.steps:,} steps, {self.point.tokens:,.0f} tokens, the text "
            f"read {self.readings:.2g} times<br>learning rate {training.learning_rate:g}, seed "
            f"{self.seed}: loss {self.point.loss:.4f}"
        )


def the_sweep() -> Experiment | None:
    """Find the sweep that the link names, which takes the place of the recorded runs, if any."""
    name = link.value("sweep")
    found = session.engine().experiment(name) if name else None
    return found if found is not None and not found.plan.comparisons else None


def plan() -> Plan:
    """Give the plan of what is shown.

    Raises:
        UserError: if nothing was recorded.
    """
    sweep = the_sweep()
    return recorded(NAME).results.plan if sweep is None else sweep.plan


def open_runs() -> tuple[LawRun, ...]:
    """List the runs that may be seen: all, once the student has made a guess.

    Raises:
        UserError: if they are not there, or damaged, or none is done.
    """
    runs, sealed = all_runs(), () if is_open() else sealed_runs()
    return tuple(run for run in runs if run not in sealed)


def all_runs() -> tuple[LawRun, ...]:
    """List the runs that are done, by size and length.

    Raises:
        UserError: if they are not there, or damaged.
    """
    sweep = the_sweep()
    return recorded_runs() if sweep is None else _runs_of_sweep(sweep.id, sweep.n_over)


@cache
def recorded_runs() -> tuple[LawRun, ...]:
    """Read the recorded runs, by size and length.

    Raises:
        UserError: if they are not there, or damaged, or none is done.
    """
    found = _read(content.RECORDED / NAME, recorded(NAME).results)
    if not found:
        raise CheckpointError(f"Of the experiment {NAME!r} no run is done; go on with its sweep.")
    return found


@st.cache_resource(max_entries=20, show_spinner=False)
def _runs_of_sweep(name: str, n_over: int) -> tuple[LawRun, ...]:
    """Read the runs of a sweep, anew once one more is over."""
    sweep = session.engine().experiment(name)
    if sweep is None:
        raise CheckpointError("This sweep is not on this server any more; start a new one.")
    return _read(sweep.folder, read_results(sweep.folder, sweep.plan))


def _read(folder: Path, results: Results) -> tuple[LawRun, ...]:
    found = [
        _law_run(each, each.final, read_metrics(folder / each.run.name)[-1].get("bits_per_byte"))
        for each in results.runs
        if each.is_over and each.final is not None
    ]
    return tuple(sorted(found, key=lambda run: (run.point.parameters, run.point.tokens, run.seed)))


def sealed_runs() -> tuple[LawRun, ...]:
    """List the runs of the largest model that are done: what is to be predicted."""
    largest = max(law_parameters(side.setup) for side in plan().sides.values())
    return tuple(run for run in all_runs() if run.point.parameters == largest)


def is_complete() -> bool:
    """Tell whether all runs are over; recorded ones are."""
    sweep = the_sweep()
    return sweep is None or sweep.n_over == sweep.n_runs


def is_open() -> bool:
    """Tell whether the sealed runs may be seen: the link has the student's guess."""
    return link.value("guess") is not None


def by_budget(runs: Sequence[LawRun]) -> dict[str, list[Run]]:
    """Sort runs by budget of compute, the smallest first, as points of a picture over size."""
    by_numbers = {(r.point.parameters, r.point.tokens, r.point.loss): r for r in runs}
    groups: dict[str, list[Run]] = {}
    for some in budgets(points_of(by_numbers)):
        rows = zip(
            some.parameters.tolist(), some.tokens.tolist(), some.losses.tolist(), strict=True
        )
        own = [by_numbers[row] for row in rows]
        title = in_flops(float(f"{flops_of(own[0]):.1g}"))
        groups.setdefault(title, []).extend(spots(own))
    return groups


def spots(runs: Sequence[LawRun]) -> list[Run]:
    """Give runs as points of a picture over size."""
    return [Run(x=r.point.parameters, y=r.point.loss, words=r.words) for r in runs]


def flops_of(run: LawRun) -> float:
    """Count the operations of a run by 6 N D, to two digits."""
    return float(f"{FLOPS_A_TRAINED_TOKEN * run.point.parameters * run.point.tokens:.2g}")


def points(runs: Iterable[LawRun]) -> list[Point]:
    """Give the points of runs."""
    return [run.point for run in runs]


def fitted(points: Sequence[Point], *, n_resamples: int = N_RESAMPLES) -> LawFit:
    """Fit the law to points, with intervals; the same points are fitted once for everybody.

    Raises:
        UserError: if they are too few.
    """
    return _fitted(tuple((each.parameters, each.tokens, each.loss) for each in points), n_resamples)


@st.cache_resource(max_entries=64, show_spinner=False)
def _fitted(points: tuple[tuple[float, float, float], ...], n_resamples: int) -> LawFit:
    """Fit the law; where many ask at once, one of them does it."""
    return fit_law(points_of(points), n_resamples=n_resamples)


def _law_run(outcome: Outcome, loss: float, bits_per_byte: float | None) -> LawRun:
    setup = outcome.run.setup
    return LawRun(
        point=Point(
            parameters=law_parameters(setup),
            tokens=law_tokens(setup),
            loss=loss,
            text=setup.corpus,
        ),
        setup=setup,
        seed=outcome.run.seed,
        readings=_readings(setup, loss, bits_per_byte),
    )


def _readings(setup: Setup, loss: float, bits_per_byte: float | None) -> float:
    """Say how often a run read its text: loss and bits a byte give the bytes of a token."""
    if not bits_per_byte:
        return float("nan")
    bytes_a_token = loss / log(2) / bits_per_byte
    return law_tokens(setup) * bytes_a_token / (TRAINED_SHARE * _n_bytes(setup.corpus))


@cache
def _n_bytes(corpus: str) -> int:
    text = CORPORA[corpus]
    assert isinstance(text, TextCorpus)
    return len(text.text().encode())
