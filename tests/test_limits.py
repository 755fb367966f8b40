"""What one run may take, and where."""

from dataclasses import replace

import pytest
from tiny_runs import SETUP

from explorer.engine import limits as limits_module
from explorer.engine.limits import (
    OWN,
    PROCESSES,
    SHARED,
    check_setup,
    held_bytes,
    limits,
    with_expected_vocabulary,
)
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.peak import step_bytes
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (replace(SETUP, model=ModelConfig(d_model=4096, n_heads=1)), f"{OWN.parameters:,}"),
        (replace(SETUP, model=ModelConfig(n_layers=10_000, d_model=8)), "n_layers=10,000"),
        (
            replace(SETUP, model=ModelConfig(feed_forward="moe_swiglu", n_experts=86)),
            "n_experts=86 are 258 experts",
        ),
        (replace(SETUP, model=ModelConfig(context=1024)), "context=1,024"),
        (replace(SETUP, training=TrainConfig(batch_size=20_000)), "MB for activations"),
        (replace(SETUP, model=ModelConfig(d_model=256, context=512)), "billion operations"),
        (
            replace(SETUP, model=ModelConfig(dropout=0.1, context=512, n_heads=32)),
            "MB for activations",
        ),
        (replace(SETUP, training=TrainConfig(steps=60_000)), "steps=60,000"),
        (replace(SETUP, training=TrainConfig(n_snapshots=101)), "n_snapshots=101"),
    ],
)
def test_runs_over_the_limits_are_refused_before_anything_is_built(setup, words):
    with pytest.raises(ConfigError, match="too large to train") as caught:
        check_setup(setup)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("word", "n_bytes", "wanted"),
    [
        ("shared", 16_000_000_000, SHARED),
        ("own", 1_000_000_000, OWN),
        ("", 1_000_000_000, SHARED),
        ("", 690_000_000, SHARED),
        ("", 16_000_000_000, OWN),
    ],
)
def test_a_small_container_gets_smaller_limits(monkeypatch, word, n_bytes, wanted):
    monkeypatch.setenv("TINY_LLAMA_LIMITS", word)
    monkeypatch.setattr(limits_module, "memory_bytes", lambda: n_bytes)
    here = limits.__wrapped__()  # an engine beside this test may ask, too, and be answered first
    fitted = {name: getattr(wanted, name) for name in ("training_bytes", "process_bytes")}
    assert replace(here, **fitted) == wanted
    if wanted is SHARED:
        most = step_bytes(Setup()) + 20 * held_bytes(Setup())
        assert most < here.training_bytes < here.process_bytes <= n_bytes - PROCESSES


def test_every_tiny_preset_fits_the_smallest_place(monkeypatch):
    monkeypatch.setattr(limits_module, "limits", lambda: SHARED)
    for preset in PRESETS.values():
        if preset.is_tiny:
            check_setup(Setup(model=preset.config))


@pytest.mark.parametrize(
    ("changes", "text", "size"),
    [
        ({}, None, SETUP.model.vocab_size),
        ({}, "abcabc", 4),
        ({}, "".join(map(chr, range(0x4E00, 0x4E00 + 9_000))), 4_096),
        ({"tokenizer": "sentencepiece"}, "abc", 512),
        ({"tokenizer": "sentencepiece", "vocab_size": 8_000}, None, 8_000),
    ],
)
def test_a_vocabulary_counts_before_it_is_there(changes, text, size):
    assert with_expected_vocabulary(replace(SETUP, **changes), text).model.vocab_size == size


def test_what_steps_take_counts_logits_and_what_attention_keeps():
    model = ModelConfig(context=64, n_layers=2, d_model=32, n_heads=4, vocab_size=50)
    usual = Setup(model=model)

    def step(**changes):
        return step_bytes(replace(usual, model=replace(model, **changes)))

    logits = 4 * 8 * 64 * 1_000
    assert step(vocab_size=1_050) - step() > 3 * logits
    assert step(vocab_size=1_050, logit_softcap=9.0) - step(logit_softcap=9.0) > 4 * logits
    patterns = 4 * 8 * 4 * 64**2 * 2
    assert step(attention_softcap=9.0) - step() == 3 * patterns
    assert step(dropout=0.1) - step() >= 4 * patterns
    assert held_bytes(usual, 1_000) - held_bytes(usual) == 4_000
