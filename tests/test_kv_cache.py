"""What the KV cache holds and saves, against weights, loops and PyTorch's own count."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EVERY_CHOICE
from torch.utils.flop_counter import FlopCounterMode

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.kv_cache import N_TRIES, seconds_of_last
from tiny_llama.analyses.subject import Subject
from tiny_llama.cost import kv_cache_bytes, kv_cache_bytes_per_token, next_token_flops
from tiny_llama.errors import ConfigError
from tiny_llama.generation import Reader
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.presets import PRESETS
from tiny_llama.tap import record

TEXT = "Once there was a kind duck."


@pytest.fixture(scope="module")
def tales():
    return Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / "tales-llama")


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_keys_and_values_are_products_of_the_weights_and_as_large_as_counted(tales, kv_heads):
    config = replace(tales.model.config, n_kv_heads=kv_heads)
    model = TinyLlama(config).eval()
    found = ANALYSES["kv_cache"].run(replace(tales, model=model), text=TEXT)
    n, e = len(tales.tokenizer.encode(TEXT)), config.head_width
    assert found["keys"].shape == found["values"].shape == (kv_heads, n, e)
    assert found["n_bytes"] == n * kv_cache_bytes_per_token(config) == kv_cache_bytes(config, n)
    x = model.embedding.weight[tales.tokenizer.encode(TEXT)]
    x = x / (x.pow(2).mean(-1, keepdim=True) + config.norm_eps).sqrt()
    weight = model.blocks[0].attention.to_qkv.weight
    keys, values = weight[config.d_model :].split(kv_heads * e)
    for head in range(kv_heads):
        part = slice(head * e, (head + 1) * e)
        wanted = (x @ values[part].T).detach().numpy()
        np.testing.assert_allclose(found["values"][head], wanted, atol=1e-5)
        lengths = (x @ keys[part].T).norm(dim=-1).detach().numpy()  # which turning leaves alone
        np.testing.assert_allclose(np.linalg.norm(found["keys"][head], axis=-1), lengths, rtol=1e-4)


@pytest.mark.parametrize("change", [{"attention": "none"}, {"n_layers": 0}])
def test_a_model_with_nothing_to_keep_says_so(tales, change):
    config = replace(tales.model.config, **change)
    with pytest.raises(ConfigError, match="nothing to keep"):
        ANALYSES["kv_cache"].run(replace(tales, model=TinyLlama(config).eval()), text=TEXT)
    assert kv_cache_bytes(config, 100) == 0


def test_the_times_are_of_every_length_up_to_the_context(tales):
    found = ANALYSES["cache_speed"].run(tales, turn=0)
    assert (found["lengths"][0], found["lengths"][-1]) == (1, tales.model.config.context)
    assert len(found["lengths"]) == 16
    assert (found["with_cache"] > 0).all()
    assert (found["without_cache"] > 0).all()


def test_what_is_timed_is_the_reading_of_the_last_token(tales):
    kept, plain = Reader(tales.model, use_cache=True), Reader(tales.model, use_cache=False)
    for length in (1, 2, 9):
        for reader in (kept, plain):
            while len(reader.visible) < length:
                reader.push(len(reader.visible))
            with torch.no_grad():
                assert len(list(seconds_of_last(reader, length))) == N_TRIES
        assert kept.cache.length == length
        kept.cache.length = length - 1
        with torch.no_grad():
            torch.testing.assert_close(kept.next_logits(), plain.next_logits(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_operations_of_one_more_token_are_those_that_pytorch_counts(small, slot, choice):
    config = replace(small, **{slot: choice}, n_kv_heads=2)
    model, cache = TinyLlama(config), Cache(config.n_layers, config.context)
    scores = ["blocks.*.attention.scores"] if config.has_attention else []
    with torch.no_grad(), record(model, *(scores or ["logits"])):
        model(torch.zeros(1, 9, dtype=torch.long), cache)
        with FlopCounterMode(display=False) as count:
            model(torch.zeros(1, 1, dtype=torch.long), cache)
    assert count.get_total_flops() == sum(next_token_flops(config, 10).values())


@pytest.mark.parametrize("attention", ["causal", "sliding", "alternating"])
@pytest.mark.parametrize("n_tokens", [1, 3, 40])
def test_a_rolling_cache_keeps_each_layers_window(small, attention, n_tokens):
    config = replace(small, attention=attention, n_kv_heads=2)
    wanted = 0
    for layer in range(config.n_layers):
        for place in range(n_tokens):
            window = config.window_of(layer)
            if window is None or place >= n_tokens - window:
                wanted += 2 * 2 * config.head_width * 2
    found = kv_cache_bytes(config, n_tokens, bytes_per_number=2, is_rolling=True)
    assert found == wanted
    whole = kv_cache_bytes(config, n_tokens, bytes_per_number=2)
    assert whole == n_tokens * kv_cache_bytes_per_token(config, bytes_per_number=2)


@pytest.mark.parametrize(
    ("name", "a_token"),
    [
        ("llama-1-7b", 524_288),  # 2 x 32 layers x 32 heads x 128 x 2 bytes
        ("llama-2-70b", 327_680),  # 2 x 80 x 8 x 128 x 2
        ("llama-3-8b", 131_072),  # 2 x 32 x 8 x 128 x 2
        ("gemma-2b", 18_432),  # 2 x 18 x 1 x 256 x 2
    ],
)
def test_real_models_keep_what_their_papers_shapes_say(name, a_token):
    config = PRESETS[name].config
    assert kv_cache_bytes_per_token(config, bytes_per_number=2) == a_token
    assert kv_cache_bytes(config, 8192, bytes_per_number=2) == 8192 * a_token
