"""Two records say what corresponds to Hugging Face's LLaMA and GPT-2 classes here."""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Any

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError
from tiny_llama.hugging_face_layout import Choices, Layout, Values, WeightNames, one_of


def layout_for(config: ModelConfig) -> Layout:
    """Find the class that can express a setup.

    Raises:
        CheckpointError: if there is none; names all that stands in the way of the nearest one.
    """
    nearest = min(LAYOUTS, key=lambda layout: len(list(layout.missing(config))))
    if missing := list(nearest.missing(config)):
        raise CheckpointError(
            f"This model has no equivalent in Hugging Face: the nearest class there, "
            f"{nearest.class_name}, needs {', '.join(missing)}; train a model with these settings "
            "to write it in this format."
        )
    return nearest


def _write_llama(config: ModelConfig) -> dict[str, Any]:
    has_bias = config.bias == "all"
    return {
        "attention_bias": has_bias,
        "mlp_bias": has_bias,
        # transformers 4 and llama.cpp read the first of these, transformers 5 the second.
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }


def _read_llama(values: Values) -> dict[str, Any]:
    has_bias = {"none": (False,), "all": (True,)}
    bias = one_of(values, "attention_bias", has_bias)
    one_of(values, "mlp_bias", {bias: has_bias[bias]})
    return {"bias": bias, "rope_theta": _rope_theta(values)}


def _rope_theta(values: Values) -> Any:
    """Read the base of plain RoPE: `rope_parameters` (transformers 5) or `rope_theta` (before)."""
    theta = values.get("rope_theta", 10_000.0)
    for key in ("rope_scaling", "rope_parameters"):
        rope = values.get(key) or {}
        kind = rope.get("rope_type", rope.get("type", "default")) if type(rope) is dict else None
        if kind != "default" or set(rope) - {"rope_type", "type", "rope_theta"}:
            raise CheckpointError(f"{key}={short(rope)} is not supported, only plain RoPE is")
        theta = rope.get("rope_theta", theta)
    return theta


def _write_gpt2(config: ModelConfig) -> dict[str, Any]:
    return {"attn_pdrop": config.dropout, "embd_pdrop": config.dropout}


def _missing_gpt2(config: ModelConfig) -> Iterator[str]:
    """Name what keeps heads from being all alike and filling the model's width."""
    if config.kv_heads != config.n_heads:
        yield f"n_kv_heads={config.n_heads} (here {config.n_kv_heads})"
    if config.d_head and config.d_head * config.n_heads != config.d_model:
        yield f"d_head={config.d_model / config.n_heads:g} (here {config.d_head})"


_COMMON: Choices = {
    "norm_placement": ("pre",),
    "block": ("sequential",),
    "embedding_scale": (False,),
    "embedding_norm": (False,),
    "attention": ("causal",),
    "qk_norm": ("none",),
    "attention_softcap": (None,),
    "unembedding_bias": (False,),
    "logit_softcap": (None,),
}
"""What neither class leaves free."""

LLAMA = Layout(
    class_name="LlamaForCausalLM",
    model_type="llama",
    expressible={
        **_COMMON,
        "norm": ("rmsnorm",),
        "position": ("rope",),
        "rope_fraction": (1.0,),
        "nope_every": (None,),
        "feed_forward": ("swiglu", "geglu", "reglu"),
        "bias": ("none", "all"),
    },
    keys={
        "vocab_size": "vocab_size",
        "context": "max_position_embeddings",
        "n_layers": "num_hidden_layers",
        "d_model": "hidden_size",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "d_head": "head_dim",
        "d_hidden": "intermediate_size",
        "norm_eps": "rms_norm_eps",
        "tied_unembedding": "tie_word_embeddings",
        "dropout": "attention_dropout",
    },
    defaults={
        "max_position_embeddings": 2048,
        "num_key_value_heads": None,
        "head_dim": None,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "attention_dropout": 0.0,
        "attention_bias": False,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "quantization_config": None,
    },
    required={"quantization_config": None},
    activation_key="hidden_act",
    activations={
        "swiglu": ("silu", "swish"),
        "geglu": ("gelu_pytorch_tanh", "gelu_new"),
        "reglu": ("relu",),
    },
    weights=WeightNames(
        block_prefix="model.layers",
        of_block={
            "attention_norm": ("input_layernorm",),
            "attention.to_qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "attention.to_output": ("self_attn.o_proj",),
            "feed_forward_norm": ("post_attention_layernorm",),
            "feed_forward.to_gate": ("mlp.gate_proj",),
            "feed_forward.to_up": ("mlp.up_proj",),
            "feed_forward.to_down": ("mlp.down_proj",),
        },
        outer={
            "embedding": ("model.embed_tokens",),
            "norm": ("model.norm",),
            "unembedding": ("lm_head",),
        },
    ),
    write_rest=_write_llama,
    read_rest=_read_llama,
)
"""Of our dropouts, LlamaForCausalLM knows the one on attention patterns."""

GPT2 = Layout(
    class_name="GPT2LMHeadModel",
    model_type="gpt2",
    expressible={
        **_COMMON,
        "norm": ("layernorm",),
        "position": ("learned",),
        "feed_forward": ("gelu", "gelu_exact", "relu", "relu_squared"),
        "bias": ("all",),
    },
    keys={
        "vocab_size": "vocab_size",
        "context": "n_positions",
        "n_layers": "n_layer",
        "d_model": "n_embd",
        "n_heads": "n_head",
        "d_hidden": "n_inner",
        "norm_eps": "layer_norm_epsilon",
        "tied_unembedding": "tie_word_embeddings",
        "dropout": "resid_pdrop",
    },
    defaults={
        "n_positions": 1024,
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "resid_pdrop": 0.1,
        "initializer_range": 0.02,
        "quantization_config": None,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    },
    required={
        "quantization_config": None,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    },
    activation_key="activation_function",
    activations={
        "gelu": ("gelu_new", "gelu_pytorch_tanh"),
        "gelu_exact": ("gelu",),
        "relu": ("relu",),
        "relu_squared": ("relu2",),
    },
    weights=WeightNames(
        block_prefix="transformer.h",
        of_block={
            "attention_norm": ("ln_1",),
            "attention.to_qkv": ("attn.c_attn",),
            "attention.to_output": ("attn.c_proj",),
            "feed_forward_norm": ("ln_2",),
            "feed_forward.to_up": ("mlp.c_fc",),
            "feed_forward.to_down": ("mlp.c_proj",),
        },
        outer={
            "embedding": ("transformer.wte",),
            "position": ("transformer.wpe",),
            "norm": ("transformer.ln_f",),
            "unembedding": ("lm_head",),
        },
        transposes_blocks=True,
    ),
    write_rest=_write_gpt2,
    missing_rest=_missing_gpt2,
)
"""Where the three dropouts of GPT2LMHeadModel differ, the residual stream's is read."""

LAYOUTS = (LLAMA, GPT2)
"""The classes that can be written and read; the first wins a draw."""
