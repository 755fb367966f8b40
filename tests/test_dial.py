"""One dial: depth sets the rest; real models that stand on it, and one that does not."""

from dataclasses import replace

import pytest

from tiny_llama.config import ModelConfig
from tiny_llama.dial import by_depth
from tiny_llama.presets import PRESETS

SIZES = ("n_layers", "n_heads", "d_model", "head_width", "hidden_width")
LLAMA, GPT3 = PRESETS["llama-1-7b"].config, PRESETS["gpt3-13b"].config


@pytest.mark.parametrize(
    ("begin", "name"),
    [
        (LLAMA, "llama-1-7b"),
        (LLAMA, "llama-1-13b"),
        (GPT3, "gpt3-6.7b"),
        (GPT3, "gpt3-13b"),
        (GPT3, "gpt3-175b"),
    ],
)
def test_the_dial_passes_through_these_real_models(begin, name):
    real = PRESETS[name].config
    turned = by_depth(begin, real.n_layers)
    assert [getattr(turned, size) for size in SIZES] == [getattr(real, size) for size in SIZES]


def test_llama_65b_is_narrower_than_its_depth_would_have_it():
    assert by_depth(LLAMA, 80).n_heads > PRESETS["llama-1-65b"].config.n_heads


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 24])
def test_all_parts_stay_what_they_are(depth):
    config = ModelConfig(n_heads=4, n_kv_heads=2, position="alibi", d_hidden=72)
    turned = by_depth(config, depth)
    assert turned.head_width == config.head_width
    assert replace(turned, **{name: getattr(config, name) for name in CHANGED}) == config
    assert turned.n_heads // turned.kv_heads == (2 if depth % 2 == 0 else 1)


CHANGED = ("n_layers", "n_heads", "n_kv_heads", "d_model", "d_head", "d_hidden")
