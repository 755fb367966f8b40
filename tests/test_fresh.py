"""An untrained model, built just for a look."""

from dataclasses import asdict, replace

import pytest
import torch

from tiny_llama.analyses import ANALYSES
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.tap import record


def fresh(config, path, **values):
    return ANALYSES["fresh"].run(model=asdict(config), path=path, n_tokens=6, **values)["tensor"]


def test_it_is_what_an_untrained_model_of_this_seed_computes(small):
    path = "blocks.1.attention.pattern"
    model = TinyLlama(small, seed=3).eval()
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(small.vocab_size, (1, 6), generator=draw)
    with torch.no_grad(), record(model, path) as seen:
        model(tokens)
    assert fresh(small, path, seed=3).tolist() == seen[path][0].tolist()


def test_a_long_context_costs_nothing(small):
    assert fresh(replace(small, context=10_000_000), "logits").shape == (6, small.vocab_size)


def test_one_that_is_too_large_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"6,738,415,616 parameters is too large"):
        fresh(PRESETS["llama-1-7b"].config, "logits")
    deep = ModelConfig(n_layers=10_000, d_model=8, n_heads=1, d_hidden=8)
    with pytest.raises(ConfigError, match="n_layers=10,000"):
        fresh(deep, "logits")


def test_fields_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="'depth'"):
        ANALYSES["fresh"].run(model={"depth": 3}, path="logits", n_tokens=4)
