"""What a larger vocabulary buys: how much text a token holds, on text that no merge has seen."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from tiny_llama.analyses import Pieces
from tiny_llama.analyses.cutting import learning_text
from tiny_llama.errors import TextError
from tiny_llama.tokenizers import TOKENIZERS, train_tokenizer

HELD_OUT_ONE_IN = 10
"""The last tenth, as in training."""
MOST_SIZES = 12


def vocabularies(*, sizes: Sequence[int], corpus: str, own: str = "") -> Pieces:
    """Train tokenizers of many sizes on nine tenths of a text and cut the last tenth with each.

    The Train page's tokenizers learn from the whole text; here the last tenth is kept apart, so
    that it stands for text to come.

    Args:
        sizes: wanted of SentencePiece.
        corpus: see `tiny_llama.analyses.cutting.cuts`, as for the rest.
        own: as there.

    Yields:
        What trains each tokenizer, beside, and None when it has cut the last tenth. At the end a
        list each, SentencePiece's vocabularies from small to large, then characters and bytes:
        `kinds`; `wanted`, the size that was asked for, or None; `sizes`, what came of it, which is
        less where the text has no more pairs; `n_tokens` of the last tenth; also `n_characters`
        and `n_bytes` of the last tenth.

    Raises:
        UserError: if a tokenizer cannot be trained as wanted.
    """
    if len(sizes) > MOST_SIZES:
        raise TextError(f"{len(sizes)} sizes were asked for; ask for at most {MOST_SIZES}.")
    text = learning_text(corpus, own)
    split = len(text) - len(text) // HELD_OUT_ONE_IN
    seen, unseen = text[:split], text[split:]
    wanted: list[tuple[str, int | None]] = [("sentencepiece", size) for size in sorted(sizes)]
    wanted += [(kind, None) for kind in TOKENIZERS if kind != "sentencepiece"]
    vocab_sizes, n_tokens = [], []
    for kind, size in wanted:  # none is kept: some are large
        tokenizer = yield partial(train_tokenizer, kind, seen, size)
        vocab_sizes.append(tokenizer.vocab_size)
        n_tokens.append(len(tokenizer.encode(unseen)))
        yield None
    yield {
        "kinds": [kind for kind, _ in wanted],
        "wanted": [size for _, size in wanted],
        "sizes": vocab_sizes,
        "n_tokens": np.array(n_tokens),
        "n_characters": len(unseen),
        "n_bytes": len(unseen.encode()),
    }
