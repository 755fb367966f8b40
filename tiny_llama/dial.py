"""One dial: how deep a model is says how wide it is, and all the rest."""

from dataclasses import replace

from tiny_llama.config import ModelConfig


def by_depth(config: ModelConfig, n_layers: int) -> ModelConfig:
    """Grow or shrink a model by its depth: as many heads as layers, each as wide as before.

    The hidden layer follows by its rule, and queries share keys and values in groups of the size
    they had, where that divides the heads, else not at all. With LLaMA's heads of 128, the dial
    passes through LLaMA 7B and 13B and through GPT-3's 6.7B, 13B and 175B; real models off it are
    narrower (LLaMA 65B: 80 layers, 64 heads), or wider.

    Args:
        config: what to vary.
        n_layers: at least 1.

    Raises:
        ConfigError: if no such model can be built.
    """
    group = config.n_heads // config.kv_heads
    shares = group > 1 and n_layers % group == 0
    return replace(
        config,
        n_layers=n_layers,
        n_heads=n_layers,
        n_kv_heads=n_layers // group if shares else None,
        d_model=n_layers * config.head_width,
        d_head=None,
        d_hidden=None,
    )
