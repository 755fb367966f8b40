"""Texts and tokenizers of runs, prepared beside training and shared by the runs that have the same.

Part of the worker process: what it makes lives there.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache

from explorer.engine.store import has_begun, load_wanted_setup
from tiny_llama.analyses.cutting import tokenizer_of
from tiny_llama.checkpoint import find_corpus, folder_corpus, has_checkpoint, read_setup
from tiny_llama.corpora import Corpus, TextCorpus
from tiny_llama.data import TokenizedCorpus, tokenize
from tiny_llama.errors import CheckpointError, UserError
from tiny_llama.setup import OWN_TEXT, Setup, write_setup
from tiny_llama.tokenizers import TOKENIZERS, Tokenizer, load_tokenizer

Key = tuple[str, str, int | None]

MOST_KEPT = 6
"""Built-in texts in tokens that stay, the tales' four megabytes being the largest; own texts stay
only as long as their run."""


_LEARNED = [name for name, option in TOKENIZERS.items() if option.vocab_size_bounds is not None]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a run needs before its model can be built."""

    setup: Setup
    corpus: Corpus
    tokens: TokenizedCorpus
    is_new: bool
    """Whether the run starts; otherwise its folder holds a checkpoint to go on from."""


class Library:
    """Prepares texts and keeps the built-in ones; may be asked by several threads.

    What a class that starts at once has in common is learned and cut once.

    One text at a time is made and cut into tokens, as that is Python's work, which the runs that
    train would wait for. Tokenizers learn in processes of their own; no text waits for them.
    """

    def __init__(self) -> None:
        self._kept: LRUCache[Key, TokenizedCorpus] = LRUCache(MOST_KEPT)
        self._lock = threading.Lock()
        self._cutting = threading.Lock()
        self._learning = threading.Lock()

    def warm_up(self) -> None:
        """Get the text ready that most runs begin with, before anybody waits for it."""
        setup = Setup()
        self._fresh(setup, find_corpus(setup.corpus))

    def prepare(self, folder: Path) -> Prepared:
        """Get text and tokenizer of a run ready: the slow part of starting it.

        Args:
            folder: where the server has noted how the run is to be started.

        Raises:
            UserError: if the text or the tokenizer cannot be had as wanted.
        """
        is_new = not has_checkpoint(folder)
        if is_new and has_begun(folder):
            raise CheckpointError(
                "The model of this run is not in its folder any more; delete the run and start a "
                "new one."
            )
        setup = load_wanted_setup(folder) if is_new else _setup_of(folder)
        corpus = folder_corpus(folder, setup)
        if is_new:
            tokens = self._fresh(setup, corpus)
        else:
            tokens = self._again(setup, corpus, load_tokenizer(folder))
        return Prepared(setup=setup, corpus=corpus, tokens=tokens, is_new=is_new)

    def tokens_of(self, setup: Setup, tokenizer: Tokenizer) -> TokenizedCorpus | None:
        """Find a built-in text as cut by a tokenizer, where it is kept."""
        kept = self._find(setup)
        return kept if kept is not None and _is_of(kept, tokenizer) else None

    def _fresh(self, setup: Setup, corpus: Corpus) -> TokenizedCorpus:
        """Give the text with a tokenizer trained on it."""
        if (kept := self._find(setup)) is not None:
            return kept
        if setup.tokenizer not in _LEARNED or not isinstance(corpus, TextCorpus):
            return self._cut(setup, corpus, setup.tokenizer)
        if setup.corpus == OWN_TEXT:
            return self._learned(setup, corpus)
        with self._learning:  # who wants the same meanwhile takes what is learned here
            return self._find(setup) or self._learned(setup, corpus)

    def _learned(self, setup: Setup, corpus: TextCorpus) -> TokenizedCorpus:
        """Let a tokenizer learn from the text, and cut the text by it."""
        own = self._text(corpus) if setup.corpus == OWN_TEXT else ""
        tokenizer = tokenizer_of(setup.tokenizer, setup.corpus, own, setup.vocab_size)
        return self._cut(setup, corpus, tokenizer)

    def _again(self, setup: Setup, corpus: Corpus, tokenizer: Tokenizer) -> TokenizedCorpus:
        """Give the text with the tokenizer that a run was started with."""
        if (kept := self.tokens_of(setup, tokenizer)) is not None:
            return kept
        return self._cut(setup, corpus, tokenizer)

    def _text(self, corpus: TextCorpus) -> str:
        with self._cutting:
            return corpus.text()

    def _cut(self, setup: Setup, corpus: Corpus, tokenizer: str | Tokenizer) -> TokenizedCorpus:
        with self._cutting:
            kept = self._find(setup)
            if kept is not None and _is_of(kept, tokenizer):
                return kept  # somebody else wanted the same, and was first
            vocab_size = setup.vocab_size if isinstance(tokenizer, str) else None
            tokens = tokenize(corpus, tokenizer, vocab_size=vocab_size)
        return tokens if kept is not None else self._keep(setup, tokens)

    def _find(self, setup: Setup) -> TokenizedCorpus | None:
        with self._lock:
            return self._kept.get(_key(setup))

    def _keep(self, setup: Setup, tokens: TokenizedCorpus) -> TokenizedCorpus:
        if setup.corpus == OWN_TEXT:
            return tokens
        with self._lock:  # where two prepared the same at once, both have the first one's
            return self._kept.setdefault(_key(setup), tokens)


def _setup_of(folder: Path) -> Setup:
    """Find the setup that a checkpoint was trained with, also where it lies no more beside it."""
    try:
        return read_setup(folder)[0]
    except UserError:
        setup = load_wanted_setup(folder)
        write_setup(folder, setup)
        return setup


def _key(setup: Setup) -> Key:
    size = setup.vocab_size or TOKENIZERS[setup.tokenizer].default_vocab_size
    return setup.corpus, setup.tokenizer, size


def _is_of(tokens: TokenizedCorpus, tokenizer: str | Tokenizer) -> bool:
    """Tell whether a text in tokens is what a tokenizer makes of it, or one of that name would."""
    return isinstance(tokenizer, str) or _are_alike(tokens.tokenizer, tokenizer)


def _are_alike(one: Tokenizer, other: Tokenizer) -> bool:
    """Tell whether two tokenizers of one text and size have the same tokens under the same ids."""
    return one.vocab_size == other.vocab_size and all(
        one.token_text(token) == other.token_text(token) for token in range(one.vocab_size)
    )
