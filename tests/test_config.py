from dataclasses import replace

import pytest

from tiny_llama.config import BOUNDS, ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.fields import make_config, parse_field
from tiny_llama.sample_config import SampleConfig
from tiny_llama.train_config import TrainConfig


def test_hidden_width_follows_the_rule_of_llama():
    widths = {4096: 11_008, 5120: 13_824, 6656: 17_920, 8192: 22_016}
    for d_model, d_hidden in widths.items():
        config = ModelConfig(d_model=d_model, n_heads=1, hidden_multiple=256)
        assert config.hidden_width == d_hidden
    assert ModelConfig(feed_forward="gelu").hidden_width == 4 * 64
    assert ModelConfig(d_hidden=7).hidden_width == 7


def test_more_heads_do_not_silently_turn_into_grouped_queries():
    assert replace(ModelConfig(), n_heads=8).kv_heads == 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d_model": 65}, ["d_model=65", "n_heads=4"]),
        (
            {"norm": "batchnorm"},
            [
                "norm='batchnorm'",
                "rmsnorm or layernorm or layernorm_no_bias or layernorm_plain or none",
            ],
        ),
        ({"d_model": 12, "n_heads": 4}, ["head width 3", "even"]),
        ({"n_heads": 4, "n_kv_heads": 3}, ["n_heads=4", "n_kv_heads=3"]),
        ({"d_model": "64"}, ["d_model='64'", "a whole number"]),
        ({"n_layers": 2.0}, ["n_layers=2.0", "a whole number"]),
        ({"scaled_residual_init": 1}, ["scaled_residual_init=1", "true or false"]),
        ({"qk_norm": True}, ["qk_norm=True", "a word"]),
        ({"qk_norm": "true"}, ["qk_norm='true'", "none or head or all"]),
        ({"rope_fraction": 0.2}, ["rope_fraction=0.2", "head width 16", "3 coordinates", "even"]),
        ({"rope_fraction": 0.0}, ["rope_fraction=0", "0 coordinates", "at least 2"]),
        ({"feed_forward": "moe_swiglu", "n_active_experts": 9}, ["=9", "n_experts=8"]),
        ({"block": "parallel", "norm_placement": "post"}, ["block='parallel'", "'post'"]),
        ({"norm_eps": float("nan")}, ["norm_eps=nan"]),
        ({"dropout": 1.0}, ["dropout=1.0", "0.99"]),
        ({"position": "sinusoidal", "d_model": 63, "n_heads": 3}, ["even"]),
    ],
)
def test_a_setup_that_cannot_be_built_is_refused_with_name_value_and_rule(changes, words):
    with pytest.raises(ConfigError) as caught:
        ModelConfig(**changes)
    assert all(word in str(caught.value) for word in words), caught.value


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigError, match=r"n_layers=-1.*dropout=7"):
        ModelConfig(n_layers=-1, dropout=7.0)


@pytest.mark.parametrize(("name", "limits"), BOUNDS.items())
def test_no_number_passes_its_bounds(name, limits):
    low, high = limits
    for beyond in (low - 1, high * 2 + 1):
        with pytest.raises(ConfigError, match=name):
            ModelConfig(**{name: type(high)(beyond)})


@pytest.mark.parametrize(
    ("config", "name", "text", "value"),
    [
        (ModelConfig, "d_model", " 128 ", 128),
        (ModelConfig, "n_kv_heads", "auto", None),
        (ModelConfig, "n_kv_heads", "2", 2),
        (ModelConfig, "norm_eps", "1e-6", 1e-6),
        (ModelConfig, "embedding_norm", "True", True),
        (ModelConfig, "norm", "none", "none"),
        (TrainConfig, "learning_rate", "3", 3.0),
    ],
)
def test_fields_are_read_as_people_write_them(config, name, text, value):
    found = parse_field(config, name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("config", "name", "text"),
    [
        (ModelConfig, "d_model", "1.5"),
        (ModelConfig, "embedding_norm", "maybe"),
        (TrainConfig, "steps", ""),
    ],
)
def test_a_word_that_is_no_value_is_refused_with_its_name(config, name, text):
    with pytest.raises(ConfigError, match=name):
        parse_field(config, name, text)


def test_a_file_with_an_unknown_setting_is_refused():
    with pytest.raises(ConfigError, match="'d_modle'"):
        make_config(ModelConfig, {"d_modle": 3})


def test_the_learning_rate_warms_up_then_falls_to_a_tenth():
    config = TrainConfig(steps=100, warmup_steps=10, learning_rate=1.0)
    assert config.learning_rate_at(1) == pytest.approx(0.1)
    assert config.learning_rate_at(10) == pytest.approx(1.0)
    assert config.learning_rate_at(55) == pytest.approx(0.55)
    assert config.learning_rate_at(100) == pytest.approx(0.1)
    falling = [config.learning_rate_at(step) for step in range(10, 101)]
    assert falling == sorted(falling, reverse=True)


def test_schedules_differ_only_as_their_names_say():
    steps = {"steps": 100, "warmup_steps": 0, "learning_rate": 1.0}
    assert TrainConfig(**steps, schedule="linear").learning_rate_at(50) == pytest.approx(0.55)
    assert TrainConfig(**steps, schedule="constant").learning_rate_at(100) == 1.0


def test_snapshots_come_most_often_at_first():
    config = TrainConfig(steps=1000, n_snapshots=6)
    assert [s for s in range(1001) if config.snapshots_at(s)] == [0, 8, 64, 216, 512, 1000]
    assert TrainConfig(steps=20, n_snapshots=1).snapshot_steps == {0}
    assert not any(TrainConfig(steps=20, n_snapshots=0).snapshots_at(s) for s in range(21))


@pytest.mark.parametrize(
    "changes", [{"temperature": -1.0}, {"top_p": 1.5}, {"seed": -1}, {"n_tokens": 2_000_000}]
)
def test_absurd_sampling_is_refused(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        SampleConfig(**changes)
