"""What a corpus is: a text to read, or a task that makes exercises without end."""

import random
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

HELD_OUT_ONE_IN = 10


class Corpus(ABC):
    """Something that a model can learn from; `CORPORA` lists them all."""

    name: str
    """How a config, a link and the command line call it."""
    title: str
    """How a page calls it."""
    description: str
    """One plain sentence."""
    source: str
    """Where it comes from and under which licence."""


class TextCorpus(Corpus):
    """A corpus that is one long text."""

    @abstractmethod
    def text(self, seed: int = 0) -> str:
        """Return the whole text; `seed` matters only where the text is made up on the spot.

        Raises `TextError` when the text cannot be had on this machine.
        """


@dataclass(frozen=True, kw_only=True)
class Example:
    """One exercise of a task."""

    prompt: str
    """What the model reads."""
    answer: str
    """What it must write; loss and accuracy count these characters only."""


class Task(Corpus):
    """A corpus of exercises whose answers are known, made one at a time."""

    alphabet: str
    """Every character that a row can hold, each once, in order."""

    @abstractmethod
    def example(self, rng: random.Random) -> Example:
        """Draw one exercise, from the training part or the held-out part."""

    def is_held_out(self, example: Example) -> bool:
        """Tell whether an exercise is kept for validation: about one prompt in ten, for any seed.

        The prompt alone decides, so no prompt is ever in both parts.
        """
        return zlib.crc32(example.prompt.encode()) % HELD_OUT_ONE_IN == 0

    def row(
        self, rng: random.Random, n_characters: int, held_out: bool = False
    ) -> tuple[str, list[bool]]:
        """Return exactly `n_characters` of exercises, one after another and cut at the end.

        The second value says of every character whether it belongs to an answer.
        """
        text = ""
        is_answer: list[bool] = []
        while len(text) < n_characters:
            example = self._example_of_part(rng, held_out)
            text += example.prompt + example.answer
            is_answer += [False] * len(example.prompt) + [True] * len(example.answer)
        return text[:n_characters], is_answer[:n_characters]

    def answers(self, text: str) -> list[bool]:
        """Say of every character of a text whether it belongs to an answer.

        An answer goes from behind "=" to the end of the line, unless a task writes it otherwise.
        """
        flags, inside = [], False
        for character in text:
            flags.append(inside)
            inside = character != "\n" and (inside or character == "=")
        return flags

    def _example_of_part(self, rng: random.Random, held_out: bool) -> Example:
        while True:
            example = self.example(rng)
            if self.is_held_out(example) == held_out:
                return example
