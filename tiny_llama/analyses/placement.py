"""Norm before or after each part: how large the gradient of each layer is at the first step."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.menu import NORM
from tiny_llama.model import TinyLlama
from tiny_llama.peak import pass_bytes

DEPTHS = (2, 6, 12, 24)
PLACEMENTS = ("pre", "post")
MOST_WIDTH, NARROW, NARROW_HEADS, NARROW_EXPERTS = 128, 64, 4, 4
"""A wider model is looked at in the narrow width, since 24 layers of its own would take long."""
MOST_BYTES = 80_000_000
"""So is one whose 24 layers would take more memory than this."""
MOST_TOKENS = 128


def placement(subject: Subject, *, text: str, std: float, scaled: bool) -> Iterator[Found | None]:
    """Build fresh models of several depths, and measure the first gradient of each layer.

    All are made from the model's own setup with the same seed; the loss is that of the text.
    Xiong et al. 2020, arXiv:2002.04745, section 3, derive what is to be seen.

    Args:
        subject: whose setup is taken.
        text: what they read, at most 128 tokens.
        std: of all starting weights: `init_std` and `embedding_std` of `ModelConfig`.
        scaled: whether those that write into the stream start smaller the deeper the model is,
            `ModelConfig.scaled_residual_init`.

    Yields:
        Nothing after each model, then `depths`, `n`; `gradients`, the length of the gradient over
        all weights of a layer, `2 n l`, pre-norm first, NaN beyond the last layer; `losses`, `2 n`
        (nats); `d_model` and `n_tokens` as used.

    Raises:
        ConfigError: if the model has no norm, or nothing in its layers, or parts that share one.
        TextError: if the text has fewer than two tokens.
    """
    config = _base(subject.model.config, std, scaled)
    ids = subject.read(text, fewest=2)[:MOST_TOKENS]
    gradients = np.full((len(PLACEMENTS), len(DEPTHS), max(DEPTHS)), np.nan)
    losses = np.zeros((len(PLACEMENTS), len(DEPTHS)))
    for row, where in enumerate(PLACEMENTS):
        for column, depth in enumerate(DEPTHS):
            variant = replace(config, n_layers=depth, norm_placement=where)
            loss, found = first_gradients(variant, subject.setup.training.seed, ids)
            gradients[row, column, :depth], losses[row, column] = found, loss
            yield None
    yield {
        "depths": np.array(DEPTHS),
        "gradients": gradients,
        "losses": losses,
        "d_model": config.d_model,
        "n_tokens": len(ids),
    }


@torch.enable_grad()
def first_gradients(config: ModelConfig, seed: int, ids: Tensor) -> tuple[float, list[float]]:
    """Give the loss of a fresh model on ids, `t`, and the length of each layer's gradient."""
    model = TinyLlama(config, seed=seed)
    loss = F.cross_entropy(model(ids[None, :-1])[0], ids[1:])
    loss.backward()
    return loss.item(), [_gradient_length(block) for block in model.blocks]


def _gradient_length(block: nn.Module) -> float:
    squares = [p.grad.square().sum() for p in block.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


def _base(config: ModelConfig, std: float, scaled: bool) -> ModelConfig:
    """Give the setup that all depths share."""
    if not NORM[config.norm].is_present:
        raise ConfigError(
            f"This model has no norm (norm={config.norm!r}), so there is nothing to place; choose "
            f"a model with RMSNorm or LayerNorm."
        )
    if not (config.has_attention or config.has_feed_forward):
        raise ConfigError(
            "This model has neither attention nor feed-forward, so its layers learn nothing; "
            "choose another model."
        )
    if config.block == "parallel":
        raise ConfigError(
            "The parts of this model share the norm before them (block='parallel'), which cannot "
            "stand after them; choose a model with block='sequential'."
        )
    config = replace(config, init_std=std, embedding_std=std, scaled_residual_init=scaled)
    config = replace(config, dropout=0.0)
    if config.d_model <= MOST_WIDTH and _bytes(config) <= MOST_BYTES:
        return config
    return replace(
        config,
        n_experts=min(config.n_experts, NARROW_EXPERTS),
        n_active_experts=min(config.n_active_experts, NARROW_EXPERTS),
        d_model=NARROW,
        n_heads=NARROW_HEADS,
        n_kv_heads=None,
        d_head=None,
        d_hidden=None,
    )


def _bytes(config: ModelConfig) -> int:
    """Count the bytes that the deepest model takes at its peak, weights and gradients included."""
    deepest = replace(config, n_layers=max(DEPTHS))
    return 2 * 4 * count_parameters(deepest) + pass_bytes(deepest, MOST_TOKENS)
