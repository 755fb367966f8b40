"""Tokenizers trained on the spot, and the texts that they cut; no model is needed."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, Generic, TypeVar
from unicodedata import category

from tiny_llama.analyses import Pieces
from tiny_llama.corpora import CORPORA, Task, TextCorpus, own_text
from tiny_llama.errors import TextError
from tiny_llama.setup import OWN_TEXT
from tiny_llama.tokenizers import TOKENIZERS, Tokenizer, train_tokenizer
from tiny_llama.tokenizers.base import UNKNOWN
from tiny_llama.tokenizers.sentence_piece import SentencePieceTokenizer
from tiny_llama.tokenizers.sentence_piece_model import Kind

TASK_CHARACTERS = 20_000
"""Of a task's exercises, which have no end, that SentencePiece learns from here."""
MOST_CHARACTERS = 20_000
"""Of all texts that are cut in one answer."""
MOST_IDS = 40_000
"""Of all tokenizers that are kept, some 400 bytes each."""
MOST_TEXTS = 2

Kept = TypeVar("Kept")


def cuts(
    *,
    texts: Sequence[str],
    corpus: str,
    own: str = "",
    vocab_size: int | None = None,
    kinds: Sequence[str] = tuple(TOKENIZERS),
) -> Pieces:
    """Cut texts into tokens, by each kind of tokenizer trained on one text.

    Args:
        texts: what to cut.
        corpus: what the tokenizers learn from: a name out of `CORPORA`, or `own-text`.
        own: the student's own text, where that is the corpus.
        vocab_size: wanted of SentencePiece; None: its usual one.
        kinds: names out of `TOKENIZERS`.

    Yields:
        What trains each tokenizer, beside; None after each text; at the end `sizes`, of the
        vocabularies, by kind; and `cuts`, a list over the texts of what each kind makes of it:
        `ids`, `tokens` (what they read as), `bytes` (UTF-8 bytes of each),
        `is_byte`, whether each is a byte; `is_unknown`, whether it stands for a character that
        the tokenizer does not know; and `in_bytes`, the characters that SentencePiece spells in
        bytes, as it has no piece for them.

    Raises:
        UserError: if a text is too long, or a tokenizer cannot be trained as wanted.
    """
    if (n := sum(map(len, texts))) > MOST_CHARACTERS:
        raise TextError(
            f"The texts have {n:,} characters; cut at most {MOST_CHARACTERS:,} at once."
        )
    trained: dict[str, Tokenizer] = {}
    for kind in kinds:
        trained[kind] = yield partial(tokenizer_of, kind, corpus, own, vocab_size)
    found = []
    for text in texts:
        found.append({kind: cut(tokenizer, text) for kind, tokenizer in trained.items()})
        yield None
    sizes = {kind: tokenizer.vocab_size for kind, tokenizer in trained.items()}
    yield {"sizes": sizes, "cuts": found}


def cut(tokenizer: Tokenizer, text: str) -> dict[str, Any]:
    """Show what a tokenizer makes of a text; see `cuts`."""
    ids: list[int] = tokenizer.encode(text).tolist()
    return {
        "ids": ids,
        "tokens": [tokenizer.token_text(token) for token in ids],
        "bytes": tokenizer.byte_lengths()[ids].tolist(),
        "is_byte": [_is_byte(tokenizer, token) for token in ids],
        "is_unknown": are_unknown(tokenizer, ids),
        "in_bytes": spelled_in_bytes(tokenizer, ids),
    }


def are_unknown(tokenizer: Tokenizer, ids: Sequence[int]) -> list[bool]:
    """Mark the tokens that stand for a character the tokenizer does not know, and that is lost."""
    may_be = tokenizer.name == "characters"  # the other two know every byte
    return [may_be and token == 0 for token in ids]


def spelled_in_bytes(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """List the characters that SentencePiece has no piece for, and therefore spells in bytes.

    A control character, as a line break, is a byte in any text and left out; so is one of which the
    ids lack a byte. A tokenizer of bytes reads all in bytes, and nothing for want of a piece.
    """
    if not isinstance(tokenizer, SentencePieceTokenizer):
        return ""
    spelled = tokenizer.decode([token for token in ids if _is_byte(tokenizer, token)])
    return "".join(each for each in spelled if category(each) != "Cc" and each != UNKNOWN)


def _is_byte(tokenizer: Tokenizer, token: int) -> bool:
    if isinstance(tokenizer, SentencePieceTokenizer):
        return tokenizer.pieces[token].kind is Kind.BYTE
    return tokenizer.name == "bytes"


def tokenizer_of(kind: str, corpus: str, own: str, vocab_size: int | None) -> Tokenizer:
    """Give a tokenizer trained as the Train page would, or the same one as before.

    A task brings its alphabet, which is all that characters need; SentencePiece, which no training
    uses on a task, learns from some of its exercises.

    Raises:
        UserError: if it cannot be trained as wanted.
    """
    usual = TOKENIZERS[kind].default_vocab_size
    vocab_size = None if usual is None else vocab_size or usual
    key = (kind, corpus, _mark(own) if corpus == OWN_TEXT else "", vocab_size)

    def train() -> Tokenizer:
        task = CORPORA.get(corpus)
        if kind == "characters" and isinstance(task, Task):
            return train_tokenizer(kind, task.alphabet)
        return train_tokenizer(kind, learning_text(corpus, own), vocab_size)

    return _TOKENIZERS.find(key, train)


def learning_text(corpus: str, own: str = "") -> str:
    """Give what tokenizers learn from.

    Raises:
        TextError: if it cannot be had or used.
    """

    def read() -> str:
        if corpus == OWN_TEXT:
            return own_text(own).text()
        found = CORPORA.get(corpus)
        if isinstance(found, TextCorpus):
            return found.text()
        if isinstance(found, Task):
            return found.row(Random("tokens"), TASK_CHARACTERS)[0]
        raise TextError(f"corpus={corpus!r} is not on the list; choose {', '.join(CORPORA)}.")

    return _TEXTS.find((corpus, _mark(own) if corpus == OWN_TEXT else ""), read)


class Memory(Generic[Kept]):
    """Things that were asked for last, while they are not too large together; for many threads.

    What several threads want at once is made once.
    """

    def __init__(self, most: int, size: Callable[[Kept], int]) -> None:
        self._most, self._size = most, size
        self._kept: OrderedDict[Any, Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._made: dict[Any, tuple[threading.Lock, int]] = {}
        """What is being made: what its maker holds, and how many want it."""

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: Any, make: Callable[[], Kept]) -> Kept:
        """Give the thing of this key, made where it is not there."""
        if (kept := self._find(key)) is not None:
            return kept
        with self._alone(key):
            if (kept := self._find(key)) is not None:
                return kept
            made = make()
            with self._lock:
                self._keep(key, made)
        return made

    def _find(self, key: Any) -> Kept | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Any, made: Kept) -> None:
        self._kept[key] = made
        while len(self._kept) > 1 and sum(map(self._size, self._kept.values())) > self._most:
            self._kept.popitem(last=False)

    @contextmanager
    def _alone(self, key: Any) -> Iterator[None]:
        """Let one thread at a time make the thing of this key."""
        with self._lock:
            lock, n_wanted = self._made.get(key, (threading.Lock(), 0))
            self._made[key] = lock, n_wanted + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                n_wanted = self._made[key][1] - 1
                if n_wanted:
                    self._made[key] = lock, n_wanted
                else:
                    del self._made[key]


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


_TOKENIZERS: Memory[Tokenizer] = Memory(MOST_IDS, lambda tokenizer: tokenizer.vocab_size)
_TEXTS: Memory[str] = Memory(MOST_TEXTS, lambda _: 1)
