"""Rotary embeddings at work: a head's queries and keys before and after they are turned."""

import numpy as np
import torch
from torch import Tensor

from tiny_llama.analyses import Found
from tiny_llama.analyses.heads import check_layer
from tiny_llama.analyses.rotary_theory import average_scores_of_all, pair_scores
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.generation import check_finite
from tiny_llama.menu import POSITION
from tiny_llama.parts.positions.rope import Rope
from tiny_llama.tap import record

MOST_TOKENS = 256
"""Of a text: every query meets every key, pair by pair."""
MOST_DISTANCE = 512
_TAPS = ("query", "key", "rotated_query", "rotated_key")


def turned_head(subject: Subject, *, text: str, layer: int, head: int) -> Found:
    """Read a text and hand out one head's queries and keys before and after they are turned.

    Returns:
        `tokens`; `query`, `key`, `rotated_query`, `rotated_key`, `t e`; and `frequencies`, `e/2`.

    Raises:
        UserError: if the model has no such head or no RoPE, or the text has no token.
    """
    ids = subject.read(text, most=_most(subject))
    found = _read(subject, ids, layer, head)
    turns = _rope(subject, layer).frequencies().numpy()
    return {"tokens": subject.labels(ids), "frequencies": turns, **found}


def pair_shares(subject: Subject, *, text: str, layer: int, head: int) -> Found:
    """Show what each pair of coordinates adds to the scores of a head, distance by distance.

    Returns:
        All `e/2` or `e/2 d`, for distances from 0 on: `frequencies`; `by_distance`, the mean of
        what a pair adds to the scaled scores of that distance; `sizes_by_distance`, the mean of
        its size; `shares`, of all sizes together; `differences`, the pair's share of how the
        scores of one reader differ between its sources: its covariance with the score over the
        score's variance, all readers together (they sum to 1; NaN where nothing differs). Also
        what `turned_head` gives.

    Raises:
        UserError: if the model has no such head or no RoPE, or the text has fewer than two tokens.
    """
    subject.read(text, fewest=2)
    found = turned_head(subject, text=text, layer=layer, head=head)
    added = pair_scores(found["rotated_query"], found["rotated_key"]).astype(np.float64)
    seen = _seen(len(added), subject.model.config.window_of(layer))
    by_distance, sizes = _by_distance(added, seen), _by_distance(np.abs(added), seen)
    whole = np.abs(added)[seen].sum(0)
    return {
        **found,
        "by_distance": by_distance.astype(np.float32),
        "sizes_by_distance": sizes.astype(np.float32),
        "shares": whole / max(whole.sum(), 1e-30),
        "differences": _differences(added, seen),
    }


def decay(subject: Subject, *, text: str, layer: int, head: int) -> Found:
    """Show how a head's scores depend on the distance, if nothing but the distance changes.

    Every query of the text meets every key of the text at every distance, wherever they stand.

    Returns:
        For distances from 0 on: `means` and `spreads` of the scaled scores, `d`; `happened`, the
        mean score of the queries and keys that do stand so far apart in the text, NaN where none
        do, `d`; and `context`.

    Raises:
        UserError: if the model has no such head or no RoPE, or the text has no token.
    """
    found = turned_head(subject, text=text, layer=layer, head=head)
    config = subject.model.config
    distances = np.arange(min(4 * config.context, MOST_DISTANCE))
    means, spreads = average_scores_of_all(
        found["query"], found["key"], distances, found["frequencies"]
    )
    scores = found["rotated_query"] @ found["rotated_key"].T / config.head_width**0.5
    happened = np.full(len(distances), np.nan)
    seen = _seen(len(scores), config.window_of(layer))
    known = _by_distance(scores[..., None], seen)[0, : len(distances)]
    happened[: len(known)] = known
    return {
        "means": means,
        "spreads": spreads,
        "happened": happened,
        "context": config.context,
        "n_tokens": len(scores),
    }


def check_rope(subject: Subject) -> Rope:
    """Refuse a model whose positions are not rotary; return the scheme of most of its layers.

    Raises:
        ConfigError: if nothing turns in it, or not as in RoPE.
    """
    name, position = subject.model.config.position, subject.model.position
    if isinstance(position, Rope):
        return position
    what = (
        f"Queries and keys of this model turn otherwise than RoPE's pairs (position='{name}')"
        if POSITION[name].turns
        else f"Nothing turns in this model, which has position='{name}'"
    )
    raise ConfigError(f"{what}; choose one with position='rope', such as tales-llama.")


def check_turned(subject: Subject, layer: int) -> None:
    """Refuse a layer whose heads do not turn as a whole.

    Raises:
        ConfigError: if nothing turns in it, or only some coordinates do.
    """
    check_rope(subject)
    config = subject.model.config
    if config.theta_of(layer) is None:
        raise ConfigError(
            f"Nothing turns in layer {layer} of this model (nope_every={config.nope_every}); "
            f"choose another layer or model."
        )
    if config.turned_width < config.head_width:
        raise ConfigError(
            f"Only the first {config.turned_width} of the {config.head_width} coordinates of a "
            f"head turn in this model (rope_fraction={config.rope_fraction:g}), and these pictures "
            f"show heads that turn as a whole; choose a model with rope_fraction=1."
        )


def _read(subject: Subject, ids: Tensor, layer: int, head: int) -> dict[str, np.ndarray]:
    check_layer(subject, layer, head)
    check_turned(subject, layer)
    config = subject.model.config
    path = f"blocks.{layer}.attention."
    with torch.no_grad(), record(subject.model, *(path + name for name in _TAPS)) as seen:
        subject.model(ids[None])
    for tensor in seen.values():
        check_finite(tensor)
    group = head * config.kv_heads // config.n_heads
    return {
        name: seen[path + name][0, head if "query" in name else group].contiguous().numpy()
        for name in _TAPS
    }


def _rope(subject: Subject, layer: int) -> Rope:
    position = subject.model.position_of(layer)
    assert isinstance(position, Rope)
    return position


def _most(subject: Subject) -> int:
    return min(MOST_TOKENS, subject.most_tokens)


def _seen(n: int, window: int | None) -> np.ndarray:
    """Mark which source each reader can read, `t s`."""
    reader, source = np.mgrid[:n, :n]
    seen: np.ndarray = source <= reader
    return seen if window is None else seen & (source > reader - window)


def _by_distance(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Average `t s n` over all readers and sources of a distance, `n d`."""
    reader, source = np.nonzero(seen)
    distance = reader - source
    counts = np.bincount(distance)
    columns = values[reader, source].T.astype(np.float64)
    return np.stack([np.bincount(distance, weights=column) / counts for column in columns])


def _differences(added: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Compute each pair's part of the variance of scores between sources of a reader, `e/2`."""
    covariances, variance = np.zeros(added.shape[-1]), 0.0
    for reader in range(len(added)):
        parts = added[reader, seen[reader]]
        parts = parts - parts.mean(0)
        score = parts.sum(-1)
        covariances += score @ parts
        variance += float(score @ score)
    return covariances / variance if variance > 0 else np.full_like(covariances, np.nan)
