"""Every word that a link can carry: one table.

A link is the whole of what a page shows that is not usual: the same link, the same page. What is
not in this table is in no link; `explorer.link` is the only place that reads and writes them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite, log10
from typing import Any

from tiny_llama import config, train_config
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.fields import field_kinds, parse_field
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.setup import MODEL_FIELDS, SETTINGS, TINY, Setup, setting_owner, setting_word
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

MOST_CHARACTERS = 2_000
"""Of a text to inspect: several times the context of the default model."""
MOST_LETTERS = 60
"""Of what is searched for; no name or organisation is longer."""
MOST_ADDED = 200
"""Tokens that a student may put after a text."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a word may be: how it is read, and how it is written."""

    says: str
    """What it may be, in words: for who reads the table."""
    read: Callable[[str], Any]
    """Raises ValueError for what makes no sense."""
    write: Callable[[Any], str] = str


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of the link."""

    name: str
    """In the link, of the widget, and of the setting that it is."""
    kind: Kind
    pages: tuple[str, ...]
    """Where it lives; a link to another page does not carry it."""
    usual: Any = None
    """What needs no word; None: the page says it where it draws the widget."""
    is_apart: bool = False
    """Whether each of its pages has a value of its own; else they share one."""
    group: str = ""
    """Words that make sense together: a link that says one of them says all of them."""


def _one_of(options: Collection[str] = ()) -> Kind:
    """Allow one name; out of these, or of those that the page offers."""

    def read(said: str) -> str:
        if len(said) > MOST_LETTERS or (options and said not in options):
            raise ValueError(said)
        return said

    return Kind(says=" or ".join(options) or "one of the names that the page offers", read=read)


def _whole(low: int, high: int) -> Kind:
    def read(said: str) -> int:
        number = float(said)  # earlier links may have 4.0
        if not number.is_integer() or not low <= number <= high:
            raise ValueError(said)
        return int(number)

    return Kind(says=f"a whole number from {low:,} to {high:,}", read=read)


def _number(low: float, high: float, says: str = "") -> Kind:
    def read(said: str) -> float:
        number = float(said)
        if not low <= number <= high:  # what is no number is not, either
            raise ValueError(said)
        return number

    return Kind(says=says or f"a number from {low:g} to {high:g}", read=read, write=_short)


def _short(number: float) -> str:
    return f"{number:.12g}" if float(f"{number:.12g}") == number else str(number)


def _several(options: Collection[str] = ()) -> Kind:
    """Allow any number of names, with commas between; those not offered are passed over."""

    def read(said: str) -> list[str]:
        names = [name for name in dict.fromkeys(said.split(",")) if name]
        if any(len(name) > MOST_LETTERS for name in names):
            raise ValueError(said)
        known = [name for name in names if not options or name in options]
        if names and not known:
            raise ValueError(said)
        return known

    return Kind(says="names with commas between", read=read, write=",".join)


def _read_switch(said: str) -> bool:
    return {"true": True, "false": False}[said.lower()]


def _read_text(said: str, most: int) -> str:
    if len(said) > most:
        raise ValueError(said)
    return said


def _read_years(said: str) -> tuple[int, int]:
    """Read years such as 2019-2023; which years there are, the page knows."""
    first, last = sorted(int(year) for year in said.split("-"))
    return first, last


def _read_power(said: str) -> int:
    """Read the exponent of a power of ten that is written as such: 0.01 is −2."""
    exponent = log10(float(said))
    if not isfinite(exponent) or abs(exponent - round(exponent)) > 1e-9:
        raise ValueError(said)
    return round(exponent)


SWITCH = Kind(says="true or false", read=_read_switch, write=lambda on: str(on).lower())
COUNT = _whole(0, 1_000_000)
"""A place, a step, a layer: how many there are, the page knows."""
YEARS = Kind(
    says="two years, as 2019-2023", read=_read_years, write=lambda years: f"{years[0]}-{years[1]}"
)
POWER = Kind(
    says="a power of ten, as 0.01", read=_read_power, write=lambda power: f"{10.0**power:g}"
)


def _text(most: int) -> Kind:
    return Kind(says=f"at most {most:,} characters", read=partial(_read_text, most=most))


# Settings of a run.

KINDS = field_kinds(ModelConfig) | field_kinds(TrainConfig) | field_kinds(Setup)
"""The types that each setting allows."""
OPTIONS: Mapping[str, Collection[str]] = {
    **MENU,
    **CHOICES,
    **TRAINING_CHOICES,
    "tokenizer": TOKENIZERS,
}
"""What can be chosen where a setting is a name."""
_SIZES = [option.vocab_size_bounds for option in TOKENIZERS.values() if option.vocab_size_bounds]
BOUNDS: Mapping[str, tuple[float, float]] = {
    **config.BOUNDS,
    **train_config.BOUNDS,
    **{name: (8, config.BOUNDS[name][1]) for name in ("context", "d_model", "d_hidden")},
    "vocab_size": (min(low for low, _ in _SIZES), max(high for _, high in _SIZES)),
}
"""What a config takes; what this app can carry, the engine says in a sentence.

Widths begin at 8 and go in eights, since a browser calls a number between two steps invalid.
"""


def _setting(name: str) -> Kind:
    """Say what a setting may be in a link, which reads as `--set` does."""

    def read(said: str) -> Any:
        try:
            value = parse_field(setting_owner(name), name, said)
        except ConfigError as error:
            raise ValueError(said) from error
        low, high = BOUNDS.get(name, (None, None))
        if name in OPTIONS and value not in OPTIONS[name]:
            raise ValueError(said)
        if low is not None and high is not None and value is not None and not low <= value <= high:
            raise ValueError(said)
        return value

    return Kind(says="as `--set` takes it", read=read, write=partial(setting_word, name))


# Pages.

INSIDE = ("attention", "rotary", "norm_and_swiglu", "generation")
READING = ("tokens", *INSIDE)
"""Pages that read a text."""
ALL = ("home", "family_tree", "architecture", "tokens", "train", "compare", "scaling", *INSIDE)
VIEWED = tuple(page for page in ALL if page != "train")
"""Pages of several views."""


_WORDS: Mapping[tuple[str, ...], Mapping[str, Kind | tuple[Kind, Any]]] = {
    ALL: {
        "run": (_text(100), ""),
        "tour": (_text(4), ""),
        "present": (SWITCH, False),
        "hide": (_several(), []),
    },
    READING: {"text": _text(MOST_CHARACTERS)},
    INSIDE: {"at": (_text(10), "now"), "follow": (SWITCH, False), "beside": (_text(100), "")},
    ("train",): {
        "where": (_one_of(), "server"),
        "rest": (SWITCH, False),
        "overlay": (_several(), []),
        "without": (_several(), []),
        "curve": (_one_of(), "Loss"),
        "axis": (_one_of(), "Steps"),
        "log": (SWITCH, False),
        "earlier": (SWITCH, True),
    },
    ("compare",): {
        "race": (_one_of(), "losses"),
        "along": (_one_of(), "steps"),
        "whole": (SWITCH, False),
        "race_seed": COUNT,
        "race_step": COUNT,
        "rungs": (_one_of(), "ladder"),
        "task": _one_of(),
        "lacking": (_one_of(), "no-positions"),
        "claim": _one_of(),
        "experiment": (_text(100), ""),
        "kind": (_one_of(), "race"),
        "climbed": (_several(), []),
        "one": _one_of(),
        "other": _one_of(),
        "n_seeds": COUNT,
        "race_steps": COUNT,
        "try_rates": (SWITCH, False),
        "live": (SWITCH, True),
    },
    ("home",): {
        "order": (_one_of(), "gap"),
        "table": _one_of(),
        "measure": _one_of(),
        "sort": (_one_of(), "score"),
        "families": (_several(), []),
        "mix": _one_of(),
        "against": _one_of(),
        "cost": _one_of(),
        "paper": (_one_of(), ""),
        "word": (_text(MOST_LETTERS), ""),
    },
    ("family_tree",): {
        "node": _one_of(),
        "lanes": (_one_of(), "kind"),
        "find": (_text(MOST_LETTERS), ""),
        "years": YEARS,
        "relation": (_several(), []),
        "openness": (_several(), []),
        "maker": (_several(), []),
    },
    ("architecture",): {
        "open": (_one_of(), ""),
        "slot": (_one_of(), "norm"),
        "boxes": (_one_of(), "component"),
        "box": _one_of(),
        "also": (_several(), []),
        "precision": (_one_of(), "fp16"),
        "group": (_one_of(), "128"),
        "kv": (_one_of(), "fp16"),
        "length": _one_of(),
        "texts": (_one_of(), "1"),
        "accelerator": _one_of(),
        "cards": (_one_of(), "auto"),
        "budget": _one_of(),
        "millions": _whole(1, 10**9),
        "machines": _whole(1, 10**6),
        "utilisation": _number(0.1, 100),
        "operations": (_one_of(), "6nd"),
    },
    ("architecture", "attention", "rotary", "norm_and_swiglu"): {"layer": COUNT},
    ("attention", "rotary"): {"head": COUNT, "reader": COUNT},
    ("attention",): {
        "first": (COUNT, 0),
        "source": COUNT,
        "by": (_one_of(), "zero"),
        "off": (_several(), []),
        "role": (_one_of(), "induction"),
    },
    ("rotary",): {
        "turned_to": COUNT,
        "theta": _number(0, 1e12),
        "spectrum": _one_of(),
        "asked": COUNT,
        "m": COUNT,
        "n": COUNT,
        "moved_by": COUNT,
        "scheme": _one_of(),
        "pair": COUNT,
        "pair_shown": _one_of(),
        "schemes": _several(),
        "stretch": (_several(), []),
        "factor": (_one_of(), "4"),
    },
    ("norm_and_swiglu",): {
        "token": COUNT,
        "norm_at": _one_of(),
        "times": (POWER, 1),
        "plus": (_number(-3, 3), 1.0),
        "norms_from": COUNT,
        "stream_from": COUNT,
        "start_std": _number(0, 1),
        "start_scaled": (SWITCH, False),
        "depth": COUNT,
        "sizes": (_one_of(), "this"),
        "timed": (SWITCH, False),
        "gated": (_one_of(), "swiglu"),
        "z": (_number(-100, 100), -1.0),
        "part": (_one_of(), "hidden"),
        "unit": COUNT,
        "units_from": COUNT,
        "threshold": (_number(0, 1), 0.1),
        "sizes_of": (_one_of(), "this"),
        "multiple": _one_of(),
    },
    ("scaling",): {
        "given": (_one_of(), "flops"),
        "law": (_one_of(), "refit"),
        "compute": _number(0, 40),
        "tokens": _number(0, 40),
        "served": _number(0, 40),
        "shown": (_one_of(), "isoflop"),
        "mine": (SWITCH, False),
        "sweep": (_text(100), ""),
        "widths": (_several(), []),
        "budgets": (_several(), []),
        "sweep_seeds": COUNT,
        "guess": _number(0, 30),
        "smarter": (_one_of(), "noise"),
        "noise": _number(0, 1),
    },
    ("tokens",): {
        "n_merges": COUNT,
        "cut_by": _one_of(),
        "language": _one_of(),
    },
    ("generation",): {
        "temperature": _number(0, 2),
        "top_k": COUNT,
        "top_p": _number(0, 1),
        "min_p": _number(0, 1),
        "sample_seed": _whole(0, 2**32 - 1),
        "written": (_text(3_000), ""),
        "n_samples": (COUNT, 3),
        "sample_length": (COUNT, 60),
        "cache_of": (_one_of(), "real"),
        "cache_length": COUNT,
        "surprise_from": COUNT,
        "lens_colour": _one_of(),
        "lens_from": COUNT,
        "lens_at": COUNT,
    },
}
"""By the pages on which they live: what each may be, and what is usual where it is always the same.

Where it is not, or where the list of what can be chosen is the page's own, the page says it as it
draws the widget.
"""


def _table() -> Iterator[Word]:
    yield Word(name="view", kind=_one_of(), pages=VIEWED, is_apart=True)
    for pages, words in _WORDS.items():
        for name, said in words.items():
            kind, usual = said if isinstance(said, tuple) else (said, None)
            yield Word(name=name, kind=kind, pages=pages, usual=usual)
    yield from _settings()


def _settings() -> Iterator[Word]:
    both = ("architecture", "train")
    yield Word(
        name="preset", kind=_one_of(), pages=both, usual=TINY[0], is_apart=True, group="setup"
    )
    low, high = map(int, config.BOUNDS["vocab_size"])
    yield Word(
        name="model_vocab_size",
        kind=_whole(low, high),
        pages=("architecture",),
        is_apart=True,
        group="setup",
    )
    for name in SETTINGS:
        pages = both if name in MODEL_FIELDS else ("train",)
        if name in SHARED_SETTINGS:
            pages = ("tokens", "train")
        yield Word(
            name=name,
            kind=_one_of() if name == "corpus" else _setting(name),
            pages=pages,
            is_apart=name not in SHARED_SETTINGS,
            group="setup",
        )


SHARED_SETTINGS = ("corpus", "vocab_size")
"""Of a run and of the Tokens page."""
WORDS: Mapping[str, Word] = {word.name: word for word in _table()}
