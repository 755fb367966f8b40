"""Tokenizers: one table, and the two ways to get one, by training and by loading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.files import read_sealed
from tiny_llama.tokenizers.base import TOKENIZER_FILE, Tokenizer
from tiny_llama.tokenizers.byte_level import ByteTokenizer
from tiny_llama.tokenizers.characters import CharacterTokenizer
from tiny_llama.tokenizers.sentence_piece import (
    DEFAULT_VOCAB_SIZE,
    LARGEST_VOCAB_SIZE,
    MODEL_FILE,
    SMALLEST_VOCAB_SIZE,
    SentencePieceTokenizer,
)

__all__ = [
    "TOKENIZERS",
    "Tokenizer",
    "TokenizerOption",
    "load_tokenizer",
    "train_tokenizer",
]


@dataclass(frozen=True, kw_only=True)
class TokenizerOption:
    """One way to cut text into tokens; the sizes are None where the text or nothing decides."""

    kind: type[Tokenizer]
    title: str
    description: str
    default_vocab_size: int | None = None
    vocab_size_bounds: tuple[int, int] | None = None


TOKENIZERS = {
    "characters": TokenizerOption(
        kind=CharacterTokenizer,
        title="Characters",
        description=(
            "One token for each distinct character of the training text (the 4,095 most frequent "
            "if there are more); any other character reads as unknown."
        ),
    ),
    "bytes": TokenizerOption(
        kind=ByteTokenizer,
        title="Bytes",
        description="One token for each of the 256 bytes of UTF-8: any text, and nothing unknown.",
    ),
    "sentencepiece": TokenizerOption(
        kind=SentencePieceTokenizer,
        title="SentencePiece",
        description=(
            "Pieces of words learned from the training text as LLaMA's were: byte-pair encoding, "
            "digits one by one, bytes for whatever has no piece."
        ),
        default_vocab_size=DEFAULT_VOCAB_SIZE,
        vocab_size_bounds=(SMALLEST_VOCAB_SIZE, LARGEST_VOCAB_SIZE),
    ),
}


_STORED = ("tokenizer", "characters", "model")
"""What a tokenizer.json of ours may say."""


def train_tokenizer(name: str, text: str, vocab_size: int | None = None) -> Tokenizer:
    """Train a tokenizer on `text`; `vocab_size` None takes the table's default.

    SentencePiece may end with fewer ids than asked for, when the text holds no more pairs.
    Raises ConfigError for a name or a size that cannot be had, TextError for an empty text.
    """
    if name not in TOKENIZERS:
        raise ConfigError(f"tokenizer={name!r} does not exist; choose {' or '.join(TOKENIZERS)}.")
    if vocab_size is not None and TOKENIZERS[name].vocab_size_bounds is None:
        raise ConfigError(
            f"vocab_size={vocab_size} cannot be chosen for the {name} tokenizer, whose size "
            "follows by itself; leave vocab_size out, or choose sentencepiece."
        )
    return TOKENIZERS[name].kind.train(text, vocab_size)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer that was saved in `folder`, or the one of a lone tokenizer.model.

    Raises CheckpointError in one sentence.
    """
    folder = Path(folder)
    path = folder / TOKENIZER_FILE
    if not path.exists() and (folder / MODEL_FILE).exists():
        return SentencePieceTokenizer.load(folder, {})
    stored = read_sealed(path, _STORED)
    name = stored.get("tokenizer")
    if not isinstance(name, str) or name not in TOKENIZERS:
        raise CheckpointError(
            f"{path} does not name one of our tokenizers ({', '.join(TOKENIZERS)}); "
            "choose a folder that this program saved."
        )
    return TOKENIZERS[name].kind.load(folder, stored)
