"""What training takes, against the paper's own figures and against sums."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import explorer
from tiny_llama.cost import activation_bytes, count_parameters, parameter_shapes, training_flops
from tiny_llama.presets import PRESETS
from tiny_llama.training_cost import (
    RECIPES,
    accelerator_hours,
    carbon_tonnes,
    energy_kwh,
    exact_training_flops,
    model_utilisation,
    recipe_activations,
    recipe_memory,
)

FACTS = Path(explorer.__file__).parent / "content" / "facts"
LLAMA = json.loads((FACTS / "llama_paper.json").read_text(encoding="utf-8"))
A100 = 312e12
LLAMA_65B = PRESETS["llama-1-65b"].config


@pytest.mark.parametrize("recipe", RECIPES)
def test_adamw_takes_16_bytes_a_parameter_in_either_recipe(recipe):
    held = sum(recipe_memory(LLAMA_65B, recipe).values())
    assert held == 16 * count_parameters(LLAMA_65B) + 4 * len(parameter_shapes(LLAMA_65B))


def test_mixed_precision_keeps_two_copies_of_the_weights():
    n = count_parameters(LLAMA_65B)
    held = recipe_memory(LLAMA_65B, "mixed", optimizer="sgd")
    assert held == {
        "weights": 2 * n,
        "gradients": 2 * n,
        "weights in fp32": 4 * n,
        "optimizer": 4 * n,
    }


def test_activations_are_counted_as_here_and_halved_in_16_bits(small):
    asked = {"batch_size": 3, "n_tokens": 8}
    exact = activation_bytes(small, **asked)
    assert recipe_activations(small, "fp32", **asked) == exact
    assert recipe_activations(small, "mixed", **asked) == round(exact / 2)


def test_a_checkpointed_layer_keeps_its_input_alone(small):
    asked = {"batch_size": 3, "n_tokens": 8, "is_checkpointed": True}
    two, three = (recipe_activations(replace(small, n_layers=n), "fp32", **asked) for n in (2, 3))
    assert three - two == 4 * 3 * 8 * small.d_model
    deep = replace(small, n_layers=20)
    assert recipe_activations(deep, "fp32", **asked) < recipe_activations(
        deep, "fp32", batch_size=3, n_tokens=8
    )
    none = replace(small, n_layers=0)
    assert recipe_activations(none, "fp32", **asked) == activation_bytes(
        none, batch_size=3, n_tokens=8
    )


def test_a_training_that_skips_hidden_scores_takes_nearly_half_of_the_square_less(small):
    n = small.context
    whole = exact_training_flops(small, n)
    skipping = exact_training_flops(small, n, skips_hidden=True)
    square = 3 * small.n_layers * 4 * n * n * small.n_heads * small.head_width
    assert whole - skipping == square * (n - 1) / (2 * n)


def test_a_training_is_as_many_texts_as_its_tokens_fill(small):
    assert exact_training_flops(small, 10 * small.context) == 10 * training_flops(
        small, small.context
    )


def test_65b_takes_the_hours_that_the_paper_prints():
    row = next(row for row in LLAMA["table15_carbon"] if row["model"] == "LLaMA-65B")
    speed = LLAMA["efficiency"]["tokens_per_sec_per_gpu_65B"]
    six_n = 6 * count_parameters(LLAMA_65B)
    used = model_utilisation(six_n, tokens_a_second=speed, peak_flops=A100)
    assert used == pytest.approx(0.477, abs=5e-4)
    hours = accelerator_hours(six_n * 1.4e12, peak_flops=A100, utilisation=used)
    assert hours == pytest.approx(1.4e12 / 380 / 3600)
    assert hours == pytest.approx(row["gpu_hours"], rel=2e-3)
    assert hours / 24 / 2048 == pytest.approx(20.8, abs=0.05)


@pytest.mark.parametrize("row", LLAMA["table15_carbon"], ids=lambda row: row["model"])
def test_energy_and_carbon_are_the_printed_ones(row):
    method = LLAMA["carbon_method"]
    kwh = energy_kwh(row["gpu_hours"], watts=row["gpu_watts"], usage_effectiveness=method["pue"])
    tonnes = carbon_tonnes(kwh, kg_a_kwh=method["kg_co2_per_kwh"])
    assert kwh / 1000 == pytest.approx(row["recomputed_mwh"], abs=0.01)
    assert tonnes == pytest.approx(row["recomputed_tco2eq"], abs=0.01)
    assert kwh / 1000 == pytest.approx(row["mwh"], rel=0.01)
    assert tonnes == pytest.approx(row["tco2eq"], rel=0.01)
