"""One token a UTF-8 byte: nothing to learn, nothing unknown, and long sequences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tiny_llama.files import digest, write_sealed
from tiny_llama.tokenizers.base import (
    TOKENIZER_FILE,
    Tokenizer,
    byte_label,
    checked_ids,
    well_formed,
)


class ByteTokenizer(Tokenizer):
    """The 256 bytes; an id is the byte's value."""

    name: ClassVar[str] = "bytes"
    vocab_size = 256

    @classmethod
    def train(cls, text: str, vocab_size: int | None = None) -> Self:
        """Make a tokenizer: there is nothing to learn."""
        return cls()

    @classmethod
    def load(cls, folder: Path, stored: dict[str, Any]) -> Self:
        """Make a tokenizer: there is nothing to read but the name."""
        return cls()

    def encode(self, text: str) -> np.ndarray:
        """Give one id a byte: int64, [size of `text` in UTF-8]."""
        return np.frombuffer(well_formed(text).encode(), dtype=np.uint8).astype(np.int64)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Read the bytes as UTF-8; what is not UTF-8 becomes U+FFFD."""
        return bytes(checked_ids(ids, self.vocab_size).tolist()).decode("utf-8", "replace")

    def token_text(self, id: int) -> str:  # noqa: A002
        """Give an ASCII character, or `<0xE2>` for a byte that is only a part of a character."""
        return byte_label(int(checked_ids([id], self.vocab_size)[0]))

    def byte_lengths(self) -> np.ndarray:
        """Count one byte for each id."""
        return np.ones(self.vocab_size, dtype=np.int64)

    def digest(self) -> str:
        """Compute the digest of the name: there is no more to it."""
        return digest(self.name.encode())

    def save(self, folder: Path) -> None:
        """Write tokenizer.json, which holds nothing but the name."""
        write_sealed(Path(folder) / TOKENIZER_FILE, {"tokenizer": self.name})
