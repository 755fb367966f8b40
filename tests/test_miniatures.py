"""Miniatures: what the family tree says, and what transformers computes."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Read when transformers is imported: nothing here may ask the network.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch
import transformers
from test_hugging_face import build, distance, text
from torch import Tensor

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, own_text
from tiny_llama.data import tokenize
from tiny_llama.miniatures import MINIATURES
from tiny_llama.model import TinyLlama
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import train

TREE = Path(__file__).parent.parent / "explorer" / "content" / "facts" / "family_tree.json"
MODELS = {
    node["id"]: node["architecture"]
    for node in json.loads(TREE.read_text(encoding="utf-8"))["nodes"]
    if node["kind"] == "model"
}
POSSIBLE = {name: each.config for name, each in MINIATURES.items() if each.config}


# What the family tree says.

HEADS = ModelConfig.n_heads
Rule = tuple[str, str, str, Callable[[Any], bool]]
RULES: list[Rule] = [
    # where in the tree, what it says, which setting, what that must be
    ("norm", r"RMSNorm", "norm", "rmsnorm".__eq__),
    ("norm", r"LayerNorm", "norm", "layernorm".__eq__),
    ("norm", r"LayerNorm \(plus one on embeddings\)", "embedding_norm", True.__eq__),
    ("norm", r"LayerNorm \(no bias\)", "norm", "layernorm_no_bias".__eq__),
    ("norm", r"LayerNorm \(no learned parameters\)", "norm", "layernorm_plain".__eq__),
    ("norm_placement", r"pre(?! and).*", "norm_placement", "pre".__eq__),
    ("norm_placement", r"pre and post", "norm_placement", "both".__eq__),
    ("norm_placement", r"post", "norm_placement", "post".__eq__),
    ("norm_placement", r"post \(on sub-layer output\)", "norm_placement", "output".__eq__),
    ("norm_placement", r".*parallel block.*", "block", lambda block: block.startswith("parallel")),
    ("norm_placement", r".*one per layer.*", "block", "parallel".__eq__),
    ("position", r"RoPE.*", "position", "rope".__eq__),
    ("position", r"learned", "position", "learned".__eq__),
    ("position", r"ALiBi", "position", "alibi".__eq__),
    ("position", r".*25 % of head dims.*", "rope_fraction", (0.25).__eq__),
    ("position", r".*none in some.*", "nope_every", lambda every: every is not None),
    ("position", r".*10,000 local.*", "rope_theta_local", (1e4).__eq__),
    ("ffn", r"SwiGLU.*", "feed_forward", "swiglu".__eq__),
    ("ffn", r"MoE SwiGLU.*", "feed_forward", "moe_swiglu".__eq__),
    ("ffn", r"GeGLU", "feed_forward", "geglu".__eq__),
    ("ffn", r"GELU", "feed_forward", lambda kind: kind in ("gelu", "gelu_exact")),
    ("ffn", r"ReLU", "feed_forward", "relu".__eq__),
    ("ffn", r".*hidden 4d.*", "d_hidden", (4 * ModelConfig.d_model).__eq__),
    ("ffn", r".*8 experts.*", "n_experts", (8).__eq__),
    ("ffn", r".*top 2", "n_active_experts", (2).__eq__),
    ("attention", r"MHA.*", "kv_heads", HEADS.__eq__),
    ("attention", r"MQA.*", "kv_heads", (1).__eq__),
    ("attention", r"GQA.*", "kv_heads", lambda n: 1 < n < HEADS),
    ("attention", r"(?!.*(sliding|alternating|local)).*", "attention", "causal".__eq__),
    ("attention", r"(?!.*alternating).*sliding window.*", "attention", "sliding".__eq__),
    ("attention", r".*alternating.*sliding window and global", "attention", "local_global".__eq__),
    ("attention", r".*alternating dense and banded.*", "attention", "alternating".__eq__),
    ("attention", r".*5 local : 1 global", "attention", "five_local".__eq__),
    ("attention", r".*QK-norm.*", "qk_norm", lambda kind: kind != "none"),
    ("attention", r"(?!.*QK-norm).*", "qk_norm", "none".__eq__),
    ("biases", r"True", "bias", "all".__eq__),
    ("biases", r"False", "bias", "none".__eq__),
    ("biases", r"QKV only", "bias", "qkv".__eq__),
    ("biases", r"FFN and output head only", "bias", "feed_forward".__eq__),
    ("biases", r".*output head.*", "unembedding_bias", True.__eq__),
    ("biases", r"(?!.*output head).*", "unembedding_bias", False.__eq__),
    ("tied_embeddings", r"True|yes.*", "tied_unembedding", True.__eq__),
    ("tied_embeddings", r"False|small sizes only|.*7B no", "tied_unembedding", False.__eq__),
]
UNSAID = [("qwen1.5", "tied_embeddings"), ("r1-distill-qwen", "tied_embeddings")]
"""What the tree leaves open of a model that has a miniature."""
DIFFERENT = {
    ("zephyr", "attention", "attention"): "its base, Mistral 7B, reads through a window",
}
"""Where a miniature is not as the tree says, and why."""


def disagreements(name: str) -> Iterator[tuple[str, str, str]]:
    config, says = POSSIBLE[name], MODELS[name]
    for where, words, setting, is_right in RULES:
        said = says[where]
        if re.fullmatch(words, str(said)) and not is_right(getattr(config, setting)):
            yield name, where, setting
    theta = re.search(r"theta (?:.*local, )?([\d,]+)", says["position"])
    if theta and config.rope_theta != float(theta[1].strip(",").replace(",", "")):
        yield name, "position", "rope_theta"


def test_every_model_of_the_tree_has_a_miniature_or_a_reason():
    assert MINIATURES.keys() == MODELS.keys()
    for name, each in MINIATURES.items():
        assert bool(each.config) != bool(each.why_not), name
        for sentence in filter(None, (each.why_not, each.leaves_out)):
            assert re.fullmatch(r"[A-Z][^.]*(\.\d[^.]*)*\.", sentence), sentence


def test_miniatures_agree_with_the_tree_word_by_word():
    found = {each for name in POSSIBLE for each in disagreements(name)}
    assert found == set(DIFFERENT)


@pytest.mark.parametrize("name", POSSIBLE)
def test_the_rules_read_every_word_that_the_tree_says_of_a_miniature(name):
    for where in ("norm", "norm_placement", "position", "ffn", "attention", "biases"):
        said = str(MODELS[name][where])
        assert any(re.fullmatch(words, said) for place, words, *_ in RULES if place == where)
    tied = MODELS[name]["tied_embeddings"]
    assert (tied is None) == ((name, "tied_embeddings") in UNSAID)


def test_a_miniature_differs_from_tiny_llama_in_choices_and_not_in_size():
    sizes = {"vocab_size", "context", "d_model", "n_heads", "d_head", "hidden_multiple", "window"}
    sizes |= {"norm_eps", "init_std", "embedding_std", "scaled_residual_init", "dropout"}
    for name, config in POSSIBLE.items():
        same = {size: getattr(config, size) == getattr(ModelConfig(), size) for size in sizes}
        assert all(same.values()), (name, same)
        assert config.n_layers == {"gemma-3": 6, "smollm3": 4}.get(name, ModelConfig.n_layers)


# That it learns.

ONCE = {config: name for name, config in reversed(POSSIBLE.items())}
"""Each setup once, with a model that has it."""
QUICK = TrainConfig(steps=20, batch_size=4, warmup_steps=2, evaluate_texts=8, sample_tokens=1)


@pytest.fixture(scope="module")
def tales():
    return tokenize(own_text(CORPORA["tales"].text()[:20_000]))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ONCE.values()))
def test_the_loss_of_a_miniature_falls(tales, name):
    config = replace(POSSIBLE[name], vocab_size=tales.tokenizer.vocab_size, context=48)
    reports = list(train(TinyLlama(config), tales, QUICK))
    assert reports[-1].held_out.loss < reports[0].held_out.loss - 0.5


# What transformers computes.

Weights = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A class of transformers: its settings for one of ours, and its names for our weights."""

    settings: Callable[[ModelConfig], Mapping[str, Any]]
    config: str = ""
    """The class of its settings, where that is not named like the model."""
    layers: str
    """Path of its blocks."""
    names: Mapping[str, str]
    """Ours to theirs, for owners of weights; several names: the parts of one matrix in order."""
    mend: Callable[[ModelConfig, Weights], Weights] = lambda config, weights: weights
    """Puts what is laid out in another way into its place."""


def translated(twin: Twin, model: TinyLlama) -> Weights:
    """Give the weights of a model under a twin's names."""
    config, weights = model.config, {}
    widths = [n * config.head_width for n in (config.n_heads, config.kv_heads, config.kv_heads)]
    for path, tensor in model.state_dict().items():
        owner, ending = path.rsplit(".", 1)
        prefix = ""
        if owner.startswith("blocks."):
            _, layer, owner = owner.split(".", 2)
            prefix = f"{twin.layers}.{layer}."
        if owner not in twin.names:  # an expert's, which `mend` gathers
            weights[prefix + owner + "." + ending] = tensor
            continue
        theirs = twin.names[owner].split()
        parts = tensor.split(widths) if len(theirs) == 3 else [tensor]
        ending = "weight" if ending == "table" else ending
        weights |= {
            f"{prefix}{name}.{ending}": part for name, part in zip(theirs, parts, strict=True)
        }
    return twin.mend(config, weights)


def of_llama(config: ModelConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tied_unembedding,
        "pad_token_id": None,
    }


def of_gemma(config: ModelConfig) -> dict[str, Any]:
    return {
        **of_llama(config),
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": config.head_width,
        "sliding_window": config.window,
        "attn_logit_softcapping": config.attention_softcap,
        "final_logit_softcapping": config.logit_softcap,
    }


def of_gemma_3(config: ModelConfig) -> dict[str, Any]:
    thetas = {"full_attention": config.rope_theta, "sliding_attention": config.rope_theta_local}
    return of_gemma(config) | {
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in thetas.items()
        }
    }


def of_gpt(config: ModelConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_positions": config.context,
        "layer_norm_epsilon": config.norm_eps,
        "rotary_dim": config.turned_width,
    }


def of_falcon(config: ModelConfig) -> dict[str, Any]:
    settings = of_llama(config) | {"layer_norm_epsilon": config.norm_eps}
    del settings["head_dim"]
    return settings


def of_neox(config: ModelConfig) -> dict[str, Any]:
    kinds = {"gelu": "gelu_pytorch_tanh", "gelu_exact": "gelu"}
    rope = {"rope_theta": config.rope_theta, "partial_rotary_factor": config.rope_fraction}
    return {
        **of_llama(config),
        "hidden_act": kinds[config.feed_forward],
        "layer_norm_eps": config.norm_eps,
        "use_parallel_residual": config.block != "sequential",
        "rope_parameters": {"rope_type": "default", **rope},
    }


LLAMA_NAMES = {
    "embedding": "model.embed_tokens",
    "attention_norm": "input_layernorm",
    "attention.to_qkv": "self_attn.q_proj self_attn.k_proj self_attn.v_proj",
    "attention.query_norm": "self_attn.q_norm",
    "attention.key_norm": "self_attn.k_norm",
    "attention.to_output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.to_gate": "mlp.gate_proj",
    "feed_forward.to_up": "mlp.up_proj",
    "feed_forward.to_down": "mlp.down_proj",
    "feed_forward.router": "mlp.gate",
    "norm": "model.norm",
    "unembedding": "lm_head",
}
GEMMA_2_NAMES = LLAMA_NAMES | {
    "attention_output_norm": "post_attention_layernorm",
    "feed_forward_norm": "pre_feedforward_layernorm",
    "feed_forward_output_norm": "post_feedforward_layernorm",
}
GPT_NAMES = {
    "attention_norm": "ln_1",
    "attention.to_qkv": "attn.c_attn",
    "attention.to_output": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.to_up": "mlp.c_fc",
    "feed_forward.to_down": "mlp.c_proj",
    "unembedding": "lm_head",
}
NEOX_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.to_qkv": "self_attention.query_key_value",
    "attention.to_output": "self_attention.dense",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.to_up": "mlp.dense_h_to_4h",
    "feed_forward.to_down": "mlp.dense_4h_to_h",
    "embedding": "transformer.word_embeddings",
    "embedding_norm": "transformer.word_embeddings_layernorm",
    "norm": "transformer.ln_f",
    "unembedding": "lm_head",
}


def one_less(config: ModelConfig, weights: Weights) -> Weights:
    """Take 1 off the norms' weights, as Gemma multiplies by 1 + weight."""
    return {name: w - 1 if "norm" in name else w for name, w in weights.items()}


def turned_over(config: ModelConfig, weights: Weights) -> Weights:
    """Turn the blocks' matrices over, as GPT-1 and GPT-2 keep them as inputs x outputs."""
    return {name: w.T if ".h." in name and w.dim() == 2 else w for name, w in weights.items()}


def head_by_head(config: ModelConfig, weights: Weights) -> Weights:
    """Put the query, key and value of a head together, as GPT-NeoX and BLOOM keep them."""

    def regrouped(w: Tensor) -> Tensor:
        return w.unflatten(0, (3, config.n_heads, -1)).transpose(0, 1).flatten(0, 2)

    return {name: regrouped(w) if "query_key_value" in name else w for name, w in weights.items()}


def pair_by_pair(config: ModelConfig, weights: Weights) -> Weights:
    """Lay out for GPT-J, which turns neighbours, (2i, 2i + 1), where others turn (i, i + e/2)."""

    def reordered(w: Tensor) -> Tensor:
        heads = w.unflatten(0, (config.n_heads, -1)).clone()
        turned = heads[:, : config.turned_width]
        heads[:, : config.turned_width] = turned.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return heads.flatten(0, 1)

    asked = ("q_proj", "k_proj")
    return {
        name: reordered(w) if name.split(".")[-2] in asked else w for name, w in weights.items()
    }


def two_rows_more(config: ModelConfig, weights: Weights) -> Weights:
    """Put two rows first, as OPT looks positions up from its third row on."""
    name = "model.decoder.embed_positions.weight"
    return weights | {name: torch.cat([torch.zeros(2, config.d_model), weights[name]])}


def fused(config: ModelConfig, weights: Weights) -> Weights:
    """Put gate and up into one matrix, as Phi-3 keeps them."""
    for layer in range(config.n_layers):
        path = f"model.layers.{layer}.mlp."
        both = [weights.pop(f"{path}{name}_proj.weight") for name in ("gate", "up")]
        weights[f"{path}gate_up_proj.weight"] = torch.cat(both)
    return weights


def stacked(config: ModelConfig, weights: Weights) -> Weights:
    """Put the matrices of all experts into one tensor, gate and up together, as Mixtral does."""
    for layer in range(config.n_layers):
        of = {
            name: torch.stack(
                [
                    weights.pop(f"model.layers.{layer}.feed_forward.experts.{i}.{name}.weight")
                    for i in range(config.n_experts)
                ]
            )
            for name in ("to_gate", "to_up", "to_down")
        }
        path = f"model.layers.{layer}.mlp.experts."
        weights[f"{path}gate_up_proj"] = torch.cat([of["to_gate"], of["to_up"]], 1)
        weights[f"{path}down_proj"] = of["to_down"]
    return weights


LLAMA = Twin(settings=of_llama, layers="model.layers", names=LLAMA_NAMES)
TWINS = {
    "LlamaForCausalLM": LLAMA,
    "MistralForCausalLM": replace(
        LLAMA, settings=lambda c: of_llama(c) | {"sliding_window": c.window}
    ),
    "MixtralForCausalLM": replace(
        LLAMA,
        settings=lambda c: {
            **of_llama(c),
            "num_local_experts": c.n_experts,
            "num_experts_per_tok": c.n_active_experts,
        },
        mend=stacked,
    ),
    "Qwen2ForCausalLM": LLAMA,
    "Qwen3ForCausalLM": LLAMA,
    "SmolLM3ForCausalLM": replace(
        LLAMA, settings=lambda c: of_llama(c) | {"no_rope_layer_interval": c.nope_every}
    ),
    "Phi3ForCausalLM": replace(
        LLAMA,
        settings=lambda c: of_llama(c) | {"pad_token_id": 0},
        names=LLAMA_NAMES | {"attention.to_qkv": "self_attn.qkv_proj"},
        mend=fused,
    ),
    "OlmoForCausalLM": LLAMA,
    "Olmo2ForCausalLM": replace(LLAMA, names=GEMMA_2_NAMES),
    "GemmaForCausalLM": replace(LLAMA, settings=of_gemma, mend=one_less),
    "Gemma2ForCausalLM": replace(LLAMA, settings=of_gemma, names=GEMMA_2_NAMES, mend=one_less),
    "Gemma3ForCausalLM": replace(
        LLAMA, config="Gemma3TextConfig", settings=of_gemma_3, names=GEMMA_2_NAMES, mend=one_less
    ),
    "OpenAIGPTLMHeadModel": Twin(
        config="OpenAIGPTConfig",
        settings=of_gpt,
        layers="transformer.h",
        names=GPT_NAMES
        | {"embedding": "transformer.tokens_embed", "position": "transformer.positions_embed"},
        mend=turned_over,
    ),
    "GPT2LMHeadModel": Twin(
        config="GPT2Config",
        settings=of_gpt,
        layers="transformer.h",
        names=GPT_NAMES
        | {
            "embedding": "transformer.wte",
            "position": "transformer.wpe",
            "norm": "transformer.ln_f",
        },
        mend=turned_over,
    ),
    "GPTJForCausalLM": Twin(
        settings=of_gpt,
        layers="transformer.h",
        names=GPT_NAMES
        | {
            "attention.to_qkv": "attn.q_proj attn.k_proj attn.v_proj",
            "attention.to_output": "attn.out_proj",
            "feed_forward.to_up": "mlp.fc_in",
            "feed_forward.to_down": "mlp.fc_out",
            "embedding": "transformer.wte",
            "norm": "transformer.ln_f",
        },
        mend=pair_by_pair,
    ),
    "GPTNeoXForCausalLM": Twin(
        settings=of_neox,
        layers="gpt_neox.layers",
        names=NEOX_NAMES
        | {
            "attention.to_qkv": "attention.query_key_value",
            "attention.to_output": "attention.dense",
            "embedding": "gpt_neox.embed_in",
            "norm": "gpt_neox.final_layer_norm",
        },
        mend=head_by_head,
    ),
    "BloomForCausalLM": Twin(
        settings=lambda c: of_gpt(c) | {"hidden_size": c.d_model},
        layers="transformer.h",
        names=NEOX_NAMES,
        mend=head_by_head,
    ),
    "FalconForCausalLM": Twin(
        settings=of_falcon,
        layers="transformer.h",
        names=NEOX_NAMES,
    ),
    "MptForCausalLM": Twin(
        settings=lambda c: {
            "vocab_size": c.vocab_size,
            "d_model": c.d_model,
            "n_layers": c.n_layers,
            "n_heads": c.n_heads,
            "max_seq_len": c.context,
            "layer_norm_epsilon": c.norm_eps,
        },
        layers="transformer.blocks",
        names={
            "embedding": "transformer.wte",
            "attention_norm": "norm_1",
            "attention.to_qkv": "attn.Wqkv",
            "attention.to_output": "attn.out_proj",
            "feed_forward_norm": "norm_2",
            "feed_forward.to_up": "ffn.up_proj",
            "feed_forward.to_down": "ffn.down_proj",
            "norm": "transformer.norm_f",
            "unembedding": "lm_head",
        },
    ),
    "OPTForCausalLM": Twin(
        settings=lambda c: {
            **of_llama(c),
            "ffn_dim": c.hidden_width,
            "word_embed_proj_dim": c.d_model,
        },
        layers="model.decoder.layers",
        names={
            "embedding": "model.decoder.embed_tokens",
            "position": "model.decoder.embed_positions",
            "attention_norm": "self_attn_layer_norm",
            "attention.to_qkv": "self_attn.q_proj self_attn.k_proj self_attn.v_proj",
            "attention.to_output": "self_attn.out_proj",
            "feed_forward_norm": "final_layer_norm",
            "feed_forward.to_up": "fc1",
            "feed_forward.to_down": "fc2",
            "norm": "model.decoder.final_layer_norm",
            "unembedding": "lm_head",
        },
        mend=two_rows_more,
    ),
}


def twin_of(name: str, model: TinyLlama) -> Any:
    """Build the model of transformers with the same weights."""
    class_name = MINIATURES[name].hugging_face
    twin = TWINS[class_name]
    kind = twin.config or re.sub("For.*", "Config", class_name)
    settings = getattr(transformers, kind)(**twin.settings(model.config))
    settings._attn_implementation = "eager"
    theirs = getattr(transformers, class_name)(settings).eval()
    report = theirs.load_state_dict(translated(twin, model), strict=False)
    assert not report.unexpected_keys
    assert set(report.missing_keys) <= {name for name, _ in theirs.named_buffers()}
    assert theirs.num_parameters() == model.n_parameters() + 2 * model.config.d_model * (
        class_name == "OPTForCausalLM"
    )
    return theirs


def test_every_class_that_a_miniature_names_has_its_table():
    named = {each.hugging_face for each in MINIATURES.values() if each.hugging_face}
    assert named == set(TWINS)
    assert {name for name in POSSIBLE if not MINIATURES[name].hugging_face} == {"gpt-3", "palm"}


ONCE_A_CLASS = {
    (each.config, each.hugging_face): name
    for name, each in reversed(MINIATURES.items())
    if each.hugging_face
}
"""Each setup once for every class that it is held equal to."""


@pytest.mark.parametrize("name", sorted(ONCE_A_CLASS.values()))
@torch.no_grad()
def test_a_miniature_gives_the_logits_of_its_class(name):
    model = build(POSSIBLE[name])
    tokens = text(model.config, 3 * model.config.window)
    logits = twin_of(name, model)(tokens).logits
    assert distance(model(tokens), logits) < 2e-5
