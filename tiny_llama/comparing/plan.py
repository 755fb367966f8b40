"""Plan: what an experiment runs and what it compares, in plain values; kept in one sealed file.

experiment.json      the plan, as it was begun
text.txt             the user's own text, where that is the corpus
SIDE.rate-0.006/     a run folder for each side and learning rate that is tried
SIDE.seed-0/         and one for each side and seed, at the side's best rate
run.lock             locked by the process that trains the runs
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.files import read_sealed, write_sealed
from tiny_llama.setup import Setup, setting_word

EXPERIMENT = "experiment.json"
USUAL_SEEDS = 6
"""With three, a paired test finds nothing under three standard deviations."""
MOST_SIDES, MOST_SEEDS, MOST_RATES, MOST_RUNS = 200, 100, 9, 2000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")

MEASURES: Mapping[str, tuple[str, bool]] = {
    "held_out_loss": ("held-out loss", True),
    "bits_per_byte": ("bits per byte", True),
    "accuracy": ("accuracy", False),
}
"""By what sides can be judged, as rows of metrics say it: in words, and whether less is better."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to build and train a model."""

    setup: Setup
    """With the model's vocabulary; seeds and, where several are tried, the learning rate are
    changed from run to run."""
    note: str = ""
    """How it was matched to the others, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of an experiment."""

    name: str
    """Of its folder."""
    side: str
    setup: Setup
    seed: int
    is_trial: bool
    """Whether it only tries a learning rate."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An experiment: sides, seeds, and which side is compared with which.

    Raises:
        ConfigError: if names, numbers or measure make no sense.
    """

    title: str
    sides: Mapping[str, Side]
    comparisons: tuple[tuple[str, str], ...] = ()
    """Pairs of sides: the first is judged by the second."""
    seeds: tuple[int, ...] = tuple(range(USUAL_SEEDS))
    """Of the model and of the data alike: one number is one pair of starts on the same texts."""
    learning_rates: tuple[float, ...] = ()
    """Tried on every side before the seeds; empty: each side keeps its own."""
    margin: float | None = None
    """Smaller differences do not matter; None: no two sides are ever called equal."""
    measure: str = "held_out_loss"
    notes: tuple[str, ...] = field(default=())
    """What else is to be said beside the results."""

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigError("This experiment cannot be run: " + "; ".join(problems) + ".")

    @property
    def trial_seed(self) -> int:
        """The seed of the runs that try learning rates: none of the others, so that no side is
        judged by the seeds that its rate was chosen by."""
        return max(self.seeds) + 1

    @property
    def trials(self) -> list[Run]:
        """The runs that try learning rates, side by side."""
        return [
            self._run(side, self.trial_seed, rate, is_trial=True)
            for side in self.sides
            for rate in self.learning_rates
        ]

    def seed_runs(self, rates: Mapping[str, float]) -> list[Run]:
        """List the runs that count, all sides of one seed before the next seed.

        Args:
            rates: the learning rate of each side by its name, where several were tried.
        """
        return [
            self._run(side, seed, rates.get(side), is_trial=False)
            for seed in self.seeds
            for side in self.sides
        ]

    @property
    def n_runs(self) -> int:
        """How many runs there are in all."""
        return len(self.sides) * (len(self.seeds) + len(self.learning_rates))

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave.

        Raises:
            ConfigError: if a part is unknown, missing or wrong.
        """
        try:
            sides = {
                name: Side(setup=Setup.from_dict(side["setup"]), note=str(side["note"]))
                for name, side in values["sides"].items()
            }
            lists = {name: tuple(values[name]) for name in ("seeds", "learning_rates", "notes")}
            pairs = tuple((first, second) for first, second in values["comparisons"])
            return cls(**{**values, **lists, "sides": sides, "comparisons": pairs})
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"The experiment lacks something or says it wrongly ({error})."
            ) from None
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"The experiment says something wrongly ({error}).") from None

    def _run(self, side: str, seed: int, rate: float | None, *, is_trial: bool) -> Run:
        settings: dict[str, Any] = {"seed": seed, "data_seed": seed}
        if rate is not None:
            settings["learning_rate"] = rate
        setup = self.sides[side].setup.with_settings(settings)
        of = f"rate-{setting_word('learning_rate', rate)}" if is_trial else f"seed-{seed}"
        return Run(name=f"{side}.{of}", side=side, setup=setup, seed=seed, is_trial=is_trial)

    def _problems(self) -> Iterator[str]:
        yield from self._problems_of_names()
        yield from self._problems_of_numbers()
        yield from self._problems_of_measure()

    def _problems_of_names(self) -> Iterator[str]:
        if not 1 <= len(self.sides) <= MOST_SIDES:
            yield f"its {len(self.sides)} sides must be 1 to {MOST_SIDES}"
        for name in self.sides:
            if not _NAME.fullmatch(name):
                yield (
                    f"the side {name[:80]!r} must be named with at most 60 small letters, digits, "
                    f"- and _"
                )
        for name in {side for pair in self.comparisons for side in pair} - set(self.sides):
            yield f"it compares {name!r}, which is none of its sides"

    def _problems_of_numbers(self) -> Iterator[str]:
        yield from _problems_of_list("seeds", self.seeds, 1, MOST_SEEDS)
        yield from _problems_of_list("learning_rates", self.learning_rates, 0, MOST_RATES)
        if self.margin is not None and not self.margin > 0:
            yield f"margin={self.margin:g} must be above 0"
        if self.n_runs > MOST_RUNS:
            yield f"its {self.n_runs:,} runs must be at most {MOST_RUNS:,}"

    def _problems_of_measure(self) -> Iterator[str]:
        if self.measure not in MEASURES:
            yield f"measure={self.measure!r} is not on the list; choose {' or '.join(MEASURES)}"
        for first, second in self.comparisons if self.measure == "held_out_loss" else ():
            if self._tokens_of(first) != self._tokens_of(second):
                yield (
                    f"{first} and {second} cut text into other tokens, so their losses a token "
                    f"cannot be compared; say measure = 'bits_per_byte'"
                )

        for name, side in self.sides.items() if self.measure == "accuracy" else ():
            if not isinstance(CORPORA.get(side.setup.corpus), Task):
                yield (
                    f"{name} learns from the text {side.setup.corpus}, which has no answers to be "
                    f"accurate in; say measure = 'held_out_loss'"
                )

    def _tokens_of(self, name: str) -> tuple[Any, ...]:
        if name not in self.sides:
            return ()
        setup = self.sides[name].setup
        return setup.tokenizer, setup.vocab_size, setup.corpus


def _problems_of_list(name: str, values: tuple[float, ...], least: int, most: int) -> Iterator[str]:
    if not least <= len(values) <= most:
        yield f"{name} are {len(values)} and must be {least} to {most}"
    if len(set(values)) < len(values):
        yield f"{name} must differ from one another"


_PARTS = tuple(each.name for each in fields(Plan))


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the plan of an experiment into its folder.

    Raises:
        CheckpointError: if the folder holds another experiment, or cannot be written.
    """
    if not (folder / EXPERIMENT).is_file():
        write_sealed(folder / EXPERIMENT, plan.as_dict())
    elif (before := read_plan(folder)) != plan:
        raise CheckpointError(
            f"The folder {folder.name!r} holds another experiment, whose "
            f"{' and '.join(_differing(before, plan))} differ; go on with its own file, or choose "
            f"another folder."
        )


def read_plan(folder: Path) -> Plan:
    """Read the plan of an experiment.

    Raises:
        UserError: if there is none, or it is damaged or cannot be run.
    """
    if not (folder / EXPERIMENT).is_file():
        raise CheckpointError(
            f"The folder {folder.name!r} holds no experiment: {EXPERIMENT} is missing; choose a "
            f"folder that `sweep` has written."
        )
    return Plan.from_dict(read_sealed(folder / EXPERIMENT, _PARTS))


def _differing(before: Plan, after: Plan) -> Iterable[str]:
    return [name for name in _PARTS if getattr(before, name) != getattr(after, name)]
