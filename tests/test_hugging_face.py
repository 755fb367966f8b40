"""The whole model against an independent implementation: transformers, with random weights."""

import json
import logging.handlers
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Read when transformers is imported: nothing here may ask the network.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.utils.logging import disable_progress_bar

from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError
from tiny_llama.hugging_face import read_hugging_face, write_hugging_face
from tiny_llama.hugging_face_layouts import layout_for
from tiny_llama.hugging_face_weights import renamed
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.tokenizers import train_tokenizer

disable_progress_bar()

LLAMA = ModelConfig(vocab_size=40, context=32, n_layers=2, d_model=32, n_heads=4)
GPT2 = replace(
    LLAMA,
    norm="layernorm",
    position="learned",
    feed_forward="gelu",
    bias="all",
    tied_unembedding=True,
)
LLAMAS = {
    "LLaMA": PRESETS["tiny-llama"].config,
    "grouped queries": replace(LLAMA, n_kv_heads=2),
    "multi-query": replace(LLAMA, n_kv_heads=1),
    "tied": replace(LLAMA, tied_unembedding=True),
    "wide heads": replace(LLAMA, d_head=12, n_kv_heads=2),
    "biases": replace(LLAMA, bias="all", n_kv_heads=2),
    "GeGLU": replace(LLAMA, feed_forward="geglu"),
    "ReGLU": replace(LLAMA, feed_forward="reglu", d_hidden=56),
    "other numbers": replace(LLAMA, norm_eps=1e-2, rope_theta=50.0, dropout=0.1, init_std=0.05),
    "no layers": replace(LLAMA, n_layers=0),
}
GPT2S = {
    "GPT-3, dense": replace(PRESETS["tiny-gpt3"].config, attention="causal", window=32),
    "GPT-2 with ReLU": replace(GPT2, feed_forward="relu", d_hidden=40),
    "GPT-2 with squared ReLU": replace(GPT2, feed_forward="relu_squared"),
    "GPT-2 with exact GELU": replace(GPT2, feed_forward="gelu_exact"),
    "GPT-2, untied": replace(GPT2, tied_unembedding=False, norm_eps=1e-2, dropout=0.1),
    "GPT-2 without layers": replace(GPT2, n_layers=0),
}
SETUPS = LLAMAS | GPT2S
ALMOST_EXACT = 1e-5


def build(config: ModelConfig, seed: int = 0) -> TinyLlama:
    """Build a model whose weights, norms and biases are all far from where they start."""
    model = TinyLlama(config)
    stir(model, seed)
    return model.eval()


def stir(model: torch.nn.Module, seed: int = 0) -> None:
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=draw))


def write(model: TinyLlama, folder: Path) -> Path:
    write_hugging_face(model, None, folder)
    return folder


def text(config: ModelConfig, n_tokens: int) -> Tensor:
    draw = torch.Generator().manual_seed(n_tokens)
    return torch.randint(config.vocab_size, (2, n_tokens), generator=draw)


def distance(ours: Tensor, theirs: Tensor) -> float:
    """Give the largest difference, relative to the largest magnitude."""
    assert ours.shape == theirs.shape
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@dataclass(frozen=True)
class Pair:
    """A model of ours, what transformers made of its folder, and what it complained about."""

    ours: TinyLlama
    theirs: Any
    complaints: list[str]


@pytest.fixture(scope="module", params=SETUPS.values(), ids=SETUPS.keys())
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    ours = build(request.param)
    folder = write(ours, tmp_path_factory.mktemp("pair"))
    heard = logging.handlers.BufferingHandler(1000)
    heard.setLevel(logging.WARNING)
    logging.getLogger("transformers").addHandler(heard)
    theirs, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    logging.getLogger("transformers").removeHandler(heard)
    complaints = [record.getMessage() for record in heard.buffer]
    return Pair(
        ours, theirs, complaints + [f"{key}: {what}" for key, what in report.items() if what]
    )


# What is written, transformers opens and computes alike.


def test_transformers_opens_the_right_class_without_a_complaint(pair: Pair) -> None:
    is_llama = pair.ours.config in LLAMAS.values()
    assert type(pair.theirs) is (LlamaForCausalLM if is_llama else GPT2LMHeadModel)
    assert not pair.complaints
    assert pair.theirs.num_parameters() == pair.ours.n_parameters()
    # No token of ours means "the end": by default these classes would stop at 2 or 50256.
    assert pair.theirs.generation_config.eos_token_id is None


def test_transformers_gives_the_same_logits_at_every_length(pair: Pair) -> None:
    for n_tokens in (1, 2, 7, pair.ours.config.context):
        tokens = text(pair.ours.config, n_tokens)
        with torch.no_grad():
            assert distance(pair.ours(tokens), pair.theirs(tokens).logits) < ALMOST_EXACT


def test_transformers_gives_the_same_loss_and_gradients(pair: Pair) -> None:
    tokens = text(pair.ours.config, 24)
    loss = F.cross_entropy(pair.ours(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    their_loss = pair.theirs(tokens, labels=tokens).loss
    assert distance(loss, their_loss) < ALMOST_EXACT
    names = layout_for(pair.ours.config).weights
    ours = dict(zip(*gradients_of(loss, pair.ours), strict=True))
    gradients = renamed(names, pair.ours.config, ours)
    their_names, their_gradients = gradients_of(their_loss, pair.theirs)
    assert gradients.keys() == set(their_names)
    for name, gradient in zip(their_names, their_gradients, strict=True):
        # Ours are right to 4e-7, by float64; theirs round a little more.
        assert distance(gradients[name], gradient) < 2 * ALMOST_EXACT, name


def gradients_of(loss: Tensor, model: torch.nn.Module) -> tuple[list[str], tuple[Tensor, ...]]:
    parameters = dict(model.named_parameters())
    return list(parameters), torch.autograd.grad(loss, list(parameters.values()))


@pytest.mark.parametrize(
    "pair", [SETUPS[name] for name in ("LLaMA", "multi-query", "GPT-3, dense")], indirect=True
)
def test_transformers_writes_the_same_tokens_with_its_cache(pair: Pair) -> None:
    written = prompt = text(pair.ours.config, 4)[:1]
    with torch.no_grad():
        for _ in range(20):
            written = torch.cat([written, pair.ours(written)[:, -1:].argmax(-1)], dim=1)
    mask = torch.ones_like(prompt)
    theirs = pair.theirs.generate(prompt, attention_mask=mask, do_sample=False, max_new_tokens=20)
    assert theirs.tolist() == written.tolist()


def test_a_written_folder_opens_by_the_class_s_own_name(tmp_path: Path) -> None:
    for config, opener in ((LLAMA, LlamaForCausalLM), (GPT2, GPT2LMHeadModel)):
        theirs = opener.from_pretrained(write(build(config), tmp_path / opener.__name__))
        assert type(theirs) is opener


# What is written or saved comes back.


def test_a_written_model_comes_back_with_its_setup_and_every_bit(
    pair: Pair, tmp_path: Path
) -> None:
    back, tokenizer = read_hugging_face(write(pair.ours, tmp_path))
    assert tokenizer is None
    assert back.config == pair.ours.config
    assert_same_weights(back, pair.ours)
    tied = back.unembedding.weight is back.embedding.weight
    assert tied == back.config.tied_unembedding


def test_an_init_std_above_what_transformers_takes_is_no_hindrance(tmp_path: Path) -> None:
    model = TinyLlama(replace(LLAMA, init_std=3.0))
    assert LlamaForCausalLM.from_pretrained(write(model, tmp_path)).config.initializer_range == 1


def assert_same_weights(one: TinyLlama, other: TinyLlama) -> None:
    weights, others = dict(one.named_parameters()), dict(other.named_parameters())
    assert weights.keys() == others.keys()
    for path, weight in weights.items():
        assert torch.equal(weight, others[path]), path
        assert weight.dtype == torch.float32


SIZES = {"vocab_size": 40, "bos_token_id": None, "eos_token_id": None}
LLAMA_SIZES = SIZES | {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
GPT2_SIZES = SIZES | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
SAVED: dict[str, Callable[[], Any]] = {
    "LLaMA": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA_SIZES)),
    "grouped": lambda: LlamaForCausalLM(
        LlamaConfig(
            **LLAMA_SIZES,
            num_key_value_heads=2,
            head_dim=12,
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=True,
            hidden_act="relu",
            rms_norm_eps=1e-3,
            rope_parameters={"rope_type": "default", "rope_theta": 300.0},
        )
    ),
    "GPT-2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2_SIZES)),
    "GPT-2, untied": lambda: GPT2LMHeadModel(
        GPT2Config(
            **GPT2_SIZES,
            tie_word_embeddings=False,
            n_inner=40,
            activation_function="relu2",
            layer_norm_epsilon=1e-3,
        )
    ),
}


def save(name: str, folder: Path, **options: Any) -> Any:
    model = SAVED[name]().eval()
    stir(model)
    model.to(options.pop("dtype", torch.float32)).save_pretrained(folder, **options)
    return model


@pytest.mark.parametrize("name", SAVED)
def test_a_model_saved_by_transformers_reads_with_the_same_logits(
    name: str, tmp_path: Path
) -> None:
    theirs = save(name, tmp_path)
    ours, tokenizer = read_hugging_face(tmp_path)
    tokens = text(ours.config, 32)
    with torch.no_grad():
        assert distance(ours.eval()(tokens), theirs(tokens).logits) < ALMOST_EXACT
    assert tokenizer is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", SAVED)
def test_half_precision_is_widened_without_loss(
    name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    theirs = save(name, tmp_path, dtype=dtype)
    ours, _ = read_hugging_face(tmp_path)
    weights = renamed(layout_for(ours.config).weights, ours.config, dict(ours.named_parameters()))
    for path, weight in theirs.named_parameters():
        assert torch.equal(weights[path], weight.float()), path


def test_a_model_in_half_precision_is_written_as_it_is(tmp_path: Path) -> None:
    model = build(LLAMA).to(torch.bfloat16)
    theirs = AutoModelForCausalLM.from_pretrained(write(model, tmp_path))
    assert theirs.dtype == torch.bfloat16
    assert torch.equal(theirs.model.embed_tokens.weight, model.embedding.weight)


def test_what_people_leave_to_be_derived_is_left_so(tmp_path: Path) -> None:
    save("LLaMA", tmp_path)
    config = read_hugging_face(tmp_path)[0].config
    assert (config.n_kv_heads, config.d_head, config.d_hidden) == (None, None, 48)


def test_the_older_keys_of_config_json_are_read_too(tmp_path: Path) -> None:
    model = build(replace(LLAMA, rope_theta=500.0))
    edit(write(model, tmp_path), rope_parameters=..., dtype=..., head_dim=...)
    edit(tmp_path, rope_scaling=None, torch_dtype="float32", attention_dropout=...)
    back, _ = read_hugging_face(tmp_path)
    assert back.config == model.config
    edit(tmp_path, rope_theta=..., rope_scaling={"type": "default"})
    assert read_hugging_face(tmp_path)[0].config.rope_theta == 10_000


def test_what_older_versions_saved_beside_the_weights_is_skipped(tmp_path: Path) -> None:
    model = build(GPT2)
    mask = {f"transformer.h.0.attn.{name}": torch.ones(1) for name in ("bias", "masked_bias")}
    edit_weights(write(model, tmp_path), **mask)
    assert_same_weights(read_hugging_face(tmp_path)[0], model)


@pytest.mark.parametrize("kind", ["characters", "bytes", "sentencepiece"])
def test_the_tokenizer_travels_with_the_model(kind: str, tmp_path: Path) -> None:
    story = "The cat sat on the mat, and the dog sat by the door. " * 20
    tokenizer = train_tokenizer(kind, story)
    model = build(replace(LLAMA, vocab_size=tokenizer.vocab_size))
    write_hugging_face(model, tokenizer, tmp_path)
    back, again = read_hugging_face(tmp_path)
    assert_same_weights(back, model)
    assert again is not None
    ids = tokenizer.encode("the dog").tolist()
    assert again.encode("the dog").tolist() == ids
    assert AutoTokenizer.from_pretrained(tmp_path)("the dog").input_ids == ids


# What has no equivalent is refused by name.

NO_EQUIVALENT: list[tuple[ModelConfig, dict[str, Any], str, str]] = [
    (LLAMA, {"norm": "none"}, "LlamaForCausalLM", "norm='rmsnorm' (here 'none')"),
    (LLAMA, {"norm": "layernorm"}, "LlamaForCausalLM", "norm='rmsnorm' (here 'layernorm')"),
    (GPT2, {"norm": "rmsnorm"}, "GPT2LMHeadModel", "norm='layernorm' (here 'rmsnorm')"),
    (LLAMA, {"norm_placement": "post"}, "LlamaForCausalLM", "norm_placement='pre' (here 'post')"),
    (GPT2, {"norm_placement": "post"}, "GPT2LMHeadModel", "norm_placement='pre' (here 'post')"),
    (LLAMA, {"position": "learned"}, "LlamaForCausalLM", "position='rope' (here 'learned')"),
    (LLAMA, {"position": "sinusoidal"}, "LlamaForCausalLM", "position='rope' (here 'sinusoidal')"),
    (GPT2, {"position": "alibi"}, "GPT2LMHeadModel", "position='learned' (here 'alibi')"),
    (GPT2, {"position": "none"}, "GPT2LMHeadModel", "position='learned' (here 'none')"),
    (LLAMA, {"attention": "sliding"}, "LlamaForCausalLM", "attention='causal' (here 'sliding')"),
    (
        LLAMA,
        {"attention": "sliding", "window": 999},
        "LlamaForCausalLM",
        "attention='causal' (here 'sliding')",
    ),
    (
        GPT2,
        {"attention": "alternating"},
        "GPT2LMHeadModel",
        "attention='causal' (here 'alternating')",
    ),
    (LLAMA, {"attention": "none"}, "LlamaForCausalLM", "attention='causal' (here 'none')"),
    (LLAMA, {"qk_norm": "head"}, "LlamaForCausalLM", "qk_norm='none' (here 'head')"),
    (
        LLAMA,
        {"attention_softcap": 50.0},
        "LlamaForCausalLM",
        "attention_softcap=None (here 50.0)",
    ),
    (GPT2, {"logit_softcap": 30.0}, "GPT2LMHeadModel", "logit_softcap=None (here 30.0)"),
    (
        LLAMA,
        {"feed_forward": "gelu"},
        "LlamaForCausalLM",
        "feed_forward='swiglu' or 'geglu' or 'reglu' (here 'gelu')",
    ),
    (
        GPT2,
        {"feed_forward": "swiglu"},
        "GPT2LMHeadModel",
        "feed_forward='gelu' or 'gelu_exact' or 'relu' or 'relu_squared' (here 'swiglu')",
    ),
    (
        LLAMA,
        {"feed_forward": "none"},
        "LlamaForCausalLM",
        "feed_forward='swiglu' or 'geglu' or 'reglu' (here 'none')",
    ),
    (
        LLAMA,
        {"feed_forward": "moe_swiglu"},
        "LlamaForCausalLM",
        "feed_forward='swiglu' or 'geglu' or 'reglu' (here 'moe_swiglu')",
    ),
    (LLAMA, {"block": "parallel"}, "LlamaForCausalLM", "block='sequential' (here 'parallel')"),
    (GPT2, {"embedding_scale": True}, "GPT2LMHeadModel", "embedding_scale=False (here True)"),
    (GPT2, {"embedding_norm": True}, "GPT2LMHeadModel", "embedding_norm=False (here True)"),
    (LLAMA, {"unembedding_bias": True}, "LlamaForCausalLM", "unembedding_bias=False (here True)"),
    (LLAMA, {"rope_fraction": 0.5}, "LlamaForCausalLM", "rope_fraction=1.0 (here 0.5)"),
    (LLAMA, {"nope_every": 2}, "LlamaForCausalLM", "nope_every=None (here 2)"),
    (LLAMA, {"bias": "qkv"}, "LlamaForCausalLM", "bias='none' or 'all' (here 'qkv')"),
    (GPT2, {"bias": "none"}, "GPT2LMHeadModel", "bias='all' (here 'none')"),
    (GPT2, {"n_kv_heads": 2}, "GPT2LMHeadModel", "n_kv_heads=4 (here 2)"),
    (GPT2, {"d_head": 12}, "GPT2LMHeadModel", "d_head=8 (here 12)"),
    (
        LLAMA,
        {"n_heads": 3, "d_head": 8},
        "LlamaForCausalLM",
        "d_model a multiple of n_heads=3 (here 32)",
    ),
]


@pytest.mark.parametrize(
    ("like", "change", "their_class", "need"),
    NO_EQUIVALENT,
    ids=[str(change) for _, change, _, _ in NO_EQUIVALENT],
)
def test_a_setting_without_an_equivalent_is_named(
    like: ModelConfig, change: dict[str, Any], their_class: str, need: str, tmp_path: Path
) -> None:
    model = TinyLlama(replace(like, **change))
    with pytest.raises(CheckpointError) as refusal:
        write_hugging_face(model, None, tmp_path / "new")
    assert f"{their_class}, needs {need}; train" in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_every_setting_in_the_way_is_named_in_one_sentence() -> None:
    config = PRESETS["tiny-gpt3"].config
    with pytest.raises(CheckpointError) as refusal:
        layout_for(replace(config, logit_softcap=30.0, n_kv_heads=1))
    assert str(refusal.value) == (
        "This model has no equivalent in Hugging Face: the nearest class there, GPT2LMHeadModel, "
        "needs attention='causal' (here 'alternating'), logit_softcap=None (here 30.0), "
        "n_kv_heads=4 (here 1); train a model with these settings to write it in this format."
    )


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"already holds 'thesis\.txt'"):
        write(build(LLAMA), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CheckpointError, match="cannot be written"):
            write(build(LLAMA), folder)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    tokenizer = train_tokenizer("bytes", "some text")
    with pytest.raises(CheckpointError, match="256 tokens but the model knows only 40"):
        write_hugging_face(build(LLAMA), tokenizer, tmp_path / "new")
    write_hugging_face(build(replace(LLAMA, vocab_size=256)), tokenizer, tmp_path / "both")
    for path in write(build(LLAMA), tmp_path / "small").iterdir():
        path.replace(tmp_path / "both" / path.name)
    with pytest.raises(CheckpointError, match="256 tokens but the model knows only 40"):
        read_hugging_face(tmp_path / "both")


# What cannot be read is answered with a sentence.


def edit(folder: Path, **changes: Any) -> Path:
    """Change entries of config.json; ... takes one away."""
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))
    return folder


def edit_weights(folder: Path, **changes: Any) -> Path:
    path = folder / "model.safetensors"
    weights = load_file(path) | changes
    save_file({name: weight for name, weight in weights.items() if weight is not ...}, path)
    return folder


def refusal_of(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refusal:
        read_hugging_face(folder)
    sentence = str(refusal.value)
    assert sentence.startswith(f"{folder} cannot be read as a Hugging Face model: ")
    assert sentence.endswith("; save it again or choose another one.")
    assert len(sentence) < 500 + len(str(folder))
    return sentence


BAD_ENTRIES: list[tuple[ModelConfig, dict[str, Any], str]] = [
    (LLAMA, {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling={"),
    (LLAMA, {"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling={"),
    (LLAMA, {"rope_scaling": "yarn"}, "rope_scaling='yarn'"),
    (LLAMA, {"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters={"),
    (LLAMA, {"rope_parameters": {"partial_rotary_factor": 0.5}}, "rope_parameters={"),
    (LLAMA, {"rope_parameters": [1]}, "rope_parameters=[1]"),
    (LLAMA, {"rope_theta": ..., "rope_parameters": {"rope_theta": "x"}}, "rope_theta='x'"),
    (LLAMA, {"attention_bias": True}, "mlp_bias=False"),
    (LLAMA, {"mlp_bias": True}, "mlp_bias=True"),
    (LLAMA, {"attention_bias": [[]]}, "attention_bias=[[]]"),
    (LLAMA, {"hidden_act": "gelu"}, "hidden_act='gelu'"),
    (LLAMA, {"hidden_act": ["silu"]}, "hidden_act=['silu']"),
    (LLAMA, {"quantization_config": {"bits": 4}}, "quantization_config={'bits': 4}"),
    (LLAMA, {"model_type": "mistral"}, "model_type='mistral'"),
    (LLAMA, {"model_type": ...}, "model_type=None"),
    (LLAMA, {"architectures": ["LlamaModel"]}, "architectures=['LlamaModel']"),
    (LLAMA, {"architectures": ["GPT2LMHeadModel"]}, "architectures=['GPT2LMHeadModel']"),
    (LLAMA, {"hidden_size": ..., "vocab_size": ...}, "lacks vocab_size, hidden_size"),
    (LLAMA, {"hidden_size": "32"}, "d_model='32' must be a whole number"),
    (LLAMA, {"hidden_size": None}, "d_model=None must be a whole number"),
    (LLAMA, {"hidden_size": -32}, "d_model=-32 must lie between"),
    (LLAMA, {"rms_norm_eps": float("nan")}, "norm_eps=nan must lie between"),
    (LLAMA, {"tie_word_embeddings": None}, "tied_unembedding=None must be true or false"),
    (LLAMA, {"num_key_value_heads": 3}, "n_kv_heads=3"),
    (LLAMA, {"max_position_embeddings": 10_000_000}, "10,000,000 positions"),
    (LLAMA, {"num_hidden_layers": 10_000}, "too few weights for 10000 layers"),
    (LLAMA, {"num_hidden_layers": 1}, "model.layers.1."),
    (LLAMA, {"num_hidden_layers": 3}, "model.layers.2."),
    (LLAMA, {"hidden_size": 1_000_000}, "model.embed_tokens.weight is [40, 32]"),
    (LLAMA, {"num_key_value_heads": 2}, "self_attn.k_proj.weight is [32, 32]"),
    (LLAMA, {"tie_word_embeddings": True}, "lm_head.weight differs"),
    (GPT2, {"tie_word_embeddings": False}, "lm_head.weight is missing"),
    (GPT2, {"n_positions": 64}, "transformer.wpe.weight is [32, 32] and should be [64, 32]"),
    (GPT2, {"scale_attn_weights": False}, "scale_attn_weights=False"),
    (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
    (GPT2, {"add_cross_attention": True}, "add_cross_attention=True"),
    (GPT2, {"activation_function": "tanh"}, "activation_function='tanh'"),
]


@pytest.mark.parametrize(
    ("config", "changes", "words"), BAD_ENTRIES, ids=[str(each[1])[:50] for each in BAD_ENTRIES]
)
def test_an_entry_that_we_do_not_have_is_named(
    config: ModelConfig, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert words in refusal_of(edit(write(build(config), tmp_path), **changes))


@pytest.mark.parametrize("key", ["hidden_size", "rms_norm_eps", "rope_theta"])
def test_a_number_of_400_digits_gives_a_sentence(key: str, tmp_path: Path) -> None:
    refusal_of(edit(write(build(LLAMA), tmp_path), **{key: 10**400}, rope_parameters=...))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"model_type": "llama"', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "model_type=None"),
        (b" " * (2**20 + 1), "larger than"),
    ],
    ids=["empty", "binary", "cut", "deep", "list", "nothing", "large"],
)
def test_a_damaged_config_gives_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    (write(build(LLAMA), tmp_path) / "config.json").write_bytes(content)
    assert words in refusal_of(tmp_path)


def test_a_missing_folder_or_file_gives_a_sentence(tmp_path: Path) -> None:
    assert "config.json is not there" in refusal_of(tmp_path / "nowhere")
    (write(build(LLAMA), tmp_path) / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refusal_of(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 100, -1], ids=["nothing", "5 bytes", "100 bytes", "most"])
def test_cut_weights_give_a_sentence(keep: int, tmp_path: Path) -> None:
    path = write(build(LLAMA), tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refusal_of(tmp_path)


def test_weights_that_are_no_safetensors_give_a_sentence(tmp_path: Path) -> None:
    path = write(build(LLAMA), tmp_path) / "model.safetensors"
    torch.save({"lm_head.weight": torch.zeros(2)}, path)
    refusal_of(tmp_path)


def test_weights_larger_than_2_gib_are_not_opened(tmp_path: Path) -> None:
    with (write(build(LLAMA), tmp_path) / "model.safetensors").open("r+b") as file:
        file.truncate(2**31 + 1)  # a hole: takes no room on the disk
    assert "larger than 2,147,483,648 bytes" in refusal_of(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.norm.weight": ...}, "model.norm.weight is missing"),
        ({"model.norm.weight": torch.ones(33)}, "model.norm.weight is [33] and should be [32]"),
        ({"model.norm.weight": torch.ones(32, dtype=torch.int64)}, "weight is in I64"),
        ({"model.norm.weight": torch.ones(32, dtype=torch.float64)}, "weight is in F64"),
        ({"model.norm.weight": torch.tensor(1.0)}, "model.norm.weight is [] and"),
        ({"extra": torch.ones(1)}, "'extra' has no place in it"),
        ({"extra": torch.ones(1), "more": torch.ones(1)}, "(and 1 more like this)"),
        ({"x" * 10_000: torch.ones(1)}, "has no place in it"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert words in refusal_of(edit_weights(write(build(LLAMA), tmp_path), **changes))


def test_a_tied_matrix_may_be_saved_twice_if_both_agree(tmp_path: Path) -> None:
    model = build(replace(LLAMA, tied_unembedding=True))
    matrix = model.embedding.weight.detach()
    edit_weights(write(model, tmp_path), **{"lm_head.weight": matrix.clone()})
    assert_same_weights(read_hugging_face(tmp_path)[0], model)
    for other in (matrix + 1, matrix[:3].clone(), matrix.to(torch.bfloat16)):
        edit_weights(tmp_path, **{"lm_head.weight": other})
        assert "lm_head.weight differs from model.embed_tokens.weight" in refusal_of(tmp_path)


def test_keys_and_queries_of_swapped_heights_are_refused(tmp_path: Path) -> None:
    folder = write(build(replace(LLAMA, n_kv_heads=2)), tmp_path)
    weights = load_file(folder / "model.safetensors")
    q, k = (f"model.layers.0.self_attn.{name}_proj.weight" for name in "qk")
    edit_weights(folder, **{q: weights[k], k: weights[q]})
    assert "q_proj.weight is [16, 32] and should be [32, 32]" in refusal_of(folder)


def test_weights_in_several_files_are_refused(tmp_path: Path) -> None:
    save("LLaMA", tmp_path, max_shard_size="10KB")
    assert "split over several files" in refusal_of(tmp_path)


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    folder = write(build(LLAMA), tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pickled" in refusal_of(folder)
