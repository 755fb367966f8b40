"""The diagram of a model, made from its config: what computes, and the tensors between.

Four panels, from the whole to the parts: the model, one block, its attention, its feed-forward.
Nothing here says where anything stands or how it looks; whoever draws decides that. The tests hold
every tensor's shape against what a real forward pass hands on there.
"""

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.attention import attention_panel
from tiny_llama.diagram.block import block_panel
from tiny_llama.diagram.boxes import kinds_of_layers
from tiny_llama.diagram.feed_forward import feed_forward_panel
from tiny_llama.diagram.model import model_panel
from tiny_llama.diagram.records import AXES, Box, Panel, Wire

__all__ = ["AXES", "Box", "Panel", "Wire", "diagram", "kinds_of_layers"]


def diagram(config: ModelConfig, *, layer: int = 0, n_tokens: int | None = None) -> list[Panel]:
    """Say what a model is made of.

    Args:
        config: any setup.
        layer: which layer to open, counted from 0, where they differ.
        n_tokens: how many tokens it reads at once; None: its context.
    """
    sizes = _sizes(config, n_tokens or config.context)
    panels = [model_panel(config, sizes)]
    if config.n_layers:
        panels.append(block_panel(config, layer, sizes))
        if config.has_attention:
            panels.append(attention_panel(config, layer, sizes))
        if config.has_feed_forward:
            panels.append(feed_forward_panel(config, layer, sizes))
    return panels


def _sizes(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    return {
        "t": n_tokens,
        "s": n_tokens,
        "d": config.d_model,
        "h": config.n_heads,
        "g": config.kv_heads,
        "e": config.head_width,
        "f": config.hidden_width,
        "n": config.n_experts,
        "k": config.n_active_experts,
        "v": config.vocab_size,
    }
