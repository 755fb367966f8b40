"""One token a character: the easiest to read, and the vocabulary depends on the text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tiny_llama.errors import CheckpointError, TextError
from tiny_llama.files import digest, write_sealed
from tiny_llama.tokenizers.base import (
    TOKENIZER_FILE,
    UNKNOWN,
    Tokenizer,
    checked_ids,
    code_points,
    count_characters,
    well_formed,
)

MOST_CHARACTERS = 4095  # an embedding row each; enough for the common characters of any language
N_CODE_POINTS = 0x110000


class CharacterTokenizer(Tokenizer):
    """The sorted distinct characters of the training text, after id 0, which is the unknown token.

    A character that is not in the vocabulary becomes the unknown token, shown as U+FFFD; so does
    U+FFFD itself. Of a text with more than 4,095 distinct characters the most frequent are kept
    (of equally frequent ones, those of the lower code point): a vocabulary has at most 4,096 ids.
    """

    name: ClassVar[str] = "characters"

    def __init__(self, characters: str) -> None:
        self.characters = UNKNOWN + characters
        self.vocab_size = len(self.characters)
        self._codes = code_points(self.characters)
        self._ids = np.zeros(N_CODE_POINTS, dtype=np.uint16)  # code point to id; 0 = unknown
        self._ids[self._codes] = np.arange(self.vocab_size)

    @classmethod
    def train(cls, text: str, vocab_size: int | None = None) -> Self:
        """Collect the characters of `text`; raises TextError when there are none."""
        if not text:
            raise TextError(
                "The text is empty, and a vocabulary of characters needs at least one character; "
                "give a longer text."
            )
        return cls(_most_frequent(well_formed(text)))

    @classmethod
    def load(cls, folder: Path, stored: dict[str, Any]) -> Self:
        """Read back what `save` wrote; raises CheckpointError in one sentence."""
        characters = stored.get("characters")
        if problem := problem_with(characters):
            raise CheckpointError(
                f"{folder / TOKENIZER_FILE} is damaged: its characters {problem}; "
                "use another copy of the folder."
            )
        return cls(str(characters))

    def encode(self, text: str) -> np.ndarray:
        """Give one id a character: int64, [len(text)] (fewer if it holds surrogate pairs)."""
        ids: np.ndarray = self._ids[code_points(well_formed(text))]
        return ids.astype(np.int64)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give one character an id, U+FFFD for the unknown."""
        codes: np.ndarray = self._codes[checked_ids(ids, self.vocab_size)]
        return codes.astype("<u4").tobytes().decode("utf-32-le")

    def token_text(self, id: int) -> str:  # noqa: A002
        """Give the character itself."""
        return self.decode([id])

    def byte_lengths(self) -> np.ndarray:
        """Count 1 to 4 bytes a character; 3 for the unknown, as for the U+FFFD that it shows as."""
        return np.array([len(character.encode()) for character in self.characters], dtype=np.int64)

    def digest(self) -> str:
        """Compute the digest of the name and of the characters in the order of their ids."""
        return digest(self.name.encode(), self.characters.encode())

    def save(self, folder: Path) -> None:
        """Write tokenizer.json: the characters in the order of their ids, without the unknown."""
        content = {"tokenizer": self.name, "characters": self.characters[1:]}
        write_sealed(Path(folder) / TOKENIZER_FILE, content)


def problem_with(characters: object) -> str | None:
    """Say why `characters` cannot be a stored vocabulary, or None when they can."""
    if not isinstance(characters, str):
        return "are missing or are not a string"
    if len(characters) > MOST_CHARACTERS:
        return f"are {len(characters):,}, more than the {MOST_CHARACTERS:,} that are allowed"
    if characters != "".join(sorted(set(characters))):
        return "are not sorted and distinct"
    if characters != well_formed(characters) or UNKNOWN in characters:
        return "hold one that a vocabulary cannot have"
    return None


def _most_frequent(text: str) -> str:
    codes, _ = count_characters(text)
    known = codes[codes != ord(UNKNOWN)]
    return "".join(map(chr, sorted(known[:MOST_CHARACTERS].tolist())))
