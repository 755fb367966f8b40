"""Writing the script: texts one after another, lines left out, words filled in."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template

from tiny_llama.menu import ATTENTION, FEED_FORWARD
from tiny_llama.script.block import block_statements
from tiny_llama.script.header import header
from tiny_llama.script.needs import active_norms, marks
from tiny_llama.script.numbers import constants
from tiny_llama.script.pieces import PIECES, cited, piece_of
from tiny_llama.setup import Setup

TEXTS = Path(__file__).parent / "texts"
SLOTS = ("norm", "position", "attention", "feed_forward")
"""Whose options are classes or functions of a script."""


def write_script(setup: Setup) -> str:
    """Write a setup as one readable Python file that needs nothing but PyTorch.

    It has the model, training and sampling, and of all that only what this setup uses. The model
    computes what `TinyLlama` does, from parameters of the same names and, given a vocabulary of the
    same size, of the same shapes and first values.

    Raises:
        ConfigError: if nobody has written what one of the options puts into a script.
    """
    stay = marks(setup)
    code = fill(_layout(setup, stay), stay, _words(setup, stay))
    if "math." not in code:
        code = code.replace("import math\n", "")
    numbers = "\n".join(constants(setup, code))
    code = Template(code).substitute(header=header(setup), numbers=numbers)
    return re.sub(r"\n{4,}", "\n\n\n", code)  # where a slot is empty


def fill(text: str, stay: Mapping[str, bool], words: Mapping[str, str]) -> str:
    """Leave out the lines whose marks do not hold, then put in the words that are known.

    A line that ends in `#? a !b` stays only if mark `a` holds and mark `b` does not.

    Raises:
        KeyError: for a mark that is not known.
    """
    halves = (line.partition("  #? ") for line in text.splitlines())
    lines = [line for line, _, names in halves if all(_holds(name, stay) for name in names.split())]
    return Template("\n".join(lines) + "\n").safe_substitute(words)


def _holds(name: str, stay: Mapping[str, bool]) -> bool:
    return not stay[name[1:]] if name.startswith("!") else stay[name]


def _layout(setup: Setup, stay: Mapping[str, bool]) -> str:
    """Give the whole text with the pieces of the setup's options in their slots."""
    pieces = {slot: piece_of(slot, getattr(setup.model, slot)) for slot in SLOTS}
    texts = {
        slot: "\n\n\n".join(map(_text, piece.texts)) if _holds(piece.when, stay) else ""
        for slot, piece in pieces.items()
    }
    return Template(_text("whole")).safe_substitute(texts)


@cache
def _text(name: str) -> str:
    return TEXTS.joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def _words(setup: Setup, stay: Mapping[str, bool]) -> dict[str, str]:
    """Say what stands for `$name` in the texts, but for header and numbers."""
    model = setup.model
    statements = block_statements(model, active_norms(model))
    words = {
        "last": "self.norm(x)" if stay["last_norm"] else "x",
        "block_forward": "\n        ".join(statements),
        "attention_title": cited(ATTENTION[model.attention]),
        "feed_forward_title": cited(FEED_FORWARD[model.feed_forward]),
        "qkv_bias": str(model.has_bias("qkv")),
        "output_bias": str(model.has_bias("output")),
        "feed_forward_bias": str(model.has_bias("feed_forward")),
        "unembedding_bias": str(model.unembedding_bias),
    }
    for slot in PIECES:
        words |= piece_of(slot, setup.setting(slot)).words
    return words
