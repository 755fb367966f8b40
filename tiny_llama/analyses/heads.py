"""The attention of a whole model at a glance, and of one layer token by token."""

from collections.abc import Callable

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.roles import role_scores, separators
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.tap import change

MOST_CELLS = 64
"""Rows and columns of a small map; of a longer text, each cell shows the most of several."""


def heads(subject: Subject, *, text: str) -> Found:
    """Show all heads of all layers: a small map each, and what role it plays.

    Returns:
        `tokens`; `ids`, `t`; `maps`, `l h n n`, 0 to 255, of which cell i stands for the tokens
        from i * `cell` on; and `roles`, `l h 6` in the order of `ROLES`.

    Raises:
        UserError: if the model has no attention, or the text has no token.
    """
    ids = subject.read(text)
    cell = -(-len(ids) // MOST_CELLS)
    maps: list[np.ndarray] = []
    roles: list[np.ndarray] = []

    def look(layer: int, pattern: np.ndarray) -> None:
        maps.append(np.rint(255 * _pooled(pattern, cell)).astype(np.uint8))
        roles.append(roles_of(subject, layer, pattern, ids))

    look_at_patterns(subject, ids, look)
    return {
        "tokens": subject.labels(ids),
        "ids": ids.numpy(),
        "cell": cell,
        "maps": np.stack(maps),
        "roles": np.stack(roles),
    }


def layer(subject: Subject, *, text: str, layer: int, first: int, most: int) -> Found:
    """Show the heads of one layer, token by token, in a window of the text.

    Args:
        subject: the model.
        text: what it reads.
        layer: which layer, from 0.
        first: where the window begins, from 0.
        most: how many tokens the window has at the most.

    Returns:
        `tokens` of the window, `n`; `first`, where it begins after all; `patterns`, `h n n`, whose
        rows sum to less than 1 where what is read lies before the window; `roles` over the whole
        text, `h 6`; and `window`, how many tokens a token can read (None: all before it).

    Raises:
        UserError: if the model has no such layer, no attention, or the text has no token.
    """
    check_layer(subject, layer)
    ids = subject.read(text)
    pattern = read_pattern(subject, ids, layer)
    first = max(0, min(first, len(ids) - most))
    shown = slice(first, first + most)
    window = subject.model.config.window_of(layer)
    return {
        "tokens": subject.labels(ids[shown]),
        "first": first,
        "patterns": pattern[:, shown, shown],
        "roles": roles_of(subject, layer, pattern, ids),
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


def read_pattern(subject: Subject, ids: torch.Tensor, layer: int) -> np.ndarray:
    """Compute how much each token reads from each, in all heads of a layer, `h t s`."""
    found: list[np.ndarray] = []

    def look(number: int, pattern: np.ndarray) -> None:
        if number == layer:
            found.append(pattern)

    look_at_patterns(subject, ids, look)
    return found[0]


@torch.no_grad()
def look_at_patterns(
    subject: Subject, ids: torch.Tensor, look: Callable[[int, np.ndarray], None]
) -> None:
    """Let a model read ids, and look at how much each token reads from each, layer by layer.

    Args:
        subject: the model.
        ids: what it reads, `t`.
        look: called with each layer's number and its pattern, `h t s`; that of no other layer is
            in memory then, as all together may be a hundred times the model.

    Raises:
        ConfigError: if the model has no attention.
    """
    check_attention(subject)

    def looking(layer: int) -> Callable[[torch.Tensor], torch.Tensor]:
        def see(pattern: torch.Tensor) -> torch.Tensor:
            look(layer, pattern[0].numpy())
            return pattern

        return see

    layers = range(subject.model.config.n_layers)
    with change(subject.model, {f"blocks.{n}.attention.pattern": looking(n) for n in layers}):
        subject.model.read(ids[None])


def roles_of(subject: Subject, layer: int, pattern: np.ndarray, ids: torch.Tensor) -> np.ndarray:
    """Compute the role scores of a layer's heads, `h 6`, by the layer's own window."""
    window = subject.model.config.window_of(layer)
    return role_scores(pattern, ids.numpy(), window, separators(subject.labels(ids)))


def _pooled(pattern: np.ndarray, cell: int) -> np.ndarray:
    """Keep the most of each square of `cell` tokens of `h t s`: a thin line stays visible."""
    missing = -pattern.shape[-1] % cell
    padded = np.pad(pattern, [(0, 0), (0, missing), (0, missing)])
    n = padded.shape[-1] // cell
    most: np.ndarray = padded.reshape(len(padded), n, cell, n, cell).max((2, 4))
    return most
