"""Named setups: tiny ones to train here, and real ones, by their published shapes, to count.

Where each real shape comes from stands, source by source, in the facts that the tests hold these
tables against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.train_config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named setup; a real model's is for counting, far too large to train here."""

    title: str
    config: ModelConfig
    is_tiny: bool = False
    learning_rate: float = TrainConfig.learning_rate
    """Where its training begins: lower the wider a model is, as 1/width, which keeps what a step
    changes alike (Yang et al. 2022, arXiv:2203.03466)."""
    note: str = ""
    """One sentence, where the real model has something that this config cannot say."""


def find_preset(name: str) -> Preset:
    """Look a preset up by its name.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset={name!r} is not on the list; choose {', '.join(PRESETS)}.")
    return PRESETS[name]


def _tiny() -> dict[str, Preset]:
    llama = ModelConfig()
    gpt3 = replace(llama, **_GPT3)
    return {
        "tiny-llama": Preset(title="Tiny LLaMA", config=llama, is_tiny=True),
        "small-llama": Preset(
            title="Small LLaMA",
            config=replace(llama, d_model=96, n_layers=6, n_heads=6),
            is_tiny=True,
            learning_rate=0.004,
        ),
        "medium-llama": Preset(
            title="Medium LLaMA",
            config=replace(llama, d_model=128, n_layers=8, n_heads=8),
            is_tiny=True,
            learning_rate=0.003,
        ),
        "tiny-gpt3": Preset(title="Tiny GPT-3", config=gpt3, is_tiny=True),
    }


_REAL: dict[str, Any] = {"init_std": 0.02, "embedding_std": 0.02}
_LLAMA: dict[str, Any] = {"hidden_multiple": 256, "norm_eps": 1e-5, "vocab_size": 32_000}
_GPT: dict[str, Any] = {
    "norm": "layernorm",
    "position": "learned",
    "feed_forward": "gelu",
    "bias": "all",
    "tied_unembedding": True,
    "norm_eps": 1e-5,
}
_GPT3: dict[str, Any] = _GPT | {"attention": "alternating"}
"""The width of GPT-3's bands is not published; a preset's `window` is ours and moves no count of
parameters."""
_QWEN: dict[str, Any] = {"norm_eps": 1e-6, "rope_theta": 1e6}
_GEMMA: dict[str, Any] = {
    "feed_forward": "geglu",
    "tied_unembedding": True,
    "embedding_scale": True,
    "norm_eps": 1e-6,
    "vocab_size": 256_000,
    "context": 8192,
    "d_head": 256,
}
_SMOL: dict[str, Any] = {"vocab_size": 49_152, "context": 8192, "tied_unembedding": True}
_STORIES: dict[str, Any] = {"vocab_size": 32_000, "tied_unembedding": True}


def _real(  # one row of a table reads best on one line
    title: str,
    d_model: int,
    n_layers: int,
    n_heads: int,
    shared: Mapping[str, Any],
    *,
    note: str = "",
    **own: Any,
) -> Preset:
    sizes: dict[str, Any] = {"d_model": d_model, "n_layers": n_layers, "n_heads": n_heads}
    config = ModelConfig(**_REAL, **{**shared, **own}, **sizes)
    return Preset(title=title, config=config, note=note)


def _llama_1() -> dict[str, Preset]:
    shared = _LLAMA | {"context": 2048, "norm_eps": 1e-6}
    return {
        "llama-1-7b": _real("LLaMA 7B", 4096, 32, 32, shared),
        "llama-1-13b": _real("LLaMA 13B", 5120, 40, 40, shared),
        "llama-1-33b": _real("LLaMA 33B", 6656, 60, 52, shared),
        "llama-1-65b": _real("LLaMA 65B", 8192, 80, 64, shared, norm_eps=1e-5),
    }


def _llama_2() -> dict[str, Preset]:
    shared = _LLAMA | {"context": 4096}
    code = _LLAMA | {"context": 16_384, "rope_theta": 1e6}
    return {
        "llama-2-7b": _real("Llama 2 7B", 4096, 32, 32, shared),
        "llama-2-13b": _real("Llama 2 13B", 5120, 40, 40, shared),
        "llama-2-70b": _real("Llama 2 70B", 8192, 80, 64, shared, n_kv_heads=8, d_hidden=28_672),
        "codellama-7b": _real("Code Llama 7B", 4096, 32, 32, code, vocab_size=32_016),
        "codellama-34b": _real("Code Llama 34B", 8192, 48, 64, code, n_kv_heads=8),
    }


def _llama_3() -> dict[str, Preset]:
    shared = {"vocab_size": 128_256, "context": 8192, "rope_theta": 5e5, "n_kv_heads": 8}
    long = shared | {"context": 131_072}
    return {
        "llama-3-8b": _real("Llama 3 8B", 4096, 32, 32, shared, d_hidden=14_336),
        "llama-3-70b": _real("Llama 3 70B", 8192, 80, 64, shared, d_hidden=28_672),
        "llama-3.1-405b": _real("Llama 3.1 405B", 16_384, 126, 128, long, d_hidden=53_248),
        "llama-3.2-1b": _real(
            "Llama 3.2 1B", 2048, 16, 32, long, d_hidden=8192, tied_unembedding=True
        ),
        "llama-3.2-3b": _real(
            "Llama 3.2 3B", 3072, 28, 24, long, d_hidden=8192, tied_unembedding=True
        ),
    }


def _llama_kin() -> dict[str, Preset]:
    """Give models of others that follow LLaMA's architecture."""
    shared = _LLAMA | {"context": 2048}
    return {
        "tinyllama-1.1b": _real(
            "TinyLlama 1.1B", 2048, 22, 32, shared, n_kv_heads=4, d_hidden=5632
        ),
        "open-llama-3b": _real("OpenLLaMA 3B", 3200, 26, 32, shared, d_hidden=8640, norm_eps=1e-6),
        "mistral-7b": _real(
            "Mistral 7B",
            4096,
            32,
            32,
            shared,
            context=8192,
            n_kv_heads=8,
            d_hidden=14_336,
            attention="sliding",
            window=4096,
        ),
        "mixtral-8x7b": _real(
            "Mixtral 8x7B",
            4096,
            32,
            32,
            shared,
            context=32_768,
            rope_theta=1e6,
            n_kv_heads=8,
            d_hidden=14_336,
            feed_forward="moe_swiglu",
        ),
        "qwen2.5-0.5b": _real(
            "Qwen2.5 0.5B",
            896,
            24,
            14,
            _QWEN,
            n_kv_heads=2,
            d_hidden=4864,
            bias="qkv",
            vocab_size=151_936,
            context=32_768,
            tied_unembedding=True,
        ),
        "qwen2.5-7b": _real(
            "Qwen2.5 7B",
            3584,
            28,
            28,
            _QWEN,
            n_kv_heads=4,
            d_hidden=18_944,
            bias="qkv",
            vocab_size=152_064,
            context=131_072,
        ),
        "qwen3-8b": _real(
            "Qwen3 8B",
            4096,
            36,
            32,
            _QWEN,
            n_kv_heads=8,
            d_hidden=12_288,
            qk_norm="head",
            vocab_size=151_936,
            context=40_960,
        ),
        "gemma-2b": _real("Gemma 2B", 2048, 18, 8, _GEMMA, n_kv_heads=1, d_hidden=16_384),
        "gemma-7b": _real("Gemma 7B", 3072, 28, 16, _GEMMA, d_hidden=24_576),
        "smollm2-135m": _real(
            "SmolLM2 135M", 576, 30, 9, _SMOL, n_kv_heads=3, d_hidden=1536, rope_theta=1e5
        ),
        "smollm2-360m": _real(
            "SmolLM2 360M", 960, 32, 15, _SMOL, n_kv_heads=5, d_hidden=2560, rope_theta=1e5
        ),
        "smollm2-1.7b": _real("SmolLM2 1.7B", 2048, 24, 32, _SMOL, d_hidden=8192, rope_theta=1.3e5),
        "stories260k": _real(
            "Stories 260K",
            64,
            5,
            8,
            _STORIES,
            n_kv_heads=4,
            d_hidden=172,
            vocab_size=512,
            context=512,
        ),
        "stories15m": _real("Stories 15M", 288, 6, 6, _STORIES, d_hidden=768, context=256),
        "stories42m": _real("Stories 42M", 512, 8, 8, _STORIES, d_hidden=1376, context=1024),
        "stories110m": _real("Stories 110M", 768, 12, 12, _STORIES, d_hidden=2048, context=1024),
    }


def _gpt() -> dict[str, Preset]:
    gpt2 = _GPT | {"vocab_size": 50_257, "context": 1024}
    gpt3 = _GPT3 | {"vocab_size": 50_257, "context": 2048, "window": 256}
    return {
        "gpt2-124m": _real("GPT-2 124M", 768, 12, 12, gpt2),
        "gpt2-355m": _real("GPT-2 355M", 1024, 24, 16, gpt2),
        "gpt2-774m": _real("GPT-2 774M", 1280, 36, 20, gpt2),
        "gpt2-1.5b": _real("GPT-2 1.5B", 1600, 48, 25, gpt2),
        "gpt3-small": _real("GPT-3 Small", 768, 12, 12, gpt3),
        "gpt3-medium": _real("GPT-3 Medium", 1024, 24, 16, gpt3),
        "gpt3-large": _real("GPT-3 Large", 1536, 24, 16, gpt3),
        "gpt3-xl": _real("GPT-3 XL", 2048, 24, 16, gpt3),
        "gpt3-2.7b": _real("GPT-3 2.7B", 2560, 32, 32, gpt3),
        "gpt3-6.7b": _real("GPT-3 6.7B", 4096, 32, 32, gpt3),
        "gpt3-13b": _real("GPT-3 13B", 5120, 40, 40, gpt3),
        "gpt3-175b": _real("GPT-3 175B", 12_288, 96, 96, gpt3),
    }


def _gpt_kin() -> dict[str, Preset]:
    """Give models of others in the manner of GPT-3; most turn a quarter of each head."""
    shared = {"norm": "layernorm", "context": 2048}
    neox = shared | {"block": "parallel_two_norms", "rope_fraction": 0.25, "bias": "all"}
    opt = {**_GPT, "feed_forward": "relu", "context": 2048, "vocab_size": 50_272}
    return {
        "gpt-j-6b": _real(
            "GPT-J 6B",
            4096,
            28,
            16,
            shared,
            block="parallel",
            rope_fraction=0.25,
            feed_forward="gelu",
            bias="feed_forward",
            unembedding_bias=True,
            vocab_size=50_400,
        ),
        "gpt-neox-20b": _real(
            "GPT-NeoX 20B", 6144, 44, 64, neox, feed_forward="gelu", vocab_size=50_432
        ),
        "pythia-6.9b": _real(
            "Pythia 6.9B", 4096, 32, 32, neox, feed_forward="gelu_exact", vocab_size=50_432
        ),
        "opt-6.7b": _real("OPT 6.7B", 4096, 32, 32, opt, note=_OPT_ROWS),
        "opt-175b": _real("OPT 175B", 12_288, 96, 96, opt, note=_OPT_ROWS),
    }


_OPT_ROWS = (
    "Its code counts positions from 2 on, so its table has two rows more than its context, "
    "2 × d_model parameters that this count leaves out."
)


PRESETS: Mapping[str, Preset] = {
    **_tiny(),
    **_llama_1(),
    **_llama_2(),
    **_llama_3(),
    **_llama_kin(),
    **_gpt(),
    **_gpt_kin(),
}
