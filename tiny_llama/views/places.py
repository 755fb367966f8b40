"""At which places and by which steps norms and units are measured; needs no PyTorch."""

import numpy as np

from tiny_llama.config import ModelConfig

FACTORS = np.logspace(-6, 6, 49)
"""What is multiplied by, to see whether a norm notices."""
SHIFTS = np.linspace(-3, 3, 25)
"""What is added to every number, likewise, in units of the root mean square of the whole text."""
THRESHOLDS = np.logspace(-3, 1, 41)
"""Of hidden values near zero, as shares of their layer's root mean square."""


def norm_places(config: ModelConfig) -> dict[int, str]:
    """What each norm of a model stands at, or would stand at, in order.

    Place 2l belongs to the attention of layer l, place 2l + 1 to its feed-forward, both counted
    from 0; the last one, 2 n_layers, to the output, which has a norm of its own in pre-norm models
    alone.
    """
    before = config.norm_placement == "pre"
    word = "Before" if before else "After"
    places = {}
    for layer in range(config.n_layers):
        if config.has_attention:
            places[2 * layer] = f"{word} attention, layer {layer}"
        if config.has_feed_forward:
            places[2 * layer + 1] = f"{word} feed-forward, layer {layer}"
    if before:
        places[2 * config.n_layers] = "Before the output"
    return places


def stream_places(config: ModelConfig) -> list[str]:
    """Where the residual stream is measured: embedded, and after each part of each layer."""
    parts = [
        f"{name}, layer {layer}"
        for layer in range(config.n_layers)
        for name in ("attention", "feed-forward")
    ]
    return ["embedding", *parts]
