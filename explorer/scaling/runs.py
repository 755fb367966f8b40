"""The recorded runs of tiny models, as points of a law: what is open, and what is sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log

import streamlit as st

from explorer import content, link
from explorer.recorded import recorded
from tiny_llama.comparing.law import LawFit, fit_law, points_of
from tiny_llama.comparing.outcomes import Outcome
from tiny_llama.comparing.points_file import Point
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.corpora import CORPORA, TextCorpus
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
    """A recorded run."""

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


def open_runs() -> tuple[LawRun, ...]:
    """List the runs that may be seen: all, once the student has made a guess."""
    runs = recorded_runs()
    return runs if is_open() else tuple(run for run in runs if run not in sealed_runs())


@cache
def recorded_runs() -> tuple[LawRun, ...]:
    """Read all runs that are done, by size and length.

    Raises:
        UserError: if they are not there, or damaged, or none is done.
    """
    folder, outcomes = content.RECORDED / NAME, recorded(NAME).results.runs
    found = [
        _law_run(each, each.final, read_metrics(folder / each.run.name)[-1].get("bits_per_byte"))
        for each in outcomes
        if each.final is not None
    ]
    if not found:
        raise CheckpointError(f"Of the experiment {NAME!r} no run is done; go on with its sweep.")
    return tuple(sorted(found, key=lambda run: (run.point.parameters, run.point.tokens, run.seed)))


def sealed_runs() -> tuple[LawRun, ...]:
    """List the runs of the largest model: what is to be predicted."""
    runs = recorded_runs()
    largest = max(run.point.parameters for run in runs)
    return tuple(run for run in runs if run.point.parameters == largest)


def is_open() -> bool:
    """Tell whether the sealed runs may be seen: the link has the student's guess."""
    return link.value("guess") is not None


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
