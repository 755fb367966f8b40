"""What generation keeps of the tokens it has read, and what that saves."""

import time
from collections.abc import Generator, Iterator

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.generation import Reader
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.tap import record

MOST_LENGTHS = 16
"""At how many lengths of a text one token is timed."""
N_TRIES = 3


@torch.no_grad()
def kv_cache(subject: Subject, *, text: str) -> Found:
    """Let a model read a text into a cache.

    Returns:
        `n_tokens`; `n_layers`; `keys` and `values` of the first layer, `g s e`, keys turned where
        the model turns them; and `n_bytes`, of the keys and values of all layers.

    Raises:
        UserError: if the model has no attention, or the text has no token.
    """
    config = subject.model.config
    if not (config.has_attention and config.n_layers):
        raise ConfigError(
            f"This model has nothing to keep (attention='{config.attention}', "
            f"n_layers={config.n_layers}); choose a model with attention."
        )
    ids = subject.read(text)
    cache = Cache(config.n_layers, config.context)
    names = {name: f"blocks.0.attention.{name}" for name in ("rotated_key", "value")}
    with record(subject.model, *names.values()) as seen:
        subject.model(ids[None], cache)
    return {
        "n_tokens": len(ids),
        "n_layers": config.n_layers,
        "keys": seen[names["rotated_key"]][0].numpy(),
        "values": seen[names["value"]][0].numpy(),
        "n_bytes": cache.n_bytes,
    }


@torch.no_grad()
def cache_speed(subject: Subject, *, turn: int) -> Iterator[Found | None]:
    """Time one more token after texts of several lengths, with the cache and without it.

    Only the reading itself is timed, not what the worker does in between; of several tries the
    fastest counts, as anything else on the machine can only slow one down.

    Args:
        subject: the model.
        turn: makes the question a new one, to be measured again.

    Yields:
        None after each try; at the end `lengths`, how many tokens the text has with the new
        one; `with_cache` and `without_cache`, seconds of that one token; and `measured_at`, in
        seconds since 1970.
    """
    context = subject.model.config.context
    lengths = np.unique(np.linspace(1, context, min(MOST_LENGTHS, context)).astype(int))
    kept, plain = Reader(subject.model, use_cache=True), Reader(subject.model, use_cache=False)
    with_cache, without_cache = [], []
    for length in map(int, lengths):
        for reader in (kept, plain):
            while len(reader.visible) < length:
                reader.push(len(reader.visible) % subject.model.config.vocab_size)
        with_cache.append((yield from seconds_of_last(kept, length)))
        without_cache.append((yield from seconds_of_last(plain, length)))
    yield {
        "lengths": lengths,
        "with_cache": np.array(with_cache),
        "without_cache": np.array(without_cache),
        "measured_at": time.time(),
    }


def seconds_of_last(reader: Reader, length: int) -> Generator[None, None, float]:
    """Time the reading of the last of `length` tokens, a try at a time; returns the fastest."""
    reader.next_logits()  # what comes before it, and a warm-up
    tries = []
    for _ in range(N_TRIES):
        yield None
        if reader.cache is not None:
            reader.cache.length = length - 1  # the last token once again
        began = time.perf_counter()
        reader.next_logits()
        tries.append(time.perf_counter() - began)
    return min(tries)
