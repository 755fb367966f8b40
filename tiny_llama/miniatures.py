"""Miniatures: for each model of the family tree, a tiny setup with its own choices.

A miniature has Tiny LLaMA's size, the real model's parts and settings, and nothing of its width,
depth, vocabulary, epsilon or starting weights. Where sizes of one family differ, it has the choices
of one of them, and a sentence says what others have. Heads that share keys and values share them
two by two, since there are only four; windows are 32 tokens wide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tiny_llama.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Miniature:
    """A model of the family tree in small, or why there is none."""

    config: ModelConfig | None = None
    """None: not possible with what the menu has."""
    why_not: str = ""
    """One sentence, where there is no config."""
    leaves_out: str = ""
    """One sentence: what the real model has and this one has not."""
    hugging_face: str = ""
    """The class of transformers that the tests hold it equal to; empty: there is none."""


def _like(hugging_face: str, leaves_out: str = "", **choices: Any) -> Miniature:
    """Build a miniature that is Tiny LLaMA but for some choices."""
    config = replace(ModelConfig(), **choices)
    return Miniature(config=config, leaves_out=leaves_out, hugging_face=hugging_face)


def _not_possible(why: str) -> Miniature:
    return Miniature(why_not=why)


_GPT: Mapping[str, Any] = {
    "norm": "layernorm",
    "position": "learned",
    "feed_forward": "gelu",
    "bias": "all",
    "tied_unembedding": True,
}
_NEOX: Mapping[str, Any] = {
    "norm": "layernorm",
    "block": "parallel_two_norms",
    "rope_fraction": 0.25,
    "bias": "all",
}
_GEMMA: Mapping[str, Any] = {
    "feed_forward": "geglu",
    "tied_unembedding": True,
    "embedding_scale": True,
}
_GROUPED: Mapping[str, Any] = {"n_kv_heads": 2}
_QWEN2: Mapping[str, Any] = {**_GROUPED, "bias": "qkv", "rope_theta": 1e6}
_LLAMA3: Mapping[str, Any] = {**_GROUPED, "rope_theta": 5e5}

_LLAMA = _like("LlamaForCausalLM")
_MISTRAL = _like("MistralForCausalLM", **_GROUPED, attention="sliding")
_LLAMA_3_1 = _like("LlamaForCausalLM", "Its RoPE is scaled for a context of 128K.", **_LLAMA3)
_QWEN_2_5 = _like("Qwen2ForCausalLM", "Its small sizes tie the unembedding.", **_QWEN2)

_SMOL_MULTI_HEAD = "Its 1.7B size has keys and values for every head"
_NO_MLA = (
    "Its attention is multi-head latent attention (MLA), which squeezes keys and values into one "
    "narrow vector a token, and the menu has none."
)
_NO_RELATIVE = (
    "Its positions are Transformer-XL's relative ones: inside attention, waves of the distance "
    "pass a learned matrix and are compared with the query; the menu has none."
)

_GPT_KIN: Mapping[str, Miniature] = {
    "gpt-1": _like("OpenAIGPTLMHeadModel", **_GPT, norm_placement="post"),
    "gpt-2": _like("GPT2LMHeadModel", **_GPT),
    "gpt-3": _like(
        "",
        "The width of its bands and which kind of layer comes first are not published, so both are "
        "ours.",
        **_GPT,
        attention="alternating",
    ),
    "gpt-j": _like(
        "GPTJForCausalLM",
        norm="layernorm",
        block="parallel",
        rope_fraction=0.25,
        feed_forward="gelu",
        bias="feed_forward",
        unembedding_bias=True,
    ),
    "gpt-neox-20b": _like("GPTNeoXForCausalLM", **_NEOX, feed_forward="gelu"),
    "gopher": _not_possible(_NO_RELATIVE),
    "chinchilla": _not_possible(_NO_RELATIVE),
    "palm": _like(
        "",
        "It divides its logits by the root of the width where this one multiplies the embedding by "
        "it; both compute the same.",
        norm="layernorm_no_bias",
        block="parallel",
        n_kv_heads=1,
        d_hidden=256,
        tied_unembedding=True,
        embedding_scale=True,
    ),
    "opt": _like(
        "OPTForCausalLM",
        "Its 350M size norms after each part.",
        **{**_GPT, "feed_forward": "relu"},
    ),
    "bloom": _like("BloomForCausalLM", **{**_GPT, "position": "alibi"}, embedding_norm=True),
    "pythia": _like("GPTNeoXForCausalLM", **_NEOX, feed_forward="gelu_exact"),
    "redpajama-incite": _like(
        "GPTNeoXForCausalLM", norm="layernorm", feed_forward="gelu_exact", bias="all"
    ),
    "mpt": _like(
        "MptForCausalLM",
        norm="layernorm_no_bias",
        position="alibi",
        feed_forward="gelu_exact",
        tied_unembedding=True,
    ),
    "falcon": _like(
        "FalconForCausalLM",
        "Its 40B size has 8 key/value heads and a norm for each part.",
        norm="layernorm",
        block="parallel",
        n_kv_heads=1,
        feed_forward="gelu_exact",
        tied_unembedding=True,
    ),
}

_LLAMA_KIN: Mapping[str, Miniature] = {
    "llama-1": _LLAMA,
    "alpaca": _LLAMA,
    "alpaca-lora": _LLAMA,
    "vicuna": _LLAMA,
    "koala": _LLAMA,
    "llava": replace(_LLAMA, leaves_out="The part of it that sees pictures is not there."),
    "wizardlm": replace(_LLAMA, leaves_out="Its 70B size, on Llama 2, has grouped queries."),
    "lima": _LLAMA,
    "guanaco": _LLAMA,
    "orca": _LLAMA,
    "openllama": _LLAMA,
    "baichuan-7b": _LLAMA,
    "llama-2": replace(_LLAMA, leaves_out="Its 70B size has grouped queries."),
    "sheared-llama": _LLAMA,
    "tinystories-llama2c": _like(
        "LlamaForCausalLM", "Its 260K size has grouped queries.", tied_unembedding=True
    ),
    "code-llama": _like(
        "LlamaForCausalLM", "Its 34B and 70B sizes have grouped queries.", rope_theta=1e6
    ),
    "llama-3": _like("LlamaForCausalLM", **_LLAMA3),
    "llama-3.1": _LLAMA_3_1,
    "llama-3.2": _like(
        "LlamaForCausalLM",
        "Its RoPE is scaled for a context of 128K, and its 11B and 90B sizes see pictures.",
        **_LLAMA3,
        tied_unembedding=True,
    ),
    "llama-3.3": _LLAMA_3_1,
    "r1-distill-llama": _LLAMA_3_1,
    "llama-4": _not_possible(
        "The menu lacks three of its parts: an expert that every token shares, a router that "
        "weighs its one choice by a sigmoid, and attention within chunks of 8192 tokens."
    ),
    "yi": _like("LlamaForCausalLM", **_GROUPED, rope_theta=5e6),
    "deepseek-llm": replace(_LLAMA, leaves_out="Its 67B size has grouped queries."),
    "solar": _like("LlamaForCausalLM", **_GROUPED),
    "tinyllama": _like("LlamaForCausalLM", **_GROUPED),
    "phi-3": _like(
        "Phi3ForCausalLM",
        "Its 4K version was released with a window of 2,047 tokens; its long contexts turn by "
        "LongRoPE.",
    ),
    "smollm": _like("LlamaForCausalLM", _SMOL_MULTI_HEAD + ".", **_GROUPED, tied_unembedding=True),
    "smollm2": _like(
        "LlamaForCausalLM",
        _SMOL_MULTI_HEAD + " and a theta of 130,000.",
        **_GROUPED,
        tied_unembedding=True,
        rope_theta=1e5,
    ),
    "smollm3": _like(
        "SmolLM3ForCausalLM",
        "Its RoPE is stretched by YaRN for long contexts, and it has four layers here so that one "
        "turns nothing.",
        **_GROUPED,
        tied_unembedding=True,
        n_layers=4,
        rope_theta=5e6,
        nope_every=4,
    ),
}

_OTHERS: Mapping[str, Miniature] = {
    "mistral-7b": _MISTRAL,
    "zephyr": _MISTRAL,
    "mixtral": _like(
        "MixtralForCausalLM",
        "The loss that it adds in training to keep its experts equally busy is left out.",
        **_GROUPED,
        rope_theta=1e6,
        feed_forward="moe_swiglu",
    ),
    "qwen-1": _like(
        "Qwen2ForCausalLM",
        "Beyond its context it turns by other frequencies and scales its queries.",
        bias="qkv",
    ),
    "qwen1.5": _like(
        "Qwen2ForCausalLM",
        "Its 0.5B size ties the unembedding; its 32B and 110B sizes have grouped queries.",
        bias="qkv",
        rope_theta=1e6,
    ),
    "qwen2": _QWEN_2_5,
    "qwen2.5": _QWEN_2_5,
    "r1-distill-qwen": _like(
        "Qwen2ForCausalLM",
        "Its 14B and 32B sizes have a theta of 1,000,000.",
        **_GROUPED,
        bias="qkv",
    ),
    "qwen3": _like(
        "Qwen3ForCausalLM",
        "Its small sizes tie the unembedding; its mixtures, 30B-A3B and 235B-A22B, have 128 "
        "experts, of which 8 work on a token.",
        **_GROUPED,
        rope_theta=1e6,
        qk_norm="head",
    ),
    "gemma": _like(
        "GemmaForCausalLM",
        "Its 7B size has keys and values for every head.",
        **_GEMMA,
        n_kv_heads=1,
    ),
    "gemma-2": _like(
        "Gemma2ForCausalLM",
        "Its 27B size divides scores by another number than the root of the head's width.",
        **_GEMMA,
        **_GROUPED,
        norm_placement="both",
        attention="local_global",
        attention_softcap=50.0,
        logit_softcap=30.0,
    ),
    "gemma-3": _like(
        "Gemma3ForCausalLM",
        "Its larger sizes see pictures and stretch their RoPE for long contexts, its 1B has one "
        "key/value head, and it has six layers here so that one reads everything.",
        **_GEMMA,
        **_GROUPED,
        n_layers=6,
        norm_placement="both",
        attention="five_local",
        qk_norm="head",
        rope_theta=1e6,
        rope_theta_local=1e4,
    ),
    "olmo": _like("OlmoForCausalLM", "Its 1B size ties the unembedding.", norm="layernorm_plain"),
    "olmo-2": _like(
        "Olmo2ForCausalLM",
        "Its 32B size has grouped queries.",
        norm_placement="output",
        qk_norm="all",
        rope_theta=5e5,
    ),
    "deepseek-v2": _not_possible(_NO_MLA),
    "deepseek-v3": _not_possible(_NO_MLA),
    "deepseek-r1": _not_possible(_NO_MLA),
    "kimi-k2": _not_possible(_NO_MLA),
    "gpt-oss": _not_possible(
        "The menu lacks its attention sinks, a learned score in each head's softmax that reads "
        "nothing, and its clamped gate."
    ),
}

MINIATURES: Mapping[str, Miniature] = {**_GPT_KIN, **_LLAMA_KIN, **_OTHERS}
"""Every model of the family tree by its id there."""


def real_models(config: ModelConfig) -> Sequence[str]:
    """Name the models of the family tree that a config is the miniature of, by their ids there.

    The vocabulary does not count: a tokenizer decides it.
    """
    return _names().get(_of_usual_vocabulary(config), ())


@cache
def _names() -> Mapping[ModelConfig, Sequence[str]]:
    """Sort the models by what their miniatures are but for the vocabulary."""
    names: dict[ModelConfig, list[str]] = {}
    for name, each in MINIATURES.items():
        if each.config:
            names.setdefault(_of_usual_vocabulary(each.config), []).append(name)
    return names


def _of_usual_vocabulary(config: ModelConfig) -> ModelConfig:
    return replace(config, vocab_size=ModelConfig.vocab_size)
