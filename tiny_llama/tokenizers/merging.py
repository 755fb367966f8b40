"""Byte-pair encoding in slow motion: how often each pair stood in the text when it was merged.

A SentencePiece model lists its merges in order and forgets the counts that chose them. Going
through the training text once more, merge by merge, brings them back (Sennrich et al. 2015,
arXiv:1508.07909). The same merges, the first few of them only, cut a text as it was cut then.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tiny_llama.tokenizers.base import well_formed
from tiny_llama.tokenizers.sentence_piece import SPACE, SentencePieceTokenizer
from tiny_llama.tokenizers.sentence_piece_model import Kind
from tiny_llama.tokenizers.sentence_piece_text import training_lines

WORD = re.compile(f"{SPACE}+[^{SPACE}]*|[^{SPACE}]+")
"""Where SentencePiece splits its training text: no merge reaches over the start of a word."""
LITERAL = f"{SPACE} itself"
"""Stands for the character "▁" of a text, which is no space and never merged."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Merge:
    """Two neighbours that became one piece."""

    left: str
    right: str
    count: int
    """How often `left` stood right before `right` in the training text just before the merge."""

    @property
    def piece(self) -> str:
        """What they became."""
        return self.left + self.right


def merged_pieces(tokenizer: SentencePieceTokenizer) -> list[str]:
    """List a byte-pair tokenizer's pieces that were made by merges, in the order of the merges."""
    normal = [piece for piece in tokenizer.pieces if piece.kind is Kind.NORMAL]
    ordered = sorted(normal, key=lambda piece: -piece.score)
    return [piece.text for piece in ordered if len(piece.text) > 1]


def training_words(text: str, vocab_size: int) -> Counter[str]:
    """Count the words that SentencePiece learns from: how often each stands in `text`.

    Args:
        text: the training text.
        vocab_size: wanted when the tokenizer was trained: characters that are too rare for it
            part words.
    """
    words: Counter[str] = Counter()
    for line in training_lines(well_formed(text), (vocab_size - 256 - 3) // 2):
        words.update(WORD.findall(SPACE + line.replace(" ", SPACE)))
    return words


def replay(words: Mapping[str, int], pieces: Sequence[str]) -> Iterator[Merge]:
    """Make the merges that gave `pieces`, in their order, and count each pair just before.

    Of several pairs that read the same, the most frequent is the one that was merged; a pair is
    counted wherever it stands, also where two of its places share a token ("aaa" has "aa" twice).
    Ends where no two neighbours make the next piece any more: a text that has run out of pairs lets
    SentencePiece fill its vocabulary with pairs that were merged away before, counted 0.
    """
    cuts = [(list(word), count) for word, count in words.items()]
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    readings: defaultdict[str, set[Pair]] = defaultdict(set)

    def note(place: int, sign: int) -> None:
        symbols, count = cuts[place]
        for pair in pairwise(symbols):
            counts[pair] += sign * count
            if sign > 0:
                places[pair].add(place)
                readings["".join(pair)].add(pair)

    for place in range(len(cuts)):
        note(place, 1)
    for piece in pieces:
        best = max(readings[piece], key=lambda pair: (counts[pair], pair), default=None)
        if best is None or not counts[best]:
            return
        yield Merge(*best, count=counts[best])
        for place in sorted(places.pop(best)):
            note(place, -1)
            cuts[place] = joined(cuts[place][0], best), cuts[place][1]
            note(place, 1)


def joined(symbols: Sequence[str], pair: Pair) -> list[str]:
    """Join every `pair` of neighbours, from left to right."""
    after: list[str] = []
    is_open = False  # whether the last symbol may still be the left half
    for symbol in symbols:
        if is_open and (after[-1], symbol) == pair:
            after[-1] += symbol
            is_open = False
        else:
            after.append(symbol)
            is_open = True
    return after


def cut_after(text: str, pieces: Sequence[str]) -> list[str]:
    """Cut a text with these merges alone, the earliest that is possible first.

    Args:
        text: any text; as always, a space is put in front and spaces read as "▁".
        pieces: what the merges made, in their order.

    Returns:
        Pieces and single characters; `LITERAL` for the character "▁" itself.
    """
    if not text:
        return []
    ranks = {piece: rank for rank, piece in enumerate(pieces)}
    marks = {" ": SPACE, SPACE: LITERAL}
    symbols = [marks.get(character, character) for character in " " + well_formed(text)]
    starts = [
        place
        for place, symbol in enumerate(symbols)
        if not place or (symbol == SPACE and symbols[place - 1] != SPACE)
    ]
    cut: list[str] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        cut += _merge(symbols[start:end], ranks)
    return cut


def _merge(symbols: list[str], ranks: Mapping[str, int]) -> list[str]:
    while len(symbols) > 1:
        candidates = [a + b for a, b in pairwise(symbols)]
        best = min(range(len(candidates)), key=lambda i: ranks.get(candidates[i], len(ranks)))
        if candidates[best] not in ranks:
            return symbols
        symbols[best : best + 2] = [candidates[best]]
    return symbols
