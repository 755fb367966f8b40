"""Texts longer than those of training: the loss by position, as trained and stretched after it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tiny_llama.analyses import Found
from tiny_llama.analyses.rotary import check_rope
from tiny_llama.analyses.rotary_theory import STRETCHES
from tiny_llama.analyses.subject import Subject
from tiny_llama.checkpoint import folder_corpus
from tiny_llama.corpora import Task
from tiny_llama.data import Batch, tokenize
from tiny_llama.errors import ConfigError, TextError
from tiny_llama.generation import check_finite
from tiny_llama.model import TinyLlama

TIMES = 4
"""How many times the context is read."""
MOST_LENGTH = 2_048
MOST_TOKENS = 32_768
"""Read in all: half a second of one core with the default model."""
TOKENS_A_PIECE = 1_024
BINS_A_CONTEXT = 8


def loss_by_position(
    subject: Subject, *, stretch: str = "", factor: float = 1
) -> Iterator[Found | None]:
    """Let a model read held-out texts four times as long as its context.

    Args:
        subject: the model; a stretched one is a copy.
        stretch: a name out of `STRETCHES`, switched on after training; empty: none.
        factor: how many times the context the stretch is made for.

    Yields:
        None after each piece; at the end: `losses`, mean by bin of positions, and `errors`, the
        standard error of that mean between texts, both in nats a token; `starts`, the first
        position of each bin, counted from 1, and `bin`, how many positions it has; `by_context`,
        the mean loss within the context, within the next as long, and so on; `n_texts`, `length`
        that was read, and `context`.

    Raises:
        UserError: if the corpus is no text or too short, the model has nothing to stretch, or its
            scores are no finite numbers.
    """
    model = _stretched(subject, stretch, factor)
    texts = _texts(subject)
    yield None
    rows = []
    step = max(1, TOKENS_A_PIECE // texts.inputs.shape[1])
    pieces = zip(texts.inputs.split(step), texts.targets.split(step), strict=True)
    for inputs, targets in pieces:
        rows.append(_losses(model, inputs, targets))
        yield None
    context = subject.model.config.context
    yield {**_binned(torch.cat(rows).numpy(), context), "context": context}


def _stretched(subject: Subject, stretch: str, factor: float) -> TinyLlama:
    """Give the model, or a copy of it that turns by other frequencies."""
    if not stretch:
        return subject.model
    subject = replace(subject, model=deepcopy(subject.model))
    position = check_rope(subject)
    if stretch not in STRETCHES or not 1 <= factor <= 64:
        raise ConfigError(
            f"stretch={stretch!r} by {factor} cannot be done; choose {', '.join(STRETCHES)}, and a "
            f"factor from 1 to 64."
        )
    model, config = subject.model, subject.model.config
    tuned = STRETCHES[stretch].tune(config.turned_width, config.rope_theta, factor, config.context)
    position.retune(tuned.turns.tolist(), score_scale=tuned.score_scale)
    return model


def _texts(subject: Subject) -> Batch:
    """Cut held-out windows of several times the context, no longer than the model can read."""
    corpus = folder_corpus(subject.folder, subject.setup)
    if isinstance(corpus, Task):
        raise TextError(
            f"This model learned the task {corpus.name}, whose exercises are no running text that "
            f"could be longer; choose a model that learned a text."
        )
    context, longest = subject.model.config.context, subject.model.position.longest
    length = max(context, min(TIMES * context, MOST_LENGTH))
    tokens = subject.tokens or tokenize(corpus, subject.tokenizer)
    texts = tokens.held_out(n_texts=max(4, MOST_TOKENS // length), context=length)
    kept = slice(None, longest)
    return Batch(inputs=texts.inputs[:, kept], targets=texts.targets[:, kept])


@torch.no_grad()
def _losses(model: TinyLlama, inputs: Tensor, targets: Tensor) -> Tensor:
    """Compute the loss of every token, `b t` (nats)."""
    logits = model(inputs)
    check_finite(logits)
    return F.cross_entropy(logits.mT, targets, reduction="none")


def _binned(losses: np.ndarray, context: int) -> Found:
    n_texts, length = losses.shape
    width = max(1, context // BINS_A_CONTEXT)
    starts = np.arange(0, length - width + 1, width)
    bins = np.stack([losses[:, at : at + width].mean(1) for at in starts], -1).astype(np.float64)
    parts = [losses[:, at : at + context].mean() for at in range(0, length, context)]
    return {
        "losses": bins.mean(0),
        "errors": bins.std(0, ddof=1) / n_texts**0.5 if n_texts > 1 else np.zeros(len(starts)),
        "starts": starts + 1,
        "bin": width,
        "by_context": np.array(parts, np.float64),
        "n_texts": n_texts,
        "length": length,
    }
