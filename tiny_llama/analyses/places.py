"""At which places and by which steps norms and units are measured; needs no PyTorch."""

from collections.abc import Mapping

import numpy as np

from tiny_llama.config import ModelConfig
from tiny_llama.menu import NORM_PLACEMENT

FACTORS = np.logspace(-6, 6, 49)
"""What is multiplied by, to see whether a norm notices."""
SHIFTS = np.linspace(-3, 3, 25)
"""What is added to every number, likewise, in units of the root mean square of the whole text."""
BLOCK_NORMS: Mapping[str, tuple[int, bool]] = {
    "attention_norm": (0, False),
    "attention_output_norm": (0, True),
    "feed_forward_norm": (1, False),
    "feed_forward_output_norm": (1, True),
}
"""Norms of a block as a token meets them: of which part, and whether on what that part gives."""
THRESHOLDS = np.logspace(-3, 1, 41)
"""Of hidden values near zero, as shares of their layer's root mean square."""


def norm_places(config: ModelConfig) -> dict[int, str]:
    """Say what each norm of a model stands at, or would stand at, in the order of reading.

    Place 2l belongs to the attention of layer l, place 2l + 1 to its feed-forward, both counted
    from 0, and place 2 n_layers to the output; the norms on what those parts give follow from
    2 n_layers + 1 on, two a layer.
    """
    after = NORM_PLACEMENT[config.norm_placement].after
    places = {
        place_of(config, name, layer): f"{_titles(config)[name]}, layer {layer}"
        for layer in range(config.n_layers)
        for name in BLOCK_NORMS
        if name in config.block_norms
    }
    return places if after else {**places, 2 * config.n_layers: "Before the output"}


def place_of(config: ModelConfig, name: str, layer: int) -> int:
    """Give the place of a layer's norm of this name."""
    part, is_on_output = BLOCK_NORMS[name]
    first = 2 * config.n_layers + 1 if is_on_output else 0
    return first + 2 * layer + part


def norm_at(config: ModelConfig, place: int) -> tuple[str, int | None]:
    """Give the name of the norm at a place, and its layer; None: the one before the output."""
    for layer in range(config.n_layers):
        for name in config.block_norms:
            if place_of(config, name, layer) == place:
                return name, layer
    return "norm", None


def _titles(config: ModelConfig) -> dict[str, str]:
    word = "After" if NORM_PLACEMENT[config.norm_placement].after else "Before"
    parts = {"attention": config.has_attention, "feed-forward": config.has_feed_forward}
    shared = " and ".join(name for name, is_there in parts.items() if is_there)
    return {
        "attention_norm": f"{word} {shared if config.block == 'parallel' else 'attention'}",
        "attention_output_norm": "On what attention gives",
        "feed_forward_norm": f"{word} feed-forward",
        "feed_forward_output_norm": "On what feed-forward gives",
    }


def stream_places(config: ModelConfig) -> list[str]:
    """Say where the residual stream is measured: embedded, and after each part of each layer."""
    parts = [
        f"{name}, layer {layer}"
        for layer in range(config.n_layers)
        for name in ("attention", "feed-forward")
    ]
    return ["embedding", *parts]
