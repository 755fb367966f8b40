"""What becomes of a model without some of its heads: knowing by taking away.

A head's output is set to zero, or to its mean over the text, so that it still says what it always
says but nothing about the place (mean ablation; Wang et al. 2022, arXiv:2211.00593).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from tiny_llama.analyses import Found
from tiny_llama.analyses.heads import check_attention, check_layer
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.generation import generate
from tiny_llama.sample_config import SampleConfig
from tiny_llama.tap import change, record

BY = ("zero", "mean")


def ablate(subject: Subject, *, text: str, heads: Sequence[Sequence[int]], by: str) -> Found:
    """Read a text with all heads and without some.

    Args:
        subject: the model; it stays as it is.
        text: what it reads.
        heads: layer and head of each that is taken away, from 0.
        by: "zero", or "mean" for the head's mean over the text.

    Returns:
        For the untouched model and the one without the heads, in this order: `losses`, `2 t-1`, and
        `probabilities` of the next token, `2 v`. Also `vocabulary`, what each token reads as, and
        `counts`, `t-1`, as in `reading`.

    Raises:
        UserError: if there is no such head or way, or the text has no token.
    """
    ids = subject.read(text)
    untouched = _logits(subject, ids)
    with _taking(subject, heads, _stand_ins(subject, by, ids))():
        without = _logits(subject, ids)
    chances = torch.stack([untouched, without]).log_softmax(-1)
    return {
        "losses": _losses(chances, ids).numpy(),
        "probabilities": chances[:, -1].exp().numpy(),
        "vocabulary": [subject.tokenizer.token_text(i) for i in range(chances.shape[-1])],
        "counts": subject.counts(text, ids)[1:].numpy(),
    }


def write_without(
    subject: Subject, *, text: str, heads: Sequence[Sequence[int]], by: str, n_tokens: int
) -> Iterator[Found | None]:
    """Go on writing from a text without some heads, the likeliest token each time.

    Returns:
        `text`, what the model writes after the text that it read.

    Raises:
        UserError: if there is no such head or way, or the text has no token.
    """
    ids = subject.read(text)
    without = _taking(subject, heads, _stand_ins(subject, by, ids))
    tokens = generate(subject.model, ids.numpy(), SampleConfig(n_tokens=n_tokens, temperature=0))
    said: list[int] = []
    while len(said) < n_tokens:
        with without():  # only while a token is computed, since others may use the model in between
            said.append(next(tokens).token)
        yield None
    yield {"text": subject.tokenizer.decode(said)}


def importance(subject: Subject, *, text: str, by: str) -> Iterator[Found | None]:
    """Measure how much the loss on a text grows when each head is taken away alone.

    Returns:
        `loss` of the untouched model, and `growth`, `l h`, both in nats a token that counts; NaN
        where no token does.

    Raises:
        UserError: if the model has no attention, the way is unknown, or the text has no token.
    """
    ids = subject.read(text)
    instead = _stand_ins(subject, by, ids)
    counts = subject.counts(text, ids)[1:]
    config = subject.model.config
    untouched = _mean_loss(subject, ids, counts)
    growth = np.empty((config.n_layers, config.n_heads), dtype=np.float32)
    for layer in range(config.n_layers):
        for head in range(config.n_heads):
            with _taking(subject, [(layer, head)], instead)():
                growth[layer, head] = _mean_loss(subject, ids, counts) - untouched
            yield None
    yield {"loss": untouched, "growth": growth}


@torch.no_grad()
def _stand_ins(subject: Subject, by: str, ids: Tensor) -> Tensor:
    """Compute what comes in place of each head's output when it is taken away, `l h e`.

    Raises:
        ConfigError: if the model has no attention, or there is no such way.
    """
    if by not in BY:
        raise ConfigError(f"by={by!r} is no way to take a head away; choose {' or '.join(BY)}.")
    check_attention(subject)
    config = subject.model.config
    if by == "zero":
        return torch.zeros(config.n_layers, config.n_heads, config.head_width)
    with record(subject.model, "blocks.*.attention.heads") as seen:
        subject.model(ids[None])
    return torch.cat(list(seen.values())).mean(2)


def _taking(
    subject: Subject, heads: Sequence[Sequence[int]], instead: Tensor
) -> Callable[[], AbstractContextManager[None]]:
    """Build what puts others in place of heads for as long as a block runs.

    Raises:
        ConfigError: if there is no such head.
    """
    for layer, head in heads:
        check_layer(subject, layer, head)
    changes = {}
    for layer in {layer for layer, _ in heads}:
        gone = [head for each, head in heads if each == layer]
        changes[f"blocks.{layer}.attention.heads"] = _replacing(gone, instead[layer, gone])
    return lambda: change(subject.model, changes)


def _replacing(gone: list[int], instead: Tensor) -> Callable[[Tensor], Tensor]:
    def replace(heads: Tensor) -> Tensor:  # b h t e
        heads = heads.clone()
        heads[:, gone] = instead[:, None].expand(-1, heads.shape[2], -1)
        return heads

    return replace


@torch.no_grad()
def _logits(subject: Subject, ids: Tensor) -> Tensor:
    logits: Tensor = subject.model(ids[None])[0]
    return logits


def _losses(log_probabilities: Tensor, ids: Tensor) -> Tensor:
    """Compute -ln of what each token but the first was given, `... t-1`."""
    return -log_probabilities[..., :-1, :].gather(-1, _targets(log_probabilities, ids))[..., 0]


def _targets(log_probabilities: Tensor, ids: Tensor) -> Tensor:
    return ids[1:, None].expand(*log_probabilities.shape[:-2], -1, 1)


def _mean_loss(subject: Subject, ids: Tensor, counts: Tensor) -> float:
    return float(_losses(_logits(subject, ids).log_softmax(-1), ids)[counts].mean())
