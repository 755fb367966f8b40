"""The words on the screen: a card for each option and setting, and the text of whole pages."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MARK = HERE / "pictures" / "mark.svg"
"""The app's own mark."""
RECORDED = HERE / "recorded"
"""Experiments that were run once, a folder each, with thinned logs: `experiments/record.py`."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"*`])")


def card(slot: str, option: str) -> str:
    """Explain an option of a slot, in Markdown with formulas.

    Args:
        slot: a slot of `tiny_llama.menu`, or `tokenizer`.
        option: one of its options.

    Raises:
        KeyError: if there is no such card.
    """
    return _texts()["cards", slot, option]


def setting(field: str) -> str:
    """Explain a field of ModelConfig or TrainConfig that is no slot, in one or two sentences.

    Raises:
        KeyError: if there is no such card.
    """
    return card("setting", field)


def part(name: str) -> str:
    """Explain a part of a model that is no slot, or a way to choose many at once, in Markdown.

    Raises:
        KeyError: if there is no such text.
    """
    return _texts()["parts", name]


@cache
def formulas() -> Mapping[tuple[str, str], str]:
    """Say what each box of a model's picture computes, in one plain line, by part and step."""
    table = json.loads(_texts()["parts", "formulas"])
    return {(part, step): line for part, steps in table.items() for step, line in steps.items()}


def page(name: str) -> str:
    """Give the opening words of a page, in Markdown.

    Raises:
        KeyError: if there is no such page.
    """
    return _texts()["pages", name]


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a view of a page says, in Markdown."""

    look: str
    """What to look at, in plain words."""
    try_it: str
    """One thing to do."""
    why: str = ""
    """Why it is so, in a few sentences; empty where a view has none."""
    formula: str = ""
    """The formula with what its letters mean, and the papers; empty where a view has none."""

    @property
    def first_sentence(self) -> tuple[str, str]:
        """What to look at in one sentence, and the rest of it."""
        first, *more = _SENTENCE_END.split(self.look, maxsplit=1)
        return first, "".join(more)


def inside(page: str, view: str) -> Words:
    """Give the words of one view of a page.

    The file has what to look at, what to try and the formula, parted by lines of three hyphens. Why
    it is so is a paragraph of its own at the end of what to look at.

    Raises:
        KeyError: if there is no such view.
    """
    look, try_it, *formula = _texts()["inside", page, view].split("\n---\n")
    look, _, why = look.partition("\n\n**Why ")
    return Words(
        look=look.strip(),
        why=f"**Why {why.strip()}" if why else "",
        try_it=try_it.strip(),
        formula="".join(formula).strip(),
    )


def has_words(page: str, view: str) -> bool:
    """Tell whether a view says what to look at; see `inside`."""
    return ("inside", page, view) in _texts()


def home(name: str) -> str:
    """Give a piece of the Home page, in Markdown.

    Raises:
        KeyError: if there is no such piece.
    """
    return _texts()["home", name]


def tour(page: str) -> str:
    """Say what to look at when the tour stops at a page, in one or two sentences.

    Raises:
        KeyError: if it does not stop there.
    """
    return _texts()["tour", page]


def family(*name: str) -> str:
    """Give a text about the family tree, in Markdown.

    Raises:
        KeyError: if there is no such text.
    """
    return _texts()["family", *name]


def remark(node: str) -> str:
    """Say what is odd in the sources of an entry of the family tree; empty where nothing is."""
    return _texts().get(("family", "remarks", node), "")


@dataclass(frozen=True, kw_only=True)
class Term:
    """A word of the glossary."""

    word: str
    """As the link has it."""
    forms: tuple[str, ...]
    """What in a text is this word: `(queries and) keys` where that stands beside it, and never
    `!hidden layer`.
    """
    topic: str
    meaning: str
    """In one to three sentences, as plain text."""


@cache
def glossary() -> Mapping[str, Term]:
    """Give the words that are explained, in the order in which one builds on another.

    The file has a heading for each topic, and under it one for each word: with its other forms, or
    after a colon with all of them, where the word alone often means something else.
    """
    terms = {}
    for part in re.split(r"^# ", _texts()["glossary", "words"], flags=re.MULTILINE)[1:]:
        topic, *entries = re.split(r"^## ", part, flags=re.MULTILINE)
        for entry in entries:
            heading, meaning = entry.split("\n", maxsplit=1)
            word = re.split(": | \\| ", heading)[0]
            forms = tuple(heading.removeprefix(f"{word}: ").split(" | "))
            terms[word] = Term(word=word, forms=forms, topic=topic.strip(), meaning=meaning.strip())
    return terms


def meaning(word: str) -> str:
    """Say what a word of the glossary means, in one to three sentences of plain text.

    Raises:
        KeyError: if it is not in there.
    """
    return glossary()[word].meaning


def example(corpus: str) -> str:
    """Give a text of the kind that a built-in corpus has, to look at until the student has one.

    Raises:
        KeyError: if there is none for this corpus.
    """
    return _texts()["examples", corpus]


@cache
def facts(name: str) -> Any:
    """Give one of the tables of facts, each row with its source and how far it can be trusted.

    What is returned is shared: to be read only.

    Raises:
        KeyError: if there is no such table.
    """
    return json.loads(_texts()["facts", name])


@cache
def configs() -> Mapping[str, Mapping[str, Any]]:
    """Give the exact configurations of real models in the facts, by id; shared, only to be read."""
    return {row["id"]: row for row in facts("configs")["configs"]}


CONFIDENCE: Mapping[str, str] = {
    "verified": "read in the source that is named",
    "partly-verified": "read in the source, but for the fields that are named",
    "from-memory": "written from memory, not read again",
    "derived": "computed from verified numbers",
}
"""How far a fact can be trusted, and what the word means."""


def cited(source: str, confidence: str, unverified: Sequence[str] = ()) -> str:
    """Say where a fact comes from and how far it can be trusted, in Markdown.

    Args:
        source: as the table of facts has it.
        confidence: one of `CONFIDENCE`.
        unverified: fields of which the source was not read.
    """
    meaning = CONFIDENCE[confidence]
    but = f"; not verified: {escaped(', '.join(unverified))}" if unverified else ""
    return f"Source: {escaped(source)} · {confidence.replace('-', ' ')} ({meaning}{but})"


def lost(n_unknown: int) -> str:
    """Say what becomes of characters that a tokenizer does not know; empty where there are none."""
    if not n_unknown:
        return ""
    them = (
        "character that the tokenizer does not know is"
        if n_unknown == 1
        else ("characters that the tokenizer does not know are")
    )
    return f"{n_unknown:,} {them} lost and read{'s' * (n_unknown == 1)} as �"


def in_bytes(characters: str) -> str:
    """Say which characters are read byte by byte, in plain text; empty where there are none."""
    if not characters:
        return ""
    different = list(dict.fromkeys(characters))
    shown = ", ".join(f"“{each}”" for each in different[:_MOST_NAMED])
    more = f" and {len(different) - _MOST_NAMED:,} more" if len(different) > _MOST_NAMED else ""
    have = "has no piece of its own" if len(different) == 1 else "have no pieces of their own"
    return f"{shown}{more} {have}, so that the model reads byte by byte there"


def escaped(text: str) -> str:
    """Write a text so that Markdown shows it word for word."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in text)


_FOLDERS = (
    *("cards", "pages", "inside", "examples", "facts", "parts", "home", "tour", "family"),
    "glossary",
)
_MOST_NAMED = 6
"""Of the characters that are read byte by byte."""
_MARKS = r"\`*_{}[]()#+-.!|<>$~:"


@cache
def _texts() -> dict[tuple[str, ...], str]:
    """Read every text by the folders and name it lies under, so that no name is ever a path."""
    files = (file for folder in _FOLDERS for file in (HERE / folder).rglob("*.*"))
    return {
        file.relative_to(HERE).with_suffix("").parts: file.read_text(encoding="utf-8").strip()
        for file in files
    }
