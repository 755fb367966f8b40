"""Activations and hidden units, against formulas and loops."""

from dataclasses import replace
from math import erf, exp, pi, sqrt, tanh
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.places import THRESHOLDS
from tiny_llama.analyses.subject import Subject
from tiny_llama.analyses.units import MOST_UNITS
from tiny_llama.errors import ConfigError
from tiny_llama.menu import FEED_FORWARD
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record

PRETRAINED = Path(tiny_llama.__file__).parent / "pretrained"
TEXT = "Once there was a kind duck named Gus."


def silu(z):
    return z / (1 + exp(-z))


def gelu(z):
    return 0.5 * z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z**3)))


def relu(z):
    return max(0.0, z)


BY_NAME = {"swiglu": silu, "geglu": gelu, "reglu": relu, "gelu": gelu, "relu": relu}
BY_NAME["relu_squared"] = lambda z: relu(z) ** 2
BY_NAME["gelu_exact"] = lambda z: z * (1 + erf(z / sqrt(2))) / 2


@pytest.fixture(scope="module", params=["tales-llama", "tales-gpt3", "repeat-llama"])
def subject(request):
    return Subject.load(PRETRAINED / request.param)


def test_every_activation_and_its_derivative_is_that_of_its_formula():
    found = ANALYSES["activations"].run()
    assert set(found["names"]) == set(FEED_FORWARD) - {"none", "moe_swiglu"}
    step = 1e-5
    for name, values, slopes in zip(found["names"], found["values"], found["slopes"], strict=True):
        act = BY_NAME[name]
        for z, value, slope in zip(found["z"], values, slopes, strict=True):
            assert value == pytest.approx(act(z), abs=1e-9)
            if z != 0:  # a corner has no derivative
                difference = (act(z + step) - act(z - step)) / (2 * step)
                assert slope == pytest.approx(difference, abs=1e-5)
    at_zero = int(np.flatnonzero(found["z"] == 0)[0])
    assert found["slopes"][found["names"].index("relu"), at_zero] == 0


def hidden_layer(subject, layer):
    """Compute what a layer's feed-forward does, from its weights and its input alone."""
    block = subject.model.blocks[layer]
    with torch.no_grad(), record(subject.model, f"blocks.{layer}.feed_forward_norm") as seen:
        subject.model(subject.read(TEXT)[None])
        x = seen[f"blocks.{layer}.feed_forward_norm"][0].double()
        part = block.feed_forward
        up = x @ part.to_up.weight.T.double()
        if part.to_up.bias is not None:
            up = up + part.to_up.bias.double()
        before = x @ part.to_gate.weight.T.double() if hasattr(part, "to_gate") else up
    act = np.vectorize(BY_NAME[subject.model.config.feed_forward])
    gate = act(before.numpy())
    hidden = gate * up.numpy() if hasattr(part, "to_gate") else gate
    return before.numpy(), gate, up.numpy(), hidden


def test_units_and_tokens_are_those_of_a_direct_calculation(subject):
    every = hidden_layer(subject, 1)
    busiest = np.abs(every[3]).mean(0).argsort()[::-1]
    asked = {"text": TEXT, "layer": 1, "token": 5}
    for what, values in zip(("before", "gate", "up", "hidden"), every, strict=True):
        found = ANALYSES["units"].run(subject, what=what, unit=7, **asked)
        assert len(found["shown"]) == min(MOST_UNITS, len(busiest))
        np.testing.assert_array_equal(found["shown"][:3], busiest[:3])
        np.testing.assert_allclose(found["map"], values[:, found["shown"]].T, atol=1e-4)
        for row in range(4):
            np.testing.assert_allclose(found["unit_values"][row], every[row][:, 7], atol=1e-4)
            np.testing.assert_allclose(found["token_values"][row], every[row][5], atol=1e-4)
    for unit in (None, -1, 10**6):
        found = ANALYSES["units"].run(subject, what="hidden", unit=unit, **asked)
        assert found["unit"] == busiest[0]


def test_shares_near_zero_are_counted(subject):
    found = ANALYSES["openings"].run(subject, text=TEXT, layer=0)
    for layer in range(subject.model.config.n_layers):
        before, _, _, hidden = hidden_layer(subject, layer)
        sizes = np.abs(hidden).ravel()
        rms = sqrt(np.square(sizes).mean())
        for place in (0, 10, 20, 30, 40):
            share = sum(size < THRESHOLDS[place] * rms for size in sizes) / len(sizes)
            assert found["near_zero"][layer, place] == pytest.approx(share, abs=2e-3)
        assert found["negative"][layer] == pytest.approx((before < 0).mean(), abs=1e-3)


def test_gate_and_up_are_laid_into_bins(subject):
    found = ANALYSES["openings"].run(subject, text=TEXT, layer=1)
    before, gate, up, hidden = hidden_layer(subject, 1)
    across, upward = (gate, up) if subject.model.config.has_gate else (before, hidden)
    assert found["n_values"] == across.size
    assert found["correlation"][0] == pytest.approx(
        np.corrcoef(across.ravel(), upward.ravel())[0, 1], abs=1e-3
    )
    x, y = found["gate_edges"], found["up_edges"]
    for row, column in ((0, 0), (18, 3), (20, 5)):
        inside = (across >= x[column]) & (across < x[column + 1])
        inside &= (upward >= y[row]) & (upward < y[row + 1])
        assert found["counts"][row, column] == pytest.approx(inside.sum(), abs=2)
    assert found["counts"].sum() > 0.97 * across.size


def test_what_is_exactly_zero_is_counted():
    subject = Subject.load(PRETRAINED / "tales-llama")
    config = replace(subject.model.config, feed_forward="relu")
    subject = replace(subject, model=TinyLlama(config, seed=0).eval())
    found = ANALYSES["openings"].run(subject, text=TEXT, layer=0)
    np.testing.assert_allclose(found["exact"], found["negative"])
    assert 0.3 < found["exact"][0] < 0.7


def test_models_without_hidden_layer_and_layers_that_are_not_there_are_refused():
    subject = Subject.load(PRETRAINED / "tales-llama")
    asked = {"text": TEXT, "what": "hidden", "unit": None, "token": 0}
    with pytest.raises(ConfigError, match="layer=4"):
        ANALYSES["units"].run(subject, layer=4, **asked)
    for fields in ({"feed_forward": "none"}, {"n_layers": 0}):
        config = replace(subject.model.config, **fields)
        odd = replace(subject, model=TinyLlama(config, seed=0).eval())
        with pytest.raises(ConfigError, match="no feed-forward"):
            ANALYSES["units"].run(odd, layer=0, **asked)
    broken = TinyLlama(subject.model.config, seed=0).eval()
    broken.embedding.weight.data.fill_(float("nan"))
    with pytest.raises(ConfigError, match="finite"):
        ANALYSES["openings"].run(replace(subject, model=broken), text=TEXT, layer=0)
