"""The attention of a whole model at a glance, and of one layer token by token."""

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.roles import role_scores
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.tap import record

MOST_CELLS = 64
"""Rows and columns of a small map; of a longer text, each cell shows the most of several."""


def heads(subject: Subject, *, text: str) -> Found:
    """All heads of all layers: a small map each, and what role it plays.

    Returns:
        `tokens`; `ids`, `t`; `maps`, `l h n n`, 0 to 255, of which cell i stands for the tokens
        from i * `cell` on; and `roles`, `l h 5` in the order of `ROLES`.

    Raises:
        UserError: if the model has no attention, or the text has no token.
    """
    ids = subject.read(text)
    patterns = read_patterns(subject, ids)
    cell = -(-len(ids) // MOST_CELLS)
    return {
        "tokens": subject.labels(ids),
        "ids": ids.numpy(),
        "cell": cell,
        "maps": np.rint(255 * _pooled(patterns, cell)).astype(np.uint8),
        "roles": layer_roles(subject, patterns, ids.numpy()),
    }


def layer(subject: Subject, *, text: str, layer: int, first: int, most: int) -> Found:
    """The heads of one layer, token by token, in a window of the text.

    Args:
        subject: the model.
        text: what it reads.
        layer: which layer, from 0.
        first: where the window begins, from 0.
        most: how many tokens the window has at the most.

    Returns:
        `tokens` of the window, `n`; `first`, where it begins after all; `patterns`, `h n n`, whose
        rows sum to less than 1 where what is read lies before the window; `roles` over the whole
        text, `h 5`; and `window`, how many tokens a token can read (None: all before it).

    Raises:
        UserError: if the model has no such layer, no attention, or the text has no token.
    """
    check_layer(subject, layer)
    ids = subject.read(text)
    pattern = read_patterns(subject, ids)[layer]
    first = max(0, min(first, len(ids) - most))
    shown = slice(first, first + most)
    window = subject.model.config.window_of(layer)
    return {
        "tokens": subject.labels(ids[shown]),
        "first": first,
        "patterns": pattern[:, shown, shown],
        "roles": role_scores(pattern, ids.numpy(), window),
        "window": window,
    }


def check_layer(subject: Subject, layer: int, head: int = 0) -> None:
    """Refuse a layer or a head that the model does not have.

    Raises:
        ConfigError: if it has no attention, or no such layer or head.
    """
    check_attention(subject)
    config = subject.model.config
    if not (0 <= layer < config.n_layers and 0 <= head < config.n_heads):
        raise ConfigError(
            f"layer={layer}, head={head} does not exist: this model has {config.n_layers} layers "
            f"of {config.n_heads} heads, counted from 0; choose one of them."
        )


def check_attention(subject: Subject) -> None:
    """Refuse a model without attention.

    Raises:
        ConfigError: if it has none.
    """
    config = subject.model.config
    if not (config.has_attention and config.n_layers):
        raise ConfigError(
            f"This model has no attention to look at (attention='{config.attention}', "
            f"n_layers={config.n_layers}); choose another model."
        )


def read_patterns(subject: Subject, ids: torch.Tensor) -> np.ndarray:
    """How much each token reads from each, in all layers and heads, `l h t s`.

    Raises:
        ConfigError: if the model has no attention.
    """
    check_attention(subject)
    with torch.no_grad(), record(subject.model, "blocks.*.attention.pattern") as seen:
        subject.model(ids[None])
    return torch.cat(list(seen.values())).numpy()


def layer_roles(subject: Subject, patterns: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The role scores of all heads, `l h 5`, each layer by its own window."""
    windows = [subject.model.config.window_of(layer) for layer in range(len(patterns))]
    return np.stack(
        [
            role_scores(pattern, ids, window)
            for pattern, window in zip(patterns, windows, strict=True)
        ]
    )


def _pooled(patterns: np.ndarray, cell: int) -> np.ndarray:
    """The most of each square of `cell` tokens: a thin line stays visible."""
    missing = -patterns.shape[-1] % cell
    padded = np.pad(patterns, [(0, 0), (0, 0), (0, missing), (0, missing)])
    n = padded.shape[-1] // cell
    most: np.ndarray = padded.reshape(*padded.shape[:2], n, cell, n, cell).max((3, 5))
    return most
