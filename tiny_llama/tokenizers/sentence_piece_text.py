"""A text as SentencePiece wants it for training: short lines of characters worth a piece."""

from __future__ import annotations

import re
from unicodedata import category

import numpy as np

from tiny_llama.tokenizers.base import count_characters

COVERAGE = 0.99995  # LLaMA's: the rarest characters, one in 20,000 together, are left to bytes
MOST_CHARACTERS = 5_000_000  # of a longer text every second, third, ... line is read
MOST_IN_A_LINE = 1_000  # SentencePiece skips lines of more than 4,192 bytes

# Inside SentencePiece "▁" is a space, and lines with "▅", its mark for the unknown, are skipped.
RESERVED = "▁▅"

# Cut a long line before a space where there is one; that space is the one which SentencePiece puts
# in front of every line.
LINE = re.compile(rf" ?([^\n]{{1,{MOST_IN_A_LINE - 1}}}(?= |\n|\Z)|[^\n]{{1,{MOST_IN_A_LINE}}})")


def training_lines(text: str, n_characters: int) -> list[str]:
    """Cut `text` into lines wherever none of its `n_characters` best characters stands.

    Characters that get no piece of their own (the rare, the control characters, the reserved) end a
    line, so that nothing is learned across them. There is always at least one line.
    """
    kept = "".join(map(re.escape, worthy_characters(text)[:n_characters]))
    lines = LINE.findall(re.sub(f"[^ {kept}]+", "\n", text))
    step = 1 + sum(map(len, lines)) // (MOST_CHARACTERS + 1)
    return lines[::step] or [" "]


def n_spelled_in_bytes(text: str, n_characters: int) -> int:
    """Count the characters of `text` that get no piece of their own, control characters aside.

    Args:
        text: what is learned from, and then read.
        n_characters: as many get a piece at the most, the space among no others.
    """
    codes, counts = count_characters(text)
    known = {" ", *worthy_characters(text)[:n_characters]}
    found = zip(map(chr, codes.tolist()), counts.tolist(), strict=True)
    return sum(count for each, count in found if each not in known and category(each) != "Cc")


def worthy_characters(text: str) -> list[str]:
    """List the most frequent characters that make up 99.995% of `text`, most frequent first."""
    codes, counts = count_characters(text)
    n_needed = 1 + int(np.searchsorted(np.cumsum(counts), COVERAGE * counts.sum()))
    characters = map(chr, codes[:n_needed].tolist())
    return [c for c in characters if c != " " and c not in RESERVED and category(c) != "Cc"]
