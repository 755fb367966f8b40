"""What cards say of this project's own code and models is so; papers are cited, not tested."""

import json
import math

import pytest
import torch
from test_analyses import PRETRAINED
from torch.nn import functional as F  # noqa: N812

from explorer import content
from tiny_llama.config import ModelConfig
from tiny_llama.menu import POSITION, SCHEDULE
from tiny_llama.setup import load_setup
from tiny_llama.train_config import TrainConfig


def held_out(name):
    """Give the last held-out loss of a shipped model."""
    lines = (PRETRAINED / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1])["held_out_loss"]


def test_both_forms_of_gelu_differ_by_as_little_as_the_card_says():
    z = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
    most = float((F.gelu(z) - F.gelu(z, approximate="tanh")).abs().max())
    assert 0.0004 < most < 0.0005
    assert "nowhere differ by more than 0.0005" in content.card("feed_forward", "gelu_exact")


def test_ropes_pairs_turn_as_slowly_as_the_card_of_the_base_says():
    rope = POSITION["rope"].load()(d_model=128, n_heads=1, d_head=128, context=2, theta=10_000.0)
    fastest, slowest = (2 * math.pi / float(rope.frequencies()[pair]) for pair in (0, -1))
    assert round(fastest) == 6
    assert round(slowest, -3) == 54_000
    assert "between 6 and some 54,000 tokens" in content.card("rope_theta", "ten_thousand")


def test_ropes_exponent_is_of_what_turns_as_all_its_texts_say():
    """A quarter of a head of 32 turns as a head of 8 does."""
    make = POSITION["rope"].load()
    quarter = make(d_model=32, n_heads=1, d_head=32, d_turned=8, context=2, theta=10_000.0)
    small = make(d_model=8, n_heads=1, d_head=8, context=2, theta=10_000.0)
    torch.testing.assert_close(quarter.frequencies(), small.frequencies())
    texts = (content.card("position", "rope"), content.setting("rope_theta"))
    assert all("-2i/r" in text for text in texts)
    assert "−2i/r" in content.formulas()["position", "rope"]


def test_without_positions_the_shipped_model_learns_but_less_than_with_rope():
    guessing = math.log(load_setup(PRETRAINED / "tales-llama").model.vocab_size)
    assert held_out("tales-llama") < held_out("tales-no-positions") < guessing / 2


@pytest.mark.parametrize("schedule", SCHEDULE)
def test_a_schedule_ends_where_its_card_says(schedule):
    config = TrainConfig(schedule=schedule)
    share = config.learning_rate_at(config.steps) / config.learning_rate
    assert share == pytest.approx(0.1 if "a tenth" in content.card("schedule", schedule) else 1.0)


def test_with_fewer_than_six_layers_every_layer_of_gemma_3s_attention_has_a_window():
    config = ModelConfig(attention="five_local", n_layers=5)
    assert config.n_windowed_layers == 5
    assert "fewer than six layers has a window in all" in content.card("attention", "five_local")
