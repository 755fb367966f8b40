"""Tasks that make one mechanism visible: exercises without end, whose answers are known."""

from collections.abc import Iterable
from itertools import accumulate
from random import Random
from string import ascii_lowercase, digits

from tiny_llama.corpora.base import Example, Task

_SOURCE = "Made up on the spot by this project; no licence needed."
_LETTERS = ascii_lowercase[:16]
MODULUS = 59
"""A prime: then every non-zero difference of two answers generates all of them."""


def alphabet_of(characters: Iterable[str]) -> str:
    """Give every character once, in order."""
    return "".join(sorted(set(characters)))


class Copy(Task):
    """Say the same word again: a head must find the letter that followed last time."""

    name = "copy"
    title = "Copy"
    description = "Write the same letters again: “dbca=dbca”."
    source = _SOURCE
    alphabet = alphabet_of(_LETTERS + "=\n")

    def example(self, rng: Random) -> Example:
        """Draw a word of 4 to 10 letters."""
        word = _word(rng, 4, 10)
        return Example(prompt=f"{word}=", answer=f"{word}\n")


class Reverse(Task):
    """Say a word backwards: positions count, not only what followed what."""

    name = "reverse"
    title = "Reverse"
    description = "Write the letters backwards: “dbca=acbd”."
    source = _SOURCE
    alphabet = alphabet_of(_LETTERS + "=\n")

    def example(self, rng: Random) -> Example:
        """Draw a word of 4 to 10 letters."""
        word = _word(rng, 4, 10)
        return Example(prompt=f"{word}=", answer=f"{word[::-1]}\n")


class Repeat(Task):
    """A random row of letters, then the same row again: only induction can predict it.

    An induction head looks for the last time that the present letter stood there and reads what
    came next (Olsson et al. 2022, arXiv:2209.11895).
    """

    name = "repeat"
    title = "Repeat"
    description = "Random letters, then the same again: the test of an induction head."
    source = _SOURCE
    alphabet = alphabet_of(ascii_lowercase + "\n")

    def example(self, rng: Random) -> Example:
        """Draw 8 to 24 letters, to be repeated once.

        The line end between says that the repeat begins, so that every letter of it can be known.
        """
        letters = "".join(rng.choices(ascii_lowercase, k=rng.randint(8, 24)))
        return Example(prompt=f"\n{letters}\n", answer=letters)

    def answers(self, text: str) -> list[bool]:
        """Mark every second line as an answer, without its end."""
        lines_before = accumulate(character == "\n" for character in text)
        return [
            character != "\n" and before > 0 and before % 2 == 0
            for character, before in zip(text, lines_before, strict=True)
        ]


class Sort(Task):
    """Put letters in order: count, then write."""

    name = "sort"
    title = "Sort"
    description = "Write the letters in the order of the alphabet: “dbca=abcd”."
    source = _SOURCE
    alphabet = alphabet_of(_LETTERS + "=\n")

    def example(self, rng: Random) -> Example:
        """Draw a word of 4 to 10 letters."""
        word = _word(rng, 4, 10)
        return Example(prompt=f"{word}=", answer="".join(sorted(word)) + "\n")


class Addition(Task):
    """Add two numbers of two digits; the carries are the hard part."""

    name = "addition"
    title = "Addition"
    description = "Add two numbers below 100: “07+58=065”."
    source = _SOURCE
    alphabet = alphabet_of(digits + "+=\n")

    def example(self, rng: Random) -> Example:
        """Draw two numbers, 10,000 exercises in all; each digit has its place, to learn in time."""
        one, other = rng.randrange(100), rng.randrange(100)
        return Example(prompt=f"{one:02}+{other:02}=", answer=f"{one + other:03}\n")


class ModularAddition(Task):
    """Add on a clock: the task on which models were first seen to grok (arXiv:2201.02177)."""

    name = "modular-addition"
    title = "Modular addition"
    description = f"Add two numbers on a clock of {MODULUS} hours: “41+30=12”."
    source = _SOURCE
    alphabet = alphabet_of(digits + "+=\n")

    def example(self, rng: Random) -> Example:
        """Draw two numbers below the modulus: 3,481 exercises in all."""
        one, other = rng.randrange(MODULUS), rng.randrange(MODULUS)
        return Example(prompt=f"{one}+{other}=", answer=f"{(one + other) % MODULUS}\n")


class Dyck(Task):
    """Close open brackets in the right order: a stack, learned."""

    name = "dyck"
    title = "Brackets"
    description = "Close every open bracket in the right order: “([{}=])”."
    source = _SOURCE
    alphabet = alphabet_of("()[]{}=\n")

    def example(self, rng: Random) -> Example:
        """Draw up to 16 brackets that may leave some open; the answer closes them."""
        prompt, still_open = "", ""
        for _ in range(rng.randint(4, 16)):
            if still_open and rng.random() < 0.45:
                prompt, still_open = prompt + still_open[-1], still_open[:-1]
            else:
                opening, closing = rng.choice(("()", "[]", "{}"))
                prompt, still_open = prompt + opening, still_open + closing
        return Example(prompt=f"{prompt}=", answer=f"{still_open[::-1]}\n")


def _word(rng: Random, shortest: int, longest: int) -> str:
    return "".join(rng.choices(_LETTERS, k=rng.randint(shortest, longest)))


TASKS = (Copy(), Reverse(), Repeat(), Sort(), Addition(), ModularAddition(), Dyck())
