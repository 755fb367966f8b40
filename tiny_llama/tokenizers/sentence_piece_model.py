"""What is inside a SentencePiece `.model`: read, and checked before SentencePiece itself opens it.

The file is one protocol buffer message, `ModelProto` of sentencepiece_model.proto. It is small
enough to be read here by hand, which needs no protobuf package and keeps hostile files (such as a
broken table of normalisation rules) away from C++ code.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PIECE, TRAINER, NORMALIZER, DENORMALIZER = 1, 2, 3, 5  # fields of ModelProto
TEXT, SCORE, KIND = 1, 2, 3  # fields of a piece
MODEL_TYPE, WHITESPACE_AS_SUFFIX, BYTE_FALLBACK = 3, 24, 35  # fields of the trainer's settings
RULES, DUMMY_PREFIX, REMOVE_SPACES, ESCAPE_SPACES = 2, 3, 4, 5  # fields of the normaliser's
BYTE_PAIR_ENCODING = 2  # a value of MODEL_TYPE
MOST_PIECES = 300_000  # the largest vocabularies of this kind have 256,000

DAMAGED = "one of its pieces is damaged or of a kind that LLaMA's does not have"

Field = tuple[int, Any]  # its number; its value, an int or bytes

# A later field of a message overrides an earlier one, so these bytes after a model switch its
# dummy prefix off: field 3 (the normaliser), 2 bytes long, in it field 3 (the prefix) = 0.
WITHOUT_DUMMY_PREFIX = bytes([NORMALIZER << 3 | 2, 2, DUMMY_PREFIX << 3, 0])


class Kind(IntEnum):
    """The kinds of piece that a LLaMA tokenizer has."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; its place in the list is its id."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True)
class SentencePieceModel:
    """The parts of a `.model` that decide how text is read."""

    pieces: tuple[Piece, ...]
    dummy_prefix: bool


def read_model(content: bytes) -> SentencePieceModel:
    """Read `content` if it is a lossless byte-pair model, as LLaMA's is.

    Raises ValueError with a clause that says what it is or has instead.
    """
    pieces: list[Piece] = []
    trainer: list[Field] = []
    normalizer: list[Field] = []
    for field, value in _fields(content):
        if field == PIECE:
            pieces.append(_piece(value))
        elif field == TRAINER:
            trainer += _fields(value)
        elif field == NORMALIZER:
            normalizer += _fields(value)
        elif field == DENORMALIZER:
            normalizer += [setting for setting in _fields(value) if setting[0] == RULES]
        if len(pieces) > MOST_PIECES:
            raise ValueError(f"it has more than {MOST_PIECES:,} pieces")
    for problem in _problems(pieces, dict(trainer), normalizer):
        raise ValueError(problem)
    return SentencePieceModel(tuple(pieces), bool(dict(normalizer).get(DUMMY_PREFIX, 1)))


def _problems(
    pieces: list[Piece], trainer: dict[int, Any], normalizer: list[Field]
) -> Iterator[str]:
    if len({piece.text for piece in pieces}) < len(pieces):
        yield "it has the same piece twice"
    if trainer.get(MODEL_TYPE) != BYTE_PAIR_ENCODING:
        yield "it is not a byte-pair model"
    bytes_there = {piece.text for piece in pieces if piece.kind is Kind.BYTE}
    if not trainer.get(BYTE_FALLBACK) or bytes_there != {f"<0x{byte:02X}>" for byte in range(256)}:
        yield "it has no byte fallback"
    if any(field == RULES and value for field, value in normalizer):
        yield "it rewrites characters before it reads them"
    settings = dict(normalizer)
    if settings.get(REMOVE_SPACES, 1) or not settings.get(ESCAPE_SPACES, 1):
        yield "it does not keep every space"
    if trainer.get(WHITESPACE_AS_SUFFIX):
        yield "it puts spaces at the end of its pieces"


def _piece(message: Any) -> Piece:
    fields = dict(_fields(message))
    try:
        (score,) = struct.unpack("<f", fields.get(SCORE, bytes(4)))
        piece = Piece(fields[TEXT].decode(), score, Kind(fields.get(KIND, Kind.NORMAL)))
    except (KeyError, AttributeError, TypeError, ValueError, struct.error) as error:
        raise ValueError(DAMAGED) from error
    n_least = 1 if piece.kind is Kind.NORMAL else 2  # one character of a text must not read as <s>
    if len(piece.text) < n_least or "\0" in piece.text or not math.isfinite(piece.score):
        raise ValueError(DAMAGED)
    return piece


def _fields(message: Any) -> Iterator[Field]:
    """The fields of a protocol buffer message."""
    if not isinstance(message, bytes):
        raise ValueError("it is damaged")
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire_type = tag & 7
        if wire_type == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if wire_type == 2:
            size, at = _varint(message, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError("it is damaged")
        if at + size > len(message):
            raise ValueError("it is cut short")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that starts at `at`, 7 bits a byte, lowest first; and where it ends."""
    number = 0
    for n_read, byte in enumerate(message[at : at + 10]):
        number |= (byte & 127) << 7 * n_read
        if byte < 128:
            return number, at + n_read + 1
    raise ValueError("it is cut short")
