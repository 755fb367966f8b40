"""The merges of byte-pair encoding one by one, and a text as it was cut after some of them."""

from functools import partial

import numpy as np

from tiny_llama.analyses import Pieces
from tiny_llama.analyses.cutting import MOST_CHARACTERS, learning_text, tokenizer_of
from tiny_llama.errors import TextError
from tiny_llama.tokenizers.base import byte_label
from tiny_llama.tokenizers.merging import (
    LITERAL,
    cut_after,
    merged_pieces,
    replay,
    training_words,
)
from tiny_llama.tokenizers.sentence_piece import (
    DEFAULT_VOCAB_SIZE,
    SPACE,
    SentencePieceTokenizer,
)

MOST_MERGES = 4_000
"""That are counted: each costs a thousandth of a second on a large text."""
MERGES_A_PIECE = 20


def merges(*, corpus: str, own: str = "", vocab_size: int | None = None) -> Pieces:
    """List every merge of a SentencePiece tokenizer with the count that chose it.

    Args:
        corpus: see `tiny_llama.analyses.cutting.cuts`, as for the rest.
        own: as there.
        vocab_size: as there.

    Yields:
        What trains the tokenizer, beside; None after some merges; at the end `pairs`, lists of
        left and right; `counts`, `n`, how often each pair stood in the training text just before
        it was merged; `n_pieces`, how many merged pieces the vocabulary has: more than `n` where
        the text ran out of pairs, or where they are more than `MOST_MERGES`; `is_exhausted`, which
        of the two; `n_words` and `n_distinct`, of the training text; and `vocab_size`, as it came
        out.

    Raises:
        UserError: if the tokenizer cannot be trained as wanted.
    """
    tokenizer = yield partial(_tokenizer, corpus, own, vocab_size)
    pieces = merged_pieces(tokenizer)
    words = training_words(learning_text(corpus, own), vocab_size or DEFAULT_VOCAB_SIZE)
    yield None
    done = []
    for merge in replay(words, pieces[:MOST_MERGES]):
        done.append(merge)
        if not len(done) % MERGES_A_PIECE:
            yield None
    yield {
        "pairs": [[merge.left, merge.right] for merge in done],
        "counts": np.array([merge.count for merge in done], dtype=np.int64),
        "n_pieces": len(pieces),
        "is_exhausted": len(done) < min(len(pieces), MOST_MERGES),
        "n_words": words.total(),
        "n_distinct": len(words),
        "vocab_size": tokenizer.vocab_size,
    }


def merged(
    *, text: str, n_merges: int, corpus: str, own: str = "", vocab_size: int | None = None
) -> Pieces:
    """Show a text as it is cut when only the first merges have been made.

    Args:
        text: what to cut.
        n_merges: how many merges.
        corpus: see `tiny_llama.analyses.cutting.cuts`, as for the rest.
        own: as there.
        vocab_size: as there.

    Yields:
        What trains the tokenizer, beside; at the end `ids` in the whole vocabulary, and `tokens`,
        what they read as.

    Raises:
        UserError: if the text is too long, or the tokenizer cannot be trained as wanted.
    """
    if len(text) > MOST_CHARACTERS:
        raise TextError(
            f"The text has {len(text):,} characters; cut at most {MOST_CHARACTERS:,} at once."
        )
    tokenizer = yield partial(_tokenizer, corpus, own, vocab_size)
    ids = {piece.text: place for place, piece in enumerate(tokenizer.pieces)}
    found: list[tuple[int, str]] = []
    for piece in cut_after(text, merged_pieces(tokenizer)[:n_merges]):
        if piece in ids and piece != LITERAL:
            found.append((ids[piece], piece.replace(SPACE, " ")))
        else:
            spelled = (SPACE if piece == LITERAL else piece).encode()
            found += [(ids[f"<0x{byte:02X}>"], byte_label(byte)) for byte in spelled]
    yield {"ids": [each for each, _ in found], "tokens": [token for _, token in found]}


def _tokenizer(corpus: str, own: str, vocab_size: int | None) -> SentencePieceTokenizer:
    tokenizer = tokenizer_of("sentencepiece", corpus, own, vocab_size)
    assert isinstance(tokenizer, SentencePieceTokenizer)
    return tokenizer
