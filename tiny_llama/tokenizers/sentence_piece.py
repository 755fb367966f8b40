"""SentencePiece byte-pair encoding, set up as LLaMA's tokenizer was and learned from one text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import sentencepiece

from tiny_llama.errors import CheckpointError, ConfigError, TextError
from tiny_llama.files import damaged, digest, read_bytes, write_sealed, write_whole
from tiny_llama.tokenizers.base import (
    TOKENIZER_FILE,
    UNKNOWN,
    Tokenizer,
    byte_label,
    checked_ids,
    well_formed,
)
from tiny_llama.tokenizers.learning import learn
from tiny_llama.tokenizers.sentence_piece_model import (
    WITHOUT_DUMMY_PREFIX,
    Kind,
    Piece,
    read_model,
)
from tiny_llama.tokenizers.sentence_piece_text import n_spelled_in_bytes, training_lines

MODEL_FILE = "tokenizer.model"
MOST_MODEL_BYTES = 8_000_000  # LLaMA's has 500 kB

DEFAULT_VOCAB_SIZE = 512
SMALLEST_VOCAB_SIZE = 300  # 256 bytes, 3 special tokens, and room for something to learn
LARGEST_VOCAB_SIZE = 32_000  # LLaMA's own

SPACE = "▁"  # how a piece writes a space
BATCH = 100_000  # words or ids handled at a time, so that a long text needs little memory
PROBE = " A  probe:\t\0\r\n 0123 \u2581 e\u0301 \U0001f600 \u05d0 </s><0x0A> "

# Settings of LLaMA's own tokenizer; `hard_vocab_limit` is off, so that a text with few pairs ends
# in the largest vocabulary that it can fill. One thread, for the same model on every machine.
LLAMA: dict[str, Any] = {
    "model_type": "bpe",
    "byte_fallback": True,
    "split_digits": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": True,
    "allow_whitespace_only_pieces": True,
    "character_coverage": 1.0,  # training_lines leaves the rare characters out
    "hard_vocab_limit": False,
    "shuffle_input_sentence": False,
    "num_threads": 1,
    "minloglevel": 3,  # SentencePiece writes its log to stderr
}


class SentencePieceTokenizer(Tokenizer):
    """Pieces of words, learned by merging the most frequent pair again and again.

    As LLaMA's: digits stand alone, a piece never reaches over a space, a space is written "▁" and
    one more is put in front of the text, and a character without a piece of its own is spelled in
    UTF-8 bytes. Line breaks, tabs and other control characters are always spelled so, and so is the
    character "▁" itself, which LLaMA's tokenizer reads as a space: nothing is lost here.
    """

    name: ClassVar[str] = "sentencepiece"

    def __init__(self, content: bytes) -> None:
        """Open the content of a `.model` file; raises ValueError when it is not like LLaMA's."""
        model = read_model(content)
        self.content = content
        self.pieces = model.pieces
        self.vocab_size = len(model.pieces)
        self._processor = _open(content + WITHOUT_DUMMY_PREFIX)
        self.prefix = " " if model.dummy_prefix else ""
        self._bytes = [_bytes_of(piece) for piece in model.pieces]
        self._words = _word_pattern(model.pieces)
        self._space_ids = [self._processor.piece_to_id(f"<0x{b:02X}>") for b in SPACE.encode()]
        if self.decode(self.encode(PROBE)) != PROBE:
            raise ValueError("it does not give back the text that it was given")

    @classmethod
    def train(cls, text: str, vocab_size: int | None = None) -> Self:
        """Learn `vocab_size` pieces from `text`, or as many as it holds.

        Raises ConfigError for a size out of bounds, TextError for an empty text.
        """
        size = DEFAULT_VOCAB_SIZE if vocab_size is None else vocab_size
        if not (isinstance(size, int) and SMALLEST_VOCAB_SIZE <= size <= LARGEST_VOCAB_SIZE):
            raise ConfigError(
                f"vocab_size={size!r} must lie between {SMALLEST_VOCAB_SIZE} and "
                f"{LARGEST_VOCAB_SIZE:,} for the sentencepiece tokenizer."
            )
        if not text:
            raise TextError(
                "The text is empty, and SentencePiece needs something to learn from; "
                "give a longer text."
            )
        lines = training_lines(well_formed(text), _most_characters(size))
        return cls(learn(lines, LLAMA | {"vocab_size": size}))

    @classmethod
    def load(cls, folder: Path, stored: dict[str, Any]) -> Self:
        """Read the folder's tokenizer.model; raises CheckpointError in one sentence."""
        path = Path(folder) / MODEL_FILE
        content = read_bytes(path, MOST_MODEL_BYTES)
        if stored.get("model", digest(content)) != digest(content):
            raise damaged(MODEL_FILE)
        try:
            return cls(content)
        except ValueError as error:
            raise CheckpointError(
                f"{path} is not a SentencePiece model like LLaMA's: {error}; "
                "use another copy of the folder."
            ) from error

    def encode(self, text: str) -> np.ndarray:
        """Give the ids of the pieces of " " + `text`: int64, one axis; none for an empty text."""
        if not text:
            return np.zeros(0, dtype=np.int64)
        words = (match[0] for match in self._words.finditer(self.prefix + well_formed(text)))
        batches = []
        while batch := list(islice(words, BATCH)):
            batches.append(self._encode_words(batch))
        return np.concatenate(batches)

    def encode_prompt(self, text: str) -> np.ndarray:
        """Leave the spaces at the end to the next piece, unless there is nothing else."""
        return self.encode(text.rstrip(" ") or text)

    def _encode_words(self, words: list[str]) -> np.ndarray:
        """Give the ids of `words` in turn; SentencePiece reads each distinct word once."""
        distinct = list(set(words) - {SPACE})
        ids = dict(zip(distinct, self._processor.encode(distinct, num_threads=1), strict=True))
        ids[SPACE] = self._space_ids
        return np.fromiter(chain.from_iterable(map(ids.__getitem__, words)), dtype=np.int64)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Give the text, without the one space that `encode` put in front.

        To read what follows a prompt, decode both together and cut the prompt off: on its own, a
        continuation that begins with a space loses it.
        """
        checked = checked_ids(ids, self.vocab_size)
        batches = (checked[at : at + BATCH].tolist() for at in range(0, len(checked), BATCH))
        parts = (b"".join(map(self._bytes.__getitem__, batch)) for batch in batches)
        return b"".join(parts).decode("utf-8", "replace").removeprefix(self.prefix)

    def token_text(self, id: int) -> str:  # noqa: A002
        """Say what the piece reads as; `<unk>`, `<s>` and `</s>` by their names."""
        piece = self.pieces[int(checked_ids([id], self.vocab_size)[0])]
        if piece.kind is Kind.BYTE:
            return byte_label(_byte_of(piece))
        return piece.text.replace(SPACE, " ") if piece.kind is Kind.NORMAL else piece.text

    def byte_lengths(self) -> np.ndarray:
        """Count the bytes of each piece; 0 for `<s>` and `</s>`, which stand for no text."""
        return np.array([len(part) for part in self._bytes], dtype=np.int64)

    def digest(self) -> str:
        """Compute the digest of the name and of the content of tokenizer.model."""
        return digest(self.name.encode(), self.content)

    def save(self, folder: Path) -> None:
        """Write tokenizer.model, and a tokenizer.json that says so and has its digest."""
        write_whole(Path(folder) / MODEL_FILE, self.content)
        content = {"tokenizer": self.name, "model": digest(self.content)}
        write_sealed(Path(folder) / TOKENIZER_FILE, content)


def share_in_bytes(text: str, vocab_size: int | None = None) -> float:
    """Compute which share of a text's characters a tokenizer that learns from it spells in bytes.

    Those are the ones without a piece of their own; control characters, as a line break, are in no
    tokenizer like LLaMA's, and do not count here. Nothing is learned for this.
    """
    size = DEFAULT_VOCAB_SIZE if vocab_size is None else vocab_size
    return n_spelled_in_bytes(well_formed(text), _most_characters(size)) / max(1, len(text))


def _most_characters(vocab_size: int) -> int:
    """Say how many characters get a piece: half of what bytes and special tokens leave free."""
    return (vocab_size - 256 - 3) // 2


def _open(content: bytes) -> sentencepiece.SentencePieceProcessor:
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=content)
    except (RuntimeError, IndexError) as error:
        raise ValueError("SentencePiece refuses it") from error


def _word_pattern(pieces: Sequence[Piece]) -> re.Pattern[str]:
    """Say where a text may be cut so that its parts can be encoded one by one.

    Encoding only ever joins neighbours into pieces, so a cut that no piece reaches over changes
    nothing. "▁" is cut out in any case, to be spelled in bytes.
    """
    normal = [piece.text for piece in pieces if piece.kind is Kind.NORMAL]
    if any("\n" in text or SPACE in text.lstrip(SPACE) for text in normal):
        return re.compile(f"{SPACE}|[^{SPACE}]+")
    return re.compile(f"{SPACE}|\n| *[^ \n{SPACE}]+| +")


def _bytes_of(piece: Piece) -> bytes:
    """Give the bytes that a piece writes."""
    if piece.kind is Kind.BYTE:
        return bytes([_byte_of(piece)])
    return {
        Kind.NORMAL: piece.text.replace(SPACE, " "),
        Kind.UNKNOWN: UNKNOWN,
        Kind.CONTROL: "",
    }[piece.kind].encode()


def _byte_of(piece: Piece) -> int:
    """Give the value of a piece such as `<0x0A>`."""
    return int(piece.text[3:5], 16)
