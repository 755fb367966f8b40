import json
import tracemalloc
from dataclasses import asdict, replace
from itertools import product
from math import prod
from pathlib import Path

import pytest
import torch
from conftest import EVERY_CHOICE, ODD_MODELS
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    activation_bytes,
    active_parameters,
    count_parameters,
    forward_flops,
    hidden_flops,
    is_muon_matrix,
    kv_cache_bytes,
    kv_cache_bytes_per_token,
    parameter_kinds,
    parameter_shapes,
    parameters_by_component,
    six_n_d,
    training_flops,
    training_memory,
)
from tiny_llama.menu import CHOICES, FEED_FORWARD, MENU, NORM
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.attention import _hide
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.presets import PRESETS
from tiny_llama.serving import decode_work, prefill_work, weight_bytes
from tiny_llama.tap import record
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import make_optimizers

FACTS = Path(__file__).parent.parent / "explorer" / "content" / "facts" / "configs.json"
PUBLISHED = {row["id"]: row for row in json.loads(FACTS.read_text())["configs"]}
MORE_ROWS = {"opt-6.7b": 2, "opt-175b": 2}
"""Rows of learned positions beyond the context, which no text reaches; the presets say so."""


def test_every_published_setup_is_a_preset_and_every_preset_is_tiny_or_published():
    assert len(PUBLISHED) == 47
    assert {name for name, preset in PRESETS.items() if not preset.is_tiny} == set(PUBLISHED)
    assert {name for name, preset in PRESETS.items() if preset.note} == set(MORE_ROWS)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_parameter_counts_are_met_to_the_last_digit(name):
    config = PRESETS[name].config
    more = MORE_ROWS.get(name, 0) * config.d_model
    assert count_parameters(config) + more == PUBLISHED[name]["params_measured"]
    if active := PUBLISHED[name].get("params_active"):
        assert active_parameters(config) == active


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_presets_have_their_published_shapes(name):
    config, row = PRESETS[name].config, PUBLISHED[name]
    ours = {
        "dim": config.d_model,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "n_kv_heads": config.kv_heads,
        "head_dim": config.head_width,
        "ffn_hidden": config.hidden_width,
        "vocab_size": config.vocab_size,
        "context": config.context,
        "norm_eps": config.norm_eps,
        "norm_placement": config.norm_placement,
        "position": config.position,
        "tied_embeddings": config.tied_unembedding,
        "qk_norm": config.qk_norm != "none",
        "parallel_attention_ffn": config.block != "sequential",
        "norms_per_layer": len(config.block_norms),
        "norm_params_per_dim": NORM[config.norm].n_vectors,
        "ffn_matrices": FEED_FORWARD[config.feed_forward].n_matrices,
        "rope_fraction_of_head": config.rope_fraction if config.position == "rope" else None,
        "biases": {
            "qkv": config.has_bias("qkv"),
            "attn_out": config.has_bias("output"),
            "ffn": config.has_bias("feed_forward"),
            "lm_head": config.unembedding_bias,
        },
        "moe": {"n": config.n_experts, "active": config.n_active_experts, "router": True}
        if config.has_experts
        else None,
        "kv_cache_bytes_per_token_fp16": kv_cache_bytes_per_token(config, bytes_per_number=2),
    }
    assert ours == {key: row[key] for key in ours}
    assert config.norm == row["norm"].lower()
    kind = config.feed_forward.removeprefix("moe_").removesuffix("_exact")
    assert kind == row["ffn_type"].lower()
    if row["learned_position_rows"]:
        assert config.context + MORE_ROWS.get(name, 0) == row["learned_position_rows"]
    if config.position == "rope":
        assert config.rope_theta == row["rope_theta"]
    if row["sliding_window"]:
        assert (config.attention, config.window) == ("sliding", row["sliding_window"])


def on_the_meta_device(config: ModelConfig) -> TinyLlama:
    with torch.device("meta"):
        return TinyLlama(config)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_formulas_list_the_very_tensors_that_a_model_has(name):
    """Look at two layers: all of one model are alike in what they learn."""
    config = replace(PRESETS[name].config, n_layers=2, context=64)
    model = on_the_meta_device(config)
    built = {path: tuple(p.shape) for path, p in model.named_parameters()}
    assert parameter_shapes(config) == built
    assert count_parameters(config) == model.n_parameters()


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_every_choice_is_counted_as_it_is_built(small, slot, choice):
    config = replace(small, **{"qk_norm": "head", slot: choice, "n_kv_heads": 2})
    model = TinyLlama(config)
    assert parameter_shapes(config) == {k: tuple(p.shape) for k, p in model.named_parameters()}
    assert sum(parameters_by_component(config).values()) == model.n_parameters()


@pytest.mark.parametrize("changes", ODD_MODELS, ids=str)
def test_odd_models_are_counted_as_they_are_built(small, changes):
    config = replace(small, **changes)
    model = TinyLlama(config)
    assert parameter_shapes(config) == {k: tuple(p.shape) for k, p in model.named_parameters()}
    tokens = torch.zeros(3, 12, dtype=torch.long)
    measured = bytes_kept_for_backward(model, tokens)
    assert activation_bytes(config, batch_size=3, n_tokens=12) == measured
    with record(model, "blocks.*.attention.scores"), FlopCounterMode(display=False) as count:
        model(tokens[:1])
    assert count.get_total_flops() == sum(forward_flops(config, 12).values())


LARGEST = ModelConfig(feed_forward="moe_swiglu", n_layers=10_000, n_experts=512)
"""More tensors than any other: fifteen million."""
COUNTED = [
    *(ModelConfig(**{"qk_norm": "head", "n_kv_heads": 2, slot: it}) for slot, it in EVERY_CHOICE),
    *(replace(ModelConfig(), **changes) for changes in ODD_MODELS),
    *(replace(preset.config, n_layers=3) for preset in PRESETS.values()),
    replace(LARGEST, n_layers=5, n_experts=7, bias="all", norm="layernorm"),
    replace(LARGEST, n_layers=0),
]


@pytest.mark.parametrize("config", COUNTED, ids=range(len(COUNTED)))
def test_what_is_counted_by_kind_is_the_sum_over_every_single_tensor(config):
    shapes = parameter_shapes(config)
    assert count_parameters(config) == sum(map(prod, shapes.values()))
    assert sum(kind.times for kind in parameter_kinds(config)) == len(shapes)
    for component, counted in parameters_by_component(config).items():
        inside = [path.split(".")[2 if path.startswith("blocks.") else 0] for path in shapes]
        own = ("norm" if first.endswith("norm") else first for first in inside)
        sizes = map(prod, shapes.values())
        wanted = sum(n for name, n in zip(own, sizes, strict=True) if name == component)
        assert counted == wanted, component


@pytest.mark.parametrize("config", COUNTED, ids=range(len(COUNTED)))
def test_an_optimizer_takes_the_sum_over_every_single_tensor(config):
    shapes = parameter_shapes(config)
    adamw = {path: 2 * 4 * prod(shape) + 4 for path, shape in shapes.items()}
    sgd = {path: 4 * prod(shape) for path, shape in shapes.items()}
    muon = {path: (sgd if is_muon_matrix(path, shapes[path]) else adamw)[path] for path in shapes}
    for name, each in (("adamw", adamw), ("sgd", sgd), ("muon", muon)):
        assert training_memory(config, optimizer=name).optimizer == sum(each.values()), name


@pytest.mark.parametrize("attention", MENU["attention"])
def test_layers_that_differ_are_counted_as_if_one_by_one(attention):
    for n_layers, nope_every in product((0, 1, 2, 5, 6, 7, 13, 30), (None, 1, 2, 3, 40)):
        config = ModelConfig(
            attention=attention, n_layers=n_layers, nope_every=nope_every, rope_theta_local=50.0
        )
        windows = [config.window_of(layer) for layer in range(n_layers)]
        thetas = [config.theta_of(layer) for layer in range(n_layers)]
        assert config.n_windowed_layers == n_layers - windows.count(None)
        assert config.n_turning_layers == n_layers - thetas.count(None)
        a_layer = kv_cache_bytes_per_token(replace(config, n_layers=1))
        kept = sum(a_layer * min(100, window or 100) for window in windows)
        assert kv_cache_bytes(config, 100, is_rolling=True) == kept


@pytest.mark.parametrize(
    "count",
    [
        count_parameters,
        training_memory,
        lambda config: activation_bytes(config, batch_size=8, n_tokens=128),
        lambda config: kv_cache_bytes(config, 10_000, is_rolling=True),
        weight_bytes,
        lambda config: decode_work(config, n_tokens=100),
        lambda config: prefill_work(config, n_tokens=100),
    ],
)
def test_the_largest_model_is_counted_without_a_list_of_its_tensors(count):
    count(replace(LARGEST, n_layers=1))  # what is loaded once for all
    tracemalloc.start()
    count(replace(LARGEST, attention="local_global", nope_every=3))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000


def test_what_is_learned_counts_where_it_acts():
    config = ModelConfig(embedding_norm=True, feed_forward="moe_swiglu", unembedding_bias=True)
    counts = parameters_by_component(config)
    width, layers, an_expert = 64, 3, 3 * 64 * 176
    assert counts["norm"] == (1 + 2 * layers + 1) * width
    assert counts["feed_forward"] == layers * (8 * width + 8 * an_expert)
    assert counts["unembedding"] == config.vocab_size * width + config.vocab_size


def test_of_a_mixture_only_the_chosen_experts_are_active():
    config = ModelConfig(feed_forward="moe_swiglu", n_experts=8, n_active_experts=2)
    two = replace(config, n_experts=2)
    router = 3 * 6 * 64
    assert active_parameters(config) == count_parameters(two) + router
    assert six_n_d(config, 10) == six_n_d(two, 10) + 60 * router
    dense = ModelConfig()
    assert active_parameters(dense) == count_parameters(dense)


def test_tiny_gpt3_matches_tiny_llama_once_its_hidden_layer_has_what_tying_saves():
    llama, gpt3 = (PRESETS[name].config for name in ("tiny-llama", "tiny-gpt3"))
    wider = replace(gpt3, d_hidden=5 * gpt3.d_model)
    assert count_parameters(wider) == pytest.approx(count_parameters(llama), rel=0.02)


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_flops_are_those_that_pytorch_counts(small, slot, choice):
    config = replace(small, **{slot: choice}, n_kv_heads=2)
    model, tokens = TinyLlama(config), torch.zeros(1, 16, dtype=torch.long)
    scores = "blocks.*.attention.scores"  # watched, attention runs in plain matrix products
    has_attention = config.attention != "none"
    with (
        record(model, *([scores] if has_attention else [])),
        FlopCounterMode(display=False) as count,
    ):
        logits = model(tokens)
        assert count.get_total_flops() == sum(forward_flops(config, 16).values())
        logits.sum().backward()
    assert count.get_total_flops() == training_flops(config, 16)


@pytest.mark.parametrize("attention", MENU["attention"])
@pytest.mark.parametrize("n_tokens", [1, 5, 16])
def test_flops_of_hidden_scores_are_those_of_the_pairs_that_the_mask_hides(
    small, attention, n_tokens
):
    config = replace(small, attention=attention, n_layers=3, window=4)
    masks = [
        _hide(n_tokens, 0, config.window_of(layer), torch.device("cpu"), torch.float32)
        for layer in range(config.n_layers * config.has_attention)
    ]
    n_hidden = sum(int(mask.isinf().sum()) for mask in masks)
    assert hidden_flops(config, n_tokens) == n_hidden * 4 * config.n_heads * config.head_width


def test_six_n_d_is_the_exact_sum_without_attention_scores_and_with_norms():
    config = PRESETS["llama-1-7b"].config
    exact = training_flops(config, 1)
    assert six_n_d(config, 1) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_training_memory_is_what_tensors_take(small, optimizer):
    config = replace(small, bias="all", norm="layernorm")
    model = TinyLlama(config)
    optimizers = make_optimizers(model, TrainConfig(optimizer=optimizer))
    model(torch.zeros(1, 4, dtype=torch.long)).sum().backward()
    for each in optimizers:
        each.step()
    states = [state for each in optimizers for state in each.state.values()]
    n_bytes = sum(t.numel() * t.element_size() for state in states for t in state.values())
    memory = training_memory(config, optimizer=optimizer)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    gradients = sum(p.grad.numel() * p.grad.element_size() for p in model.parameters())
    assert asdict(memory) == {"weights": weights, "gradients": gradients, "optimizer": n_bytes}


def bytes_kept_for_backward(model: TinyLlama, tokens: torch.Tensor) -> int:
    """Sum the storages that autograd holds on to, each once, beyond those of the model."""
    lasting = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    lasting |= {
        _hide(tokens.shape[1], 0, w, tokens.device, torch.float32).data_ptr() for w in WINDOWS
    }
    kept = []  # alive, so that no two storages can share an address
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        logits = model(tokens).flatten(0, 1)
        cross_entropy(logits, tokens.flatten().clone())
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    return sum(n_bytes for place, n_bytes in storages.items() if place not in lasting)


WINDOWS = (None, 3)


LAYOUTS = [*product(CHOICES["block"], CHOICES["norm_placement"])]
LAYOUTS.remove(("parallel", "post"))  # the config refuses it


@pytest.mark.parametrize(("block", "where"), LAYOUTS)
@pytest.mark.parametrize("parts", [{}, {"attention": "none"}, {"feed_forward": "none"}], ids=str)
def test_activation_memory_is_exact_for_every_layout_of_a_block(small, block, where, parts):
    for norm in NORM:
        check_activations(replace(small, block=block, norm_placement=where, norm=norm, **parts))


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_activation_memory_is_what_autograd_keeps(small, slot, choice):
    check_activations(replace(small, **{"qk_norm": "head", slot: choice, "n_kv_heads": 2}))


@pytest.mark.parametrize("qk_norm", CHOICES["qk_norm"])
@pytest.mark.parametrize("n_kv_heads", [2, 4])
def test_activation_memory_of_attention_is_what_autograd_keeps(small, qk_norm, n_kv_heads):
    """Count queries and keys once more where they are normed, turned, or both."""
    for norm in NORM:
        for position in ("rope", "alibi"):
            choices = {"norm": norm, "position": position, "qk_norm": qk_norm}
            check_activations(replace(small, **choices, n_kv_heads=n_kv_heads))


def check_activations(config: ModelConfig) -> None:
    tokens = torch.zeros(3, 12, dtype=torch.long)
    measured = bytes_kept_for_backward(TinyLlama(config), tokens)
    assert activation_bytes(config, batch_size=3, n_tokens=12) == measured, config


def test_activation_memory_of_a_usual_step_is_what_autograd_keeps():
    config = ModelConfig(n_layers=2)
    tokens = torch.zeros(8, config.context, dtype=torch.long)
    measured = bytes_kept_for_backward(TinyLlama(config), tokens)
    assert activation_bytes(config, batch_size=8, n_tokens=config.context) == measured


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_the_kv_cache_is_as_large_as_counted(small, n_kv_heads):
    config = replace(small, n_kv_heads=n_kv_heads)
    cache = Cache(config.n_layers, config.context)
    with torch.no_grad():
        TinyLlama(config)(torch.zeros(1, 5, dtype=torch.long), cache)
    assert cache.n_bytes == 5 * kv_cache_bytes_per_token(config)
