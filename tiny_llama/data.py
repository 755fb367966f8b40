"""A corpus as a model reads it: batches to train on, and a held-out part to be judged by."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tiny_llama.corpora import Corpus, Task, TextCorpus
from tiny_llama.errors import TextError
from tiny_llama.tokenizers import Tokenizer, train_tokenizer

IGNORED = -100
"""The target of a token that does not count, PyTorch's own mark."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a model reads and what it should have said, ids, both `b t`."""

    inputs: Tensor
    targets: Tensor


class TokenizedCorpus(ABC):
    """A corpus in tokens. Every batch follows from the seed and the step alone, so a run that
    was interrupted, or that shares its process with others, sees the very same batches.
    """

    name: str
    tokenizer: Tokenizer
    prompt: str
    """How a sample text begins."""
    counts_answers: bool
    """Whether only answers count, so that accuracy says something."""

    @abstractmethod
    def batch(self, *, batch_size: int, context: int, seed: int, step: int) -> Batch:
        """Draw the training batch of a step."""

    @abstractmethod
    def noisy(self, share: float, *, seed: int, context: int) -> Self:
        """Give the corpus with a share of the tokens that are trained on replaced by others of it.

        Held-out texts stay clean. The same seed replaces the same tokens by the same others.
        """

    @abstractmethod
    def check_context(self, context: int) -> None:
        """Refuse a context for which there is too little to read.

        Raises:
            TextError: if there is.
        """

    @abstractmethod
    def held_out_pieces(self, *, n_texts: int, context: int, n_rows: int) -> Iterator[Batch]:
        """Go through texts that are never trained on, the same ones at every call.

        Args:
            n_texts: how many in all; fewer, where there are not so many.
            context: tokens of each.
            n_rows: how many are made at a time, so that many need no memory at once.

        Raises:
            TextError: if there is too little to read for the context.
        """

    def held_out(self, *, n_texts: int, context: int) -> Batch:
        """Return all of these texts at once.

        Raises:
            TextError: if there is too little to read for the context.
        """
        (batch,) = self.held_out_pieces(n_texts=n_texts, context=context, n_rows=n_texts)
        return batch


def tokenize(
    corpus: Corpus, tokenizer: str | Tokenizer = "characters", *, vocab_size: int | None = None
) -> TokenizedCorpus:
    """Turn a corpus into tokens, training the tokenizer on it unless a trained one is given.

    Args:
        corpus: text or task.
        tokenizer: a name out of `TOKENIZERS`, or a tokenizer.
        vocab_size: wanted size, where the tokenizer lets one choose.

    Raises:
        TextError: if the text cannot be had or used.
        ConfigError: if the tokenizer cannot be trained as wanted.
    """
    if isinstance(corpus, Task):
        if isinstance(tokenizer, str):
            tokenizer = train_tokenizer("characters", corpus.alphabet)
        return TokenizedTask(corpus, tokenizer)
    assert isinstance(corpus, TextCorpus)
    text = corpus.text()
    if isinstance(tokenizer, str):
        tokenizer = train_tokenizer(tokenizer, text, vocab_size)
    return TokenizedText(corpus.name, text, tokenizer)


class TokenizedText(TokenizedCorpus):
    """Running text; its last tenth is held out."""

    counts_answers = False

    def __init__(self, name: str, text: str, tokenizer: Tokenizer) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.tokens = torch.from_numpy(tokenizer.encode(text)).int()
        self.prompt = _first_words(text)

    def batch(self, *, batch_size: int, context: int, seed: int, step: int) -> Batch:
        """Draw windows from the training part at random places."""
        n_places = self.n_places(context)
        starts = np.random.default_rng([seed, step]).integers(0, n_places, batch_size)
        return self._windows(starts, context)

    def n_places(self, context: int) -> int:
        """Count the places of the training part, from its first token on, where a window fits.

        Raises:
            TextError: if the text is too short.
        """
        return self._split(context) - context

    def noisy(self, share: float, *, seed: int, context: int) -> Self:
        """Give the text with errors in its training part, the same ones whenever it is read."""
        if not share:
            return self
        found, n = copy(self), self._split(context)
        training = _replaced(self.tokens[:n], share, np.random.default_rng(seed))
        found.tokens = torch.cat([training, self.tokens[n:]])
        return found

    def check_context(self, context: int) -> None:
        """Refuse a context that the text is too short for."""
        self._split(context)

    def held_out_pieces(self, *, n_texts: int, context: int, n_rows: int) -> Iterator[Batch]:
        """Go through windows spread evenly over the held-out part."""
        first, last = self._split(context), len(self.tokens) - context - 1
        n_texts = min(n_texts, last - first + 1)
        starts = np.linspace(first, last, n_texts).astype(np.int64)
        for at in range(0, n_texts, n_rows):
            yield self._windows(starts[at : at + n_rows], context)

    def _windows(self, starts: np.ndarray, context: int) -> Batch:
        places = torch.from_numpy(starts)[:, None] + torch.arange(context + 1)
        rows = self.tokens[places].long()
        return Batch(inputs=rows[:, :-1], targets=rows[:, 1:])

    def _split(self, context: int) -> int:
        """Say where the held-out part begins: a tenth from the end, or one window if more."""
        held_out = max(len(self.tokens) // 10, context + 1)
        split = len(self.tokens) - held_out
        if split <= context:
            raise TextError(
                f"The text has {len(self.tokens):,} tokens, too few for context={context}: at "
                f"least {2 * context + 2:,} are needed; take a longer text or a shorter context."
            )
        return split


def all_windows(tokens: Tensor, context: int) -> Batch:
    """Cut all of a text, `n` ids, into windows one after another, so that every token counts once.

    The first token is only read. The last window is filled up with tokens that do not count.
    """
    tokens = tokens.long()
    n_rows = -(-(len(tokens) - 1) // context)
    missing = n_rows * context - (len(tokens) - 1)
    inputs = F.pad(tokens[:-1], (0, missing))
    targets = F.pad(tokens[1:], (0, missing), value=IGNORED)
    return Batch(inputs=inputs.view(n_rows, context), targets=targets.view(n_rows, context))


class TokenizedTask(TokenizedCorpus):
    """Exercises made on the spot; only their answers count."""

    counts_answers = True

    def __init__(self, task: Task, tokenizer: Tokenizer) -> None:
        self.name, self.task, self.tokenizer = task.name, task, tokenizer
        examples = [task.example(Random(seed)) for seed in range(200)]
        self.prompt = examples[0].prompt
        self._longest = max(len(example.prompt + example.answer) for example in examples)
        self._noise = 0.0

    def batch(self, *, batch_size: int, context: int, seed: int, step: int) -> Batch:
        """Make new exercises that are not held out."""
        random, draw = Random(f"{seed} {step}"), np.random.default_rng([seed, step])
        tokens, counts = self._rows(random, batch_size, context, held_out=False)
        if self._noise:
            tokens = _replaced(tokens, self._noise, draw)
        return _exercises(tokens, counts)

    def noisy(self, share: float, *, seed: int, context: int) -> Self:
        """Give the task with errors in its exercises and in their answers."""
        found = copy(self)
        found._noise = share
        return found

    def check_context(self, context: int) -> None:
        """Refuse a context that some exercise does not fit into."""
        if context < self._longest:
            raise TextError(
                f"context={context} is too short for the task {self.name}, whose exercises take up "
                f"to {self._longest} tokens; choose a context of at least {self._longest}."
            )

    def held_out_pieces(self, *, n_texts: int, context: int, n_rows: int) -> Iterator[Batch]:
        """Make the held-out exercises one after another."""
        random = Random("held out")
        for at in range(0, n_texts, n_rows):
            yield _exercises(*self._rows(random, min(n_rows, n_texts - at), context, held_out=True))

    def _rows(
        self, random: Random, n_rows: int, context: int, *, held_out: bool
    ) -> tuple[Tensor, Tensor]:
        """Make exercises, ids `b t+1`, and say which of their tokens count."""
        self.check_context(context)
        rows = [self.task.row(random, context + 1, held_out) for _ in range(n_rows)]
        tokens = torch.from_numpy(self.tokenizer.encode("".join(text for text, _ in rows)))
        counts = torch.tensor([flags for _, flags in rows])
        return tokens.view(n_rows, context + 1), counts


def _exercises(tokens: Tensor, counts: Tensor) -> Batch:
    targets = tokens[:, 1:].masked_fill(~counts[:, 1:], IGNORED)
    return Batch(inputs=tokens[:, :-1], targets=targets)


def _replaced(tokens: Tensor, share: float, draw: np.random.Generator) -> Tensor:
    """Replace a share of the tokens by others that stand anywhere among them."""
    before = tokens.flatten()
    errors = np.flatnonzero(draw.random(len(before), dtype=np.float32) < share)
    after = before.clone()
    after[errors] = before[draw.integers(0, len(before), len(errors))]
    return after.view_as(tokens)


def _first_words(text: str, most: int = 8) -> str:
    """Give the first word of a text with what stands before it: enough to start writing from."""
    start = text[:most]
    head = start.lstrip()
    return start if not head else start[: len(start) - len(head)] + head.split()[0]
