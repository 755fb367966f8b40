"""What every tokenizer offers, and the few helpers that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

TOKENIZER_FILE = "tokenizer.json"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(ABC):
    """Text to ids and back; ids run from 0 to `vocab_size` - 1.

    A Python string can hold lone surrogates, which no UTF-8 text can: every tokenizer reads each of
    them as U+FFFD, and a pair of them as the character that the pair stands for.
    """

    name: ClassVar[str]
    vocab_size: int

    @classmethod
    @abstractmethod
    def train(cls, text: str, vocab_size: int | None = None) -> Self:
        """Learn from `text`; `vocab_size` only where the table gives a default for it."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, stored: dict[str, Any]) -> Self:
        """Read back what `save` wrote; `stored` is the content of the folder's tokenizer.json."""

    @abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Turn `text` into its ids: int64, one axis."""

    def encode_prompt(self, text: str) -> np.ndarray:
        """Turn a text that is to be gone on from into its ids: int64, one axis.

        Where a token begins with the space before it, a space at the end is left to what comes
        next: on its own it is a token that hardly ever stood there in training.
        """
        return self.encode(text)

    @abstractmethod
    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Turn `ids` into their text; bytes that are not UTF-8 read as U+FFFD.

        Raises IndexError for an id outside the vocabulary.
        """

    @abstractmethod
    def token_text(self, id: int) -> str:  # noqa: A002 (the word everyone uses)
        """Say what an id reads as, for a label: " the", a line break, "<0xE2>" for a lone byte."""

    @abstractmethod
    def byte_lengths(self) -> np.ndarray:
        """Count the UTF-8 bytes that each id stands for: int64, [vocab_size].

        Their sum over `encode(text)` is the size of `text` in UTF-8 wherever nothing was unknown,
        so that bits per byte compare between tokenizers. SentencePiece alone counts one byte more
        for a whole text: the space that it puts in front.
        """

    @abstractmethod
    def digest(self) -> str:
        """Compute what is the same for tokenizers that read every text alike; a run keeps to it.

        It is of the name and of what was learned.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the tokenizer into `folder`, which is made if it is not there."""


def well_formed(text: str) -> str:
    """Give `text` as UTF-8 can hold it: lone surrogates become U+FFFD, pairs one character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def checked_ids(ids: Sequence[int] | np.ndarray, vocab_size: int) -> np.ndarray:
    """Give `ids` as int64; raises IndexError for an id outside the vocabulary."""
    checked = np.asarray(ids, dtype=np.int64).reshape(-1)
    if checked.size and not 0 <= checked.min() <= checked.max() < vocab_size:
        raise IndexError(f"ids must lie between 0 and {vocab_size - 1}")
    return checked


def byte_label(byte: int) -> str:
    """Write an ASCII byte as its character, any other as `<0xE2>`: alone it is no character."""
    return chr(byte) if byte < 128 else f"<0x{byte:02X}>"


def code_points(text: str) -> np.ndarray:
    """Give the Unicode code point of each character of a well-formed text: uint32, one axis."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def count_characters(text: str) -> tuple[np.ndarray, np.ndarray]:
    """List the code points in `text`, most frequent first (then lowest), and how often each is."""
    counts = np.bincount(code_points(text))
    present = np.flatnonzero(counts)
    order = np.argsort(-counts[present], kind="stable")
    return present[order], counts[present][order]
