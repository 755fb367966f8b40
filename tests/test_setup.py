"""A run's setup in plain words: its settings by name, what differs, and one line for each."""

from dataclasses import fields, replace

import pytest

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import MENU
from tiny_llama.presets import PRESETS
from tiny_llama.setup import (
    OWN_TEXT,
    SETTINGS,
    TINY,
    Setup,
    changes,
    describe_changes,
    from_preset,
    setting_word,
    setup_in_one_line,
    setup_of_preset,
)
from tiny_llama.train_config import TrainConfig

UNUSUAL = {
    "corpus": "python-manual",
    "tokenizer": "bytes",
    "vocab_size": "700",
    "norm": "layernorm",
    "position": "alibi",
    "attention": "sliding",
    "feed_forward": "geglu",
    "norm_placement": "post",
    "bias": "qkv",
    "block": "parallel_two_norms",
    "qk_norm": "all",
    "context": "100",
    "n_layers": "4",
    "d_model": "60",
    "n_heads": "6",
    "n_kv_heads": "2",
    "d_head": "14",
    "d_hidden": "123",
    "hidden_multiple": "7",
    "norm_eps": "3e-07",
    "embedding_scale": "true",
    "embedding_norm": "true",
    "rope_theta": "123456.5",
    "rope_theta_local": "777",
    "rope_fraction": "0.6",
    "nope_every": "3",
    "window": "9",
    "attention_softcap": "12.5",
    "n_experts": "5",
    "n_active_experts": "3",
    "tied_unembedding": "true",
    "unembedding_bias": "true",
    "logit_softcap": "0.25",
    "dropout": "0.15",
    "init_std": "0.0333",
    "embedding_std": "0.444",
    "scaled_residual_init": "false",
    "optimizer": "muon",
    "schedule": "linear",
    "steps": "777",
    "batch_size": "5",
    "seed": "4294967295",
    "data_seed": "11",
    "learning_rate": "0.0123",
    "warmup_steps": "3",
    "weight_decay": "0.3",
    "beta1": "0.123456789",
    "beta2": "0.77",
    "gradient_clip": "0.5",
    "label_smoothing": "0.05",
    "text_noise": "0.35",
    "evaluate_every": "13",
    "evaluate_texts": "3",
    "sample_every": "17",
    "sample_tokens": "19",
    "n_snapshots": "4",
}
"""A word for every setting, none of them the usual one, that all fit together."""

USUAL = Setup()
GPT3 = Setup(model=PRESETS["tiny-gpt3"].config)


def test_the_settings_are_the_fields_of_all_three_configs_once_each():
    names = [f.name for owner in (Setup, ModelConfig, TrainConfig) for f in fields(owner)]
    assert sorted(SETTINGS) == sorted(set(names) - {"model", "training"})
    assert list(SETTINGS) == list(UNUSUAL), "give a new setting an unusual word above"


@pytest.mark.parametrize(("name", "word"), UNUSUAL.items())
def test_one_changed_setting_is_the_only_change_and_reads_as_it_was_written(name, word):
    after = Setup().with_values(UNUSUAL)
    before = after.with_settings({name: USUAL.setting(name)})
    assert changes(before, after) == {name: (USUAL.setting(name), after.setting(name))}
    assert describe_changes(before, after).endswith(f" → {word}")
    assert before.with_settings({name: after.setting(name)}) == after


def test_all_settings_changed_are_told_in_reading_order():
    found = changes(Setup(), Setup().with_values(UNUSUAL))
    assert list(found) == list(SETTINGS)
    assert list(found)[3:7] == list(MENU)


def test_a_change_reads_as_names_and_words():
    before = Setup()
    after = before.with_values({"learning_rate": "0.01", "norm": "layernorm", "d_head": "8"})
    assert describe_changes(before, after) == (
        "norm: rmsnorm → layernorm, d_head: auto → 8, learning_rate: 0.006 → 0.01"
    )
    assert describe_changes(after, after) == "the same settings"


def test_a_preset_begins_with_a_learning_rate_that_falls_with_its_width():
    assert setup_of_preset("tiny-llama") == Setup()
    rates = {name: setup_of_preset(name).training.learning_rate for name in TINY}
    widths = {name: PRESETS[name].config.d_model for name in TINY}
    assert len(set(widths.values())) > 2
    for name, rate in rates.items():
        assert rate * widths[name] == pytest.approx(0.006 * 64), name


@pytest.mark.parametrize("name", TINY)
def test_a_presets_own_setup_is_told_by_its_name_alone(name):
    assert from_preset(setup_of_preset(name)) == (name, {})


def test_a_setup_from_before_embeddings_had_a_spread_of_their_own_means_what_it_meant():
    values = Setup().with_values({"init_std": "0.08"}).as_dict()
    assert Setup.from_dict(values).model.embedding_std == 1.0
    del values["model"]["embedding_std"]
    assert Setup.from_dict(values).model.embedding_std == 0.08


def test_a_vocabulary_that_the_tokenizer_decided_is_no_change():
    begun = replace(Setup(), model=replace(ModelConfig(), vocab_size=71))
    assert describe_changes(Setup(), begun) == "the same settings"
    other = replace(begun, tokenizer="bytes", model=replace(ModelConfig(), vocab_size=256))
    assert describe_changes(begun, other) == "tokenizer: sentencepiece → bytes"


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("norm_eps", 1e-5, "1e-05"),
        ("rope_theta", 10_000.0, "10000"),
        ("learning_rate", 0.0123456789, "0.0123456789"),
        ("d_hidden", None, "auto"),
        ("logit_softcap", None, "none"),
        ("embedding_scale", False, "false"),
        ("nope_every", None, "none"),
        ("rope_theta_local", None, "auto"),
    ],
)
def test_a_value_is_written_as_it_is_read(name, value, word):
    assert setting_word(name, value) == word
    assert Setup().with_values({name: word}).setting(name) == value


@pytest.mark.parametrize("name", ["model", "training", "", "__class__", "norms"])
def test_an_unknown_setting_is_one_sentence(name):
    for ask in (Setup().setting, lambda n: Setup().with_settings({n: 1})):
        with pytest.raises(ConfigError, match=r"is no setting; the settings are corpus, .*\.$"):
            ask(name)


def test_a_setup_in_one_line():
    assert setup_in_one_line(Setup()) == (
        "3 layers × 64 wide, 4 heads, RoPE, SwiGLU, RMSNorm · tales"
    )
    assert setup_in_one_line(replace(GPT3, corpus=OWN_TEXT)) == (
        "3 layers × 64 wide, 4 alternating heads, learned positions, GELU, LayerNorm · own-text"
    )
    bare = {"n_layers": "1", "attention": "none", "norm": "none", "feed_forward": "none"}
    assert setup_in_one_line(Setup().with_values(bare)) == (
        "1 layer × 64 wide, no attention, RoPE, no feed-forward, no norm · tales"
    )
    shared = Setup().with_values({"n_heads": "1", "d_head": "8"})
    assert ", 1 head, " in setup_in_one_line(shared)
    assert ", 4 heads (2 K/V), " in setup_in_one_line(Setup().with_values({"n_kv_heads": "2"}))


@pytest.mark.parametrize(
    ("slot", "option"), [(slot, option) for slot, options in MENU.items() for option in options]
)
def test_every_part_shows_in_the_line_and_leaves_it_short(slot, option):
    plain = setup_in_one_line(Setup())
    line = setup_in_one_line(Setup().with_values({slot: option}))
    assert len(line) < 80
    assert (line == plain) == (option == Setup().setting(slot))
