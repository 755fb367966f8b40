"""No sentence of the app is longer than one breath: texts, facts, and words in the code."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from explorer import content

MOST_WORDS = 35
TEXTS = sorted(content.HERE.rglob("*.md"))
TABLES = sorted(content.HERE.rglob("*.json"))
PROGRAMS = sorted(
    path for room in ("explorer", "tiny_llama") for path in (ROOT / room).rglob("*.py")
)
CITATIONS = {"meta", "source", "url", "title", "authors", "key_equation_latex"}
"""Keys of the tables of facts that are shown as they are cited, or never."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


# What is a sentence, and how long it is.


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text in Markdown; formulas and pieces of code are a word each.

    Cells of tables, items of lists, of lines with points between and of the letters under a formula
    are sentences of their own; citations are none.
    """
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "\n\n", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]+\$|`[^`\n]+`", "X", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for block in re.split(r"\n\s*\n|  \n|\n(?=[-*|#>]|\d+\. )| [|·] ", text):
        if not re.match(r"\s*(Paper|Used by): ", block):
            parts = re.split(r";\s+(?=X)", block) if block.startswith("X") else [block]
            for part in parts:
                yield from re.split(r"(?<=[.!?])[”\")*]*\s+(?=\*\*|[^a-z\s])", part.strip())


def length(sentence: str) -> int:
    return sum(any(mark.isalnum() for mark in word) for word in sentence.split())


def too_long(texts: Iterable[str]) -> list[str]:
    return [
        f"{length(sentence)} words: {' '.join(sentence.split())}"
        for text in texts
        for sentence in sentences(text)
        if length(sentence) > MOST_WORDS
    ]


def long(n: int) -> str:
    return " ".join(["word"] * n) + "."


@pytest.mark.parametrize(
    "text",
    [
        f"Short. L{long(36)}",
        f"- {long(35)}\n- {long(36)}",
        f"Of $x y z$ it is {long(33)}",
        f"$x$: {long(36)}",
        f"Read [this](that): {long(34)}",
        long(20).replace(".", ";") + " " + long(16),
    ],
)
def test_a_long_sentence_is_found(text):
    assert len(too_long([text])) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"L{long(35)} L{long(35)}",
        f"- {long(35)}\n- {long(35)}",
        f"| {long(30)} | {long(30)} |",
        f"$x$: {long(30)[:-1]}; $y$: {long(30)}",
        f"$$\n{long(50)}\n$$\n\n{long(30)}",
        f"Paper: {long(40)}",
    ],
)
def test_a_short_one_is_not(text):
    assert not too_long([text])


# Where sentences stand.


def check(paths: Iterable[Path], texts_of: Callable[[Path], Iterable[str]]) -> None:
    found = {name_of(path): too_long(texts_of(path)) for path in paths}
    assert {path: sentences for path, sentences in found.items() if sentences} == {}


def test_no_sentence_of_a_text_is_too_long():
    check(TEXTS, lambda path: [path.read_text(encoding="utf-8").replace("\n---\n", "\n\n")])


def strings(table: Any, key: str = "") -> Iterator[str]:
    """Yield what a table of facts says in words."""
    if key in CITATIONS:
        return
    if isinstance(table, str):
        yield table
    elif isinstance(table, dict):
        for name, value in table.items():
            yield from strings(value, name)
    elif isinstance(table, list):
        for value in table:
            yield from strings(value, key)


def test_no_sentence_of_a_table_of_facts_is_too_long():
    check(TABLES, lambda path: strings(json.loads(path.read_text(encoding="utf-8"))))


def said(path: Path) -> Iterator[str]:
    """Yield the strings of a program, with a word for each value in them; docstrings are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            apart |= {id(each) for each in ast.walk(node)} - {id(node)}
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "X" for each in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value if id(node) not in apart else ""


def test_no_sentence_in_the_code_is_too_long():
    check(PROGRAMS, said)
