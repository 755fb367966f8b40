"""No sentence of the app is longer than one breath: texts, facts, and words in the code."""

import re
from collections.abc import Iterable, Iterator

import pytest

MOST_WORDS = 35


# What is a sentence, and how long it is.


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text in Markdown; formulas and pieces of code are a word each.

    Cells of tables, items of lists and of the letters under a formula are sentences of their own;
    citations are none.
    """
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "\n\n", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]+\$|`[^`\n]+`", "X", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for block in re.split(r"\n\s*\n|  \n|\n(?=[-*|#>]|\d+\. )| \| ", text):
        if not re.match(r"\s*(Paper|Used by): ", block):
            parts = re.split(r";\s+(?=X)", block) if block.startswith("X") else [block]
            for part in parts:
                yield from re.split(
                    r"(?<=[.!?])[”\")*]*\s+(?=\*\*|[“\"(*:]*[A-Z0-9])", part.strip()
                )


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
