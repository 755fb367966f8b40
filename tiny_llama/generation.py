"""Writing on from a prompt, token by token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tiny_llama.errors import TextError, TrainingError
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.sample_config import SampleConfig


@dataclass(frozen=True, kw_only=True)
class NextToken:
    """One token that the model wrote, and what it was chosen from."""

    token: int
    logits: Tensor
    """The model's scores of every token, `v`, before any filter."""
    probabilities: Tensor
    """What the token was drawn from, `v`, after temperature and all filters; sums to 1."""


@torch.no_grad()
def generate(
    model: TinyLlama,
    prompt: Sequence[int] | np.ndarray,
    config: SampleConfig,
    *,
    use_cache: bool = True,
) -> Iterator[NextToken]:
    """Write `config.n_tokens` tokens after the prompt.

    The model reads at most its context. When the text has outgrown it, the model forgets all but
    the latter half of the context and goes on from there, with a cache or without, so that both
    give the same tokens.

    Args:
        model: set to evaluation mode while each token is computed.
        prompt: ids of at least one token.
        config: how each next token is drawn, and the seed that makes it repeatable.
        use_cache: keep the keys and values of what has been read instead of reading it again.

    Raises:
        TextError: if the prompt has no token.
        TrainingError: if the weights have overflowed, so that there is nothing to draw from.
    """
    if not len(prompt):
        raise TextError("The prompt is empty; write at least one character to go on from.")
    draw = torch.Generator().manual_seed(config.seed)
    reader = Reader(model, use_cache)
    for token in prompt:
        reader.push(int(token))
    for _ in range(config.n_tokens):
        logits = reader.next_logits()
        check_finite(logits)
        probabilities = next_probabilities(logits, config)
        token = int(torch.multinomial(probabilities, 1, generator=draw))
        yield NextToken(token=token, logits=logits, probabilities=probabilities)
        reader.push(token)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The probabilities as one step on the way from logits to the draw leaves them."""

    name: str
    """`softmax`, or the field of SampleConfig that acts here."""
    probabilities: Tensor
    """`v`; sums to 1."""
    kept: Tensor
    """Which tokens can still be drawn, `v`; those that a filter has taken out stay out."""


def next_probabilities(logits: Tensor, config: SampleConfig) -> Tensor:
    """Turn logits `v` into what the next token is drawn from, `v`: temperature, then filters."""
    *_, last = sampling_stages(logits, config)
    return last.probabilities


def sampling_stages(logits: Tensor, config: SampleConfig) -> Iterator[Stage]:
    """Go from logits `v` to what the next token is drawn from, one step after the other."""
    # The largest becomes 0, so that no temperature can make it overflow.
    falling = logits - logits.max()
    kept = torch.ones_like(logits, dtype=torch.bool)
    yield Stage(name="softmax", probabilities=falling.softmax(-1), kept=kept)
    if config.temperature == 0:
        probabilities = torch.nn.functional.one_hot(logits.argmax(), len(logits)).to(logits.dtype)
        kept = probabilities > 0
    else:
        lowest = torch.finfo(logits.dtype).tiny  # a smaller number may be zero as a tensor has it
        probabilities = (falling / max(config.temperature, lowest)).softmax(-1)
    yield Stage(name="temperature", probabilities=probabilities, kept=kept)
    for name, keep in _FILTERS.items():
        kept = kept & keep(probabilities, config)
        probabilities = torch.where(kept, probabilities, 0.0)
        probabilities = probabilities / probabilities.sum()
        yield Stage(name=name, probabilities=probabilities, kept=kept)


def check_finite(logits: Tensor) -> None:
    """Refuse scores from which nothing can be drawn.

    Raises:
        TrainingError: if the weights have overflowed.
    """
    if not logits.isfinite().all():
        raise TrainingError(
            "The model's scores are no finite numbers: its weights have grown too large in "
            "training; train it again with a lower learning rate or a longer warm-up."
        )


class Reader:
    """Holds the visible tokens and reads those that the model has not seen yet.

    Args:
        model: set to evaluation mode while it reads.
        use_cache: keep keys and values, instead of reading all visible tokens every time.
    """

    def __init__(self, model: TinyLlama, use_cache: bool) -> None:
        self.model, self.use_cache = model, use_cache
        self.visible: list[int] = []
        self.cache = self._new_cache()

    def push(self, token: int) -> None:
        """Add a token; at the end of the context, forget the first half."""
        context = self.model.config.context
        if len(self.visible) == context:
            self.visible = self.visible[-(context // 2) :]
            self.cache = self._new_cache()
        self.visible.append(token)

    def next_logits(self) -> Tensor:
        """Score every possible next token, `v`."""
        unread = self.visible[self.cache.length :] if self.cache else self.visible
        if was_training := self.model.training:  # which goes through every module, so only then
            self.model.eval()
        logits: Tensor = self.model(torch.tensor([unread]), self.cache)[0, -1]
        if was_training:
            self.model.train()
        return logits

    def _new_cache(self) -> Cache | None:
        config = self.model.config
        return Cache(config.n_layers, config.context) if self.use_cache else None


def _keep_top_k(probabilities: Tensor, config: SampleConfig) -> Tensor:
    if not 0 < config.top_k < len(probabilities):
        return torch.ones_like(probabilities, dtype=torch.bool)
    return torch.zeros_like(probabilities, dtype=torch.bool).index_fill(
        0, probabilities.topk(config.top_k).indices, True
    )


def _keep_top_p(probabilities: Tensor, config: SampleConfig) -> Tensor:
    """Keep the likeliest tokens, up to and including the one that reaches the share."""
    if config.top_p >= 1:  # rounded sums could reach it before the last
        return torch.ones_like(probabilities, dtype=torch.bool)
    falling, order = probabilities.sort(descending=True, stable=True)
    before = falling.cumsum(-1) - falling
    kept = (before < config.top_p) | (before == 0)
    return torch.empty_like(kept).scatter(0, order, kept)


def _keep_min_p(probabilities: Tensor, config: SampleConfig) -> Tensor:
    return probabilities >= config.min_p * probabilities.max()


_FILTERS = {"top_k": _keep_top_k, "top_p": _keep_top_p, "min_p": _keep_min_p}
"""By the fields of SampleConfig, in the order in which they act."""
