"""Tokenizers as Hugging Face folders, written and read as plain JSON, without its libraries.

`AutoTokenizer` opens what is written here and gives the same ids, whichever model the folder's
config.json names. Two differences remain, both in what no ordinary text holds: it reads the
character "▁" as a space (as LLaMA's own tokenizer does), and it may show other marks than ours for
bytes that are not UTF-8. It adds no token at the start or end of a text, and reads `<s>` in a text
as three characters, as ours does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiny_llama.errors import CheckpointError
from tiny_llama.files import read_json, write_json
from tiny_llama.tokenizers.base import TOKENIZER_FILE, UNKNOWN, Tokenizer
from tiny_llama.tokenizers.byte_level import ByteTokenizer
from tiny_llama.tokenizers.characters import CharacterTokenizer, problem_with
from tiny_llama.tokenizers.sentence_piece import MODEL_FILE, SPACE, SentencePieceTokenizer
from tiny_llama.tokenizers.sentence_piece_model import Kind, Piece

CONFIG_FILE = "tokenizer_config.json"

# This class takes tokenizer.json as it stands; LlamaTokenizer and GPT2Tokenizer put their own rules
# in the place of some of it (LlamaTokenizer drops a space at the start of a text).
CONFIG = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}

Document = dict[str, Any]


def write_tokenizer_json(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and, for SentencePiece, tokenizer.model."""
    config: Document = dict(CONFIG)
    write_json(Path(folder) / TOKENIZER_FILE, document_of(tokenizer))
    if isinstance(tokenizer, SentencePieceTokenizer):
        config |= _special_names(tokenizer)
        (Path(folder) / MODEL_FILE).write_bytes(tokenizer.content)
    write_json(Path(folder) / CONFIG_FILE, config)


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a Hugging Face folder that holds a tokenizer.model, or that we wrote.

    Raises CheckpointError in one sentence for any other.
    """
    folder = Path(folder)
    if (folder / MODEL_FILE).exists():
        return SentencePieceTokenizer.load(folder, {})
    path = folder / TOKENIZER_FILE
    document = read_json(path)
    tokenizer = _tokenizer_of(document)
    if tokenizer is None or _what_counts(document_of(tokenizer)) != _what_counts(document):
        raise CheckpointError(
            f"{path} is not a tokenizer of characters or bytes that this program wrote, and there "
            f"is no {MODEL_FILE} beside it; choose a folder that has one of them."
        )
    return tokenizer


def document_of(tokenizer: Tokenizer) -> Document:
    """Give the content of tokenizer.json, in the format of Hugging Face's `tokenizers`."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
    } | DOCUMENTS[type(tokenizer)](tokenizer)


def _characters(tokenizer: CharacterTokenizer) -> Document:
    vocab = {character: id_ for id_, character in enumerate(tokenizer.characters)}
    return {"decoder": {"type": "Fuse"}, "model": _pairs(vocab, unk_token=UNKNOWN)}


def _bytes(tokenizer: ByteTokenizer) -> Document:
    settings = {"add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    byte_level = {"type": "ByteLevel"} | settings
    vocab = {character: byte for byte, character in enumerate(byte_characters())}
    return {"pre_tokenizer": byte_level, "decoder": byte_level, "model": _pairs(vocab)}


def _sentence_piece(tokenizer: SentencePieceTokenizer) -> Document:
    vocab = {piece.text: id_ for id_, piece in enumerate(tokenizer.pieces)}
    escape = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    unescape = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    n_prefix = len(tokenizer.prefix)
    prepend = [{"type": "Prepend", "prepend": SPACE}] * n_prefix
    strip = [{"type": "Strip", "content": " ", "start": n_prefix, "stop": 0}] * n_prefix
    decoders = [unescape, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]
    return {
        "added_tokens": [_special(id_, piece) for id_, piece in _special_pieces(tokenizer)],
        "normalizer": {"type": "Sequence", "normalizers": [*prepend, escape]},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": _pairs(
            vocab,
            merges=merges(tokenizer.pieces),
            unk_token=next(piece.text for piece in tokenizer.pieces if piece.kind is Kind.UNKNOWN),
            fuse_unk=True,
            byte_fallback=True,
        ),
    }


DOCUMENTS: dict[type[Tokenizer], Callable[[Any], Document]] = {
    CharacterTokenizer: _characters,
    ByteTokenizer: _bytes,
    SentencePieceTokenizer: _sentence_piece,
}


def _pairs(vocab: Mapping[str, int], merges: Sequence[list[str]] = (), **settings: Any) -> Document:
    """Describe a byte-pair model; without merges, it has one token a character."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        **settings,
        "vocab": dict(vocab),
        "merges": list(merges),
    }


def merges(pieces: Sequence[Piece]) -> list[list[str]]:
    """Say which two pieces join into a third, in the order in which they are tried.

    A `.model` only scores its pieces: every way to cut a piece into two others is a merge, tried in
    the order of the scores, as Hugging Face converts LLaMA's.
    """
    ids = {piece.text: id_ for id_, piece in enumerate(pieces) if piece.kind is Kind.NORMAL}
    found = []
    for piece in pieces:
        cuts = ((piece.text[:at], piece.text[at:]) for at in range(1, len(piece.text)))
        if piece.kind is Kind.NORMAL:
            found += [(-piece.score, ids[a], ids[b]) for a, b in cuts if a in ids and b in ids]
    return [[pieces[a].text, pieces[b].text] for _, a, b in sorted(found)]


def byte_characters() -> str:
    """List the 256 characters that stand for bytes in GPT-2's files: printable, none a space."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(256))


def _special_pieces(tokenizer: SentencePieceTokenizer) -> list[tuple[int, Piece]]:
    special = (Kind.UNKNOWN, Kind.CONTROL)
    return [(id_, piece) for id_, piece in enumerate(tokenizer.pieces) if piece.kind in special]


def _special_names(tokenizer: SentencePieceTokenizer) -> dict[str, str | bool]:
    """Give what tokenizer_config.json says of `<s>` and its like."""
    names = {piece.text for _, piece in _special_pieces(tokenizer)}
    usual = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    there = {role: name for role, name in usual.items() if name in names}
    return {**there, "split_special_tokens": True}  # `<s>` in a text is text


def _special(id_: int, piece: Piece) -> Document:
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    return {"id": id_, "content": piece.text, **dict.fromkeys(flags, False), "special": True}


def _tokenizer_of(document: Document) -> CharacterTokenizer | ByteTokenizer | None:
    """Find what `document` may be, judged by its vocabulary alone."""
    model = document.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocab, dict) or any(type(id_) is not int for id_ in vocab.values()):
        return None
    characters = "".join(sorted(vocab, key=lambda token: vocab[token]))
    if characters == byte_characters():
        return ByteTokenizer()
    if characters.startswith(UNKNOWN) and problem_with(characters[1:]) is None:
        return CharacterTokenizer(characters[1:])
    return None


def _what_counts(document: Document) -> list[Any]:
    """List the entries of tokenizer.json that decide which ids a text gets, and back."""
    model = document["model"]
    return [
        *(document.get(key) for key in ("added_tokens", "normalizer", "pre_tokenizer", "decoder")),
        *(model.get(key) for key in ("type", "unk_token", "vocab", "merges", "byte_fallback")),
    ]
