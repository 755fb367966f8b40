"""What in Hugging Face's LLaMA and GPT-2 classes corresponds to what here: settings and weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from reprlib import repr as short
from typing import Any, ClassVar

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError

Tensor = Any
"""PyTorch's; to ask what can be expressed takes none of it."""
NamePairs = Mapping[str, tuple[str, ...]]


COMMON: Mapping[str, tuple[Any, ...]] = {
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


class Layout(ABC):
    """One of the two classes: which setups it can express, and under which names.

    Where a table gives several names of theirs for one of ours, they are the parts, in order, into
    which our matrix is cut.
    """

    class_name: ClassVar[str]
    model_type: ClassVar[str]
    expressible: ClassVar[Mapping[str, tuple[Any, ...]]]
    """The choices it leaves, for each setting that it does not leave free."""
    keys: ClassVar[Mapping[str, str]]
    """Settings that are the same value under another name: ours to theirs."""
    defaults: ClassVar[Mapping[str, Any]]
    """Values of the keys that a file may leave out."""
    required: ClassVar[Mapping[str, Any]]
    """Values of the keys that are no setting here, hence may hold nothing else."""
    activation_key: ClassVar[str]
    activations: ClassVar[Mapping[str, tuple[str, ...]]]
    """Our feed-forward to their activation; the first name is written, all are read."""
    block_prefix: ClassVar[str]
    block_names: ClassVar[NamePairs]
    outer_names: ClassVar[NamePairs]
    transposes_blocks: ClassVar[bool] = False
    """Whether a block's matrices stand as inputs x outputs, as in GPT-2's Conv1D."""

    def missing(self, config: ModelConfig) -> Iterator[str]:
        """Each setting that stands in the way, as what it would have to be and what it is."""
        for name, choices in self.expressible.items():
            if (value := getattr(config, name)) not in choices:
                yield f"{name}={' or '.join(map(repr, choices))} (here {value!r})"
        if config.d_model % config.n_heads:
            yield f"d_model a multiple of n_heads={config.n_heads} (here {config.d_model})"

    def write(self, config: ModelConfig) -> dict[str, Any]:
        """The entries of a config.json that open this setup."""
        settings = _spelled_out(config)
        return {
            "architectures": [self.class_name],
            "model_type": self.model_type,
            **{theirs: getattr(settings, ours) for ours, theirs in self.keys.items()},
            self.activation_key: self.activations[config.feed_forward][0],
            **self._write_rest(config),
            # LLaMA's class takes no more than 1; it says how fresh weights would be drawn.
            "initializer_range": min(config.init_std, 1.0),
            # By default the classes stop at tokens 2 or 50256, which mean something else here.
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }

    def read(self, values: Mapping[str, Any]) -> ModelConfig:
        """The setup that a config.json describes.

        Raises:
            CheckpointError: for a setting that this library does not have.
            ConfigError: for values that describe no model.
        """
        values = {**self.defaults, **values}
        if lacking := [key for key in self.keys.values() if key not in values]:
            raise CheckpointError(f"config.json lacks {', '.join(lacking)}")
        for key, value in self.required.items():
            one_of(values, key, {key: (value,)})
        settings = {name: choices[0] for name, choices in self.expressible.items()}
        settings |= {ours: values[theirs] for ours, theirs in self.keys.items()}
        settings["feed_forward"] = one_of(values, self.activation_key, self.activations)
        settings["init_std"] = values["initializer_range"]
        return _derived(ModelConfig(**settings | self._read_rest(values)))

    def rename(self, config: ModelConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Their names for our weights (or gradients), as views: copying into them fills ours."""
        return {
            name: part.T if transposed else part
            for path, tensor in tensors.items()
            for name, part, transposed in self._parts(config, path, tensor)
        }

    def outer_weight(self, owner: str) -> str:
        """Their name for a matrix that stands outside the blocks."""
        return f"{self.outer_names[owner][0]}.weight"

    def _parts(
        self, config: ModelConfig, path: str, tensor: Tensor
    ) -> Iterator[tuple[str, Tensor, bool]]:
        owner, kind = path.rsplit(".", 1)
        ending = "bias" if kind == "bias" else "weight"
        prefix, names = "", self.outer_names
        if owner.startswith("blocks."):
            _, layer, owner = owner.split(".", 2)
            prefix, names = f"{self.block_prefix}.{layer}.", self.block_names
        transposed = bool(prefix) and tensor.dim() == 2 and self.transposes_blocks
        theirs = names[owner]
        parts = tensor.split(_heights(config, tensor, len(theirs)))
        for name, part in zip(theirs, parts, strict=True):
            yield f"{prefix}{name}.{ending}", part, transposed

    @abstractmethod
    def _write_rest(self, config: ModelConfig) -> dict[str, Any]:
        """Entries that no table covers."""

    @abstractmethod
    def _read_rest(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that no table covers."""


class LlamaLayout(Layout):
    """LlamaForCausalLM. Of our dropouts it knows the one on attention patterns."""

    class_name, model_type = "LlamaForCausalLM", "llama"
    expressible: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **COMMON,
        "norm": ("rmsnorm",),
        "position": ("rope",),
        "rope_fraction": (1.0,),
        "nope_every": (None,),
        "feed_forward": ("swiglu", "geglu", "reglu"),
        "bias": ("none", "all"),
    }
    keys: ClassVar[Mapping[str, str]] = {
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
    }
    defaults: ClassVar[Mapping[str, Any]] = {
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
    }
    required: ClassVar[Mapping[str, Any]] = {"quantization_config": None}
    activation_key = "hidden_act"
    activations: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "swiglu": ("silu", "swish"),
        "geglu": ("gelu_pytorch_tanh", "gelu_new"),
        "reglu": ("relu",),
    }
    block_prefix = "model.layers"
    block_names: ClassVar[NamePairs] = {
        "attention_norm": ("input_layernorm",),
        "attention.to_qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "attention.to_output": ("self_attn.o_proj",),
        "feed_forward_norm": ("post_attention_layernorm",),
        "feed_forward.to_gate": ("mlp.gate_proj",),
        "feed_forward.to_up": ("mlp.up_proj",),
        "feed_forward.to_down": ("mlp.down_proj",),
    }
    outer_names: ClassVar[NamePairs] = {
        "embedding": ("model.embed_tokens",),
        "norm": ("model.norm",),
        "unembedding": ("lm_head",),
    }

    def _write_rest(self, config: ModelConfig) -> dict[str, Any]:
        has_bias = config.bias == "all"
        return {
            "attention_bias": has_bias,
            "mlp_bias": has_bias,
            # transformers 4 and llama.cpp read the first of these, transformers 5 the second.
            "rope_theta": config.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        }

    def _read_rest(self, values: Mapping[str, Any]) -> dict[str, Any]:
        has_bias = {"none": (False,), "all": (True,)}
        bias = one_of(values, "attention_bias", has_bias)
        one_of(values, "mlp_bias", {bias: has_bias[bias]})
        return {"bias": bias, "rope_theta": _rope_theta(values)}


class Gpt2Layout(Layout):
    """GPT2LMHeadModel. Where its three dropouts differ, the residual stream's is read."""

    class_name, model_type = "GPT2LMHeadModel", "gpt2"
    expressible: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **COMMON,
        "norm": ("layernorm",),
        "position": ("learned",),
        "feed_forward": ("gelu", "gelu_exact", "relu", "relu_squared"),
        "bias": ("all",),
    }
    keys: ClassVar[Mapping[str, str]] = {
        "vocab_size": "vocab_size",
        "context": "n_positions",
        "n_layers": "n_layer",
        "d_model": "n_embd",
        "n_heads": "n_head",
        "d_hidden": "n_inner",
        "norm_eps": "layer_norm_epsilon",
        "tied_unembedding": "tie_word_embeddings",
        "dropout": "resid_pdrop",
    }
    defaults: ClassVar[Mapping[str, Any]] = {
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
    }
    required: ClassVar[Mapping[str, Any]] = {
        "quantization_config": None,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    }
    activation_key = "activation_function"
    activations: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gelu": ("gelu_new", "gelu_pytorch_tanh"),
        "gelu_exact": ("gelu",),
        "relu": ("relu",),
        "relu_squared": ("relu2",),
    }
    block_prefix = "transformer.h"
    block_names: ClassVar[NamePairs] = {
        "attention_norm": ("ln_1",),
        "attention.to_qkv": ("attn.c_attn",),
        "attention.to_output": ("attn.c_proj",),
        "feed_forward_norm": ("ln_2",),
        "feed_forward.to_up": ("mlp.c_fc",),
        "feed_forward.to_down": ("mlp.c_proj",),
    }
    outer_names: ClassVar[NamePairs] = {
        "embedding": ("transformer.wte",),
        "position": ("transformer.wpe",),
        "norm": ("transformer.ln_f",),
        "unembedding": ("lm_head",),
    }
    transposes_blocks = True

    def missing(self, config: ModelConfig) -> Iterator[str]:
        """Each setting that stands in the way; heads are all alike and fill the model's width."""
        yield from super().missing(config)
        if config.kv_heads != config.n_heads:
            yield f"n_kv_heads={config.n_heads} (here {config.n_kv_heads})"
        if config.d_head and config.d_head * config.n_heads != config.d_model:
            yield f"d_head={config.d_model / config.n_heads:g} (here {config.d_head})"

    def _write_rest(self, config: ModelConfig) -> dict[str, Any]:
        return {"attn_pdrop": config.dropout, "embd_pdrop": config.dropout}

    def _read_rest(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {}


LAYOUTS: tuple[Layout, ...] = (LlamaLayout(), Gpt2Layout())
"""The classes that can be written and read; the first wins a draw."""


def layout_for(config: ModelConfig) -> Layout:
    """The class that can express a setup.

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


def one_of(values: Mapping[str, Any], key: str, names: Mapping[str, tuple[Any, ...]]) -> str:
    """Our name for the value of a key; `names` gives, for each of ours, what they call it.

    Raises:
        CheckpointError: if there is none; a clause for a longer sentence.
    """
    for ours, theirs in names.items():
        if values[key] in theirs:
            return ours
    choices = " or ".join(short(value) for theirs in names.values() for value in theirs)
    raise CheckpointError(f"{key}={short(values[key])} is not supported, only {choices} is")


def _rope_theta(values: Mapping[str, Any]) -> Any:
    """The base of plain RoPE, from `rope_parameters` (transformers 5) or `rope_theta` (before)."""
    theta = values.get("rope_theta", 10_000.0)
    for key in ("rope_scaling", "rope_parameters"):
        rope = values.get(key) or {}
        kind = rope.get("rope_type", rope.get("type", "default")) if type(rope) is dict else None
        if kind != "default" or set(rope) - {"rope_type", "type", "rope_theta"}:
            raise CheckpointError(f"{key}={short(rope)} is not supported, only plain RoPE is")
        theta = rope.get("rope_theta", theta)
    return theta


def _spelled_out(config: ModelConfig) -> ModelConfig:
    """The same setup with nothing left to be derived."""
    return replace(
        config,
        n_kv_heads=config.kv_heads,
        d_head=config.head_width,
        d_hidden=config.hidden_width,
    )


def _derived(config: ModelConfig) -> ModelConfig:
    """The same setup with as much as possible left to be derived, as people write it."""
    if config.kv_heads == config.n_heads:
        config = replace(config, n_kv_heads=None)
    if config.head_width * config.n_heads == config.d_model:
        config = replace(config, d_head=None)
    by_rule = replace(config, d_hidden=None)
    return by_rule if by_rule.hidden_width == config.hidden_width else config


def _heights(config: ModelConfig, tensor: Tensor, n_parts: int) -> list[int]:
    """How many rows each part of a matrix has: queries, keys and values, or equal shares."""
    if n_parts == 3:
        return [n * config.head_width for n in (config.n_heads, config.kv_heads, config.kv_heads)]
    return [len(tensor) // n_parts] * n_parts
