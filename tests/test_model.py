from dataclasses import replace

import pytest
import torch
from conftest import EVERY_CHOICE

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.tap import record, tap_paths

TOKENS = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]])


def loud(config: ModelConfig) -> TinyLlama:
    """A model whose weights are large enough for every path to show."""
    return TinyLlama(replace(config, init_std=0.4, scaled_residual_init=False)).eval()


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
@torch.no_grad()
def test_no_choice_lets_a_token_see_the_future(small, slot, choice):
    model = loud(replace(small, **{slot: choice}, n_kv_heads=2))
    changed = TOKENS.clone()
    changed[:, 5] = 10
    before, after = model(TOKENS), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-3


@torch.no_grad()
def test_a_token_reads_no_further_back_than_its_window(small):
    model = loud(replace(small, attention="sliding", n_layers=1, window=3))
    changed = TOKENS.clone()
    changed[:, 2] = 10
    difference = (model(TOKENS) - model(changed)).abs().amax((0, 2))
    assert (difference > 1e-4).tolist() == [False, False, True, True, True, False, False, False]


def test_alternating_attention_narrows_every_second_layer(small):
    config = replace(small, attention="alternating", n_layers=4)
    assert [config.window_of(layer) for layer in range(4)] == [None, 3, None, 3]
    assert [block.attention.window for block in TinyLlama(config).blocks] == [None, 3, None, 3]


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
@torch.no_grad()
def test_reading_piece_by_piece_with_a_cache_gives_the_same_logits(small, slot, choice):
    config = replace(small, **{slot: choice}, n_kv_heads=2, qk_norm=True)
    model, cache = loud(config), Cache(config.n_layers, config.context)
    pieces = [model(TOKENS[:, start:end], cache) for start, end in [(0, 3), (3, 4), (4, 8)]]
    torch.testing.assert_close(torch.cat(pieces, 1), model(TOKENS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("choice", ["causal", "sliding", "alternating"])
@pytest.mark.parametrize("position", ["rope", "alibi"])
@torch.no_grad()
def test_watching_does_not_change_what_a_model_says(small, choice, position):
    model = loud(replace(small, attention=choice, position=position, n_kv_heads=2))
    quiet = model(TOKENS)
    with record(model):
        torch.testing.assert_close(model(TOKENS), quiet, rtol=1e-4, atol=1e-5)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_names_of_what_can_be_watched_are_these():
    model = TinyLlama(ModelConfig(n_layers=1))
    attention = ["query", "key", "value", "rotated_query", "rotated_key"]
    attention += ["scores", "masked_scores", "pattern", "heads"]
    assert tap_paths(model) == [
        "embedded",
        *(f"blocks.0.attention.{name}" for name in attention),
        "blocks.0.residual_middle",
        *(f"blocks.0.feed_forward.{name}" for name in ("gate", "up", "hidden")),
        "blocks.0.residual",
        "logits",
    ]


@torch.no_grad()
def test_recorded_patterns_are_probabilities_over_the_past(small):
    model = loud(small)
    with record(model, "blocks.*.attention.pattern", "logits") as seen:
        model(TOKENS)
    assert set(seen) == {*(f"blocks.{layer}.attention.pattern" for layer in range(2)), "logits"}
    pattern = seen["blocks.1.attention.pattern"]
    assert pattern.shape == (2, 4, 8, 8)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 4, 8))
    assert not pattern.triu(1).any()


@torch.no_grad()
def test_the_residual_stream_adds_up(small):
    model = loud(small)
    with record(
        model, "*residual*", "embedded", "blocks.0.attention", "blocks.0.feed_forward"
    ) as seen:
        model(TOKENS)
    middle = seen["embedded"] + seen["blocks.0.attention"]
    torch.testing.assert_close(seen["blocks.0.residual_middle"], middle)
    torch.testing.assert_close(seen["blocks.0.residual"], middle + seen["blocks.0.feed_forward"])


def test_hooks_are_taken_away_even_after_an_error(small):
    model = TinyLlama(small)
    with pytest.raises(RuntimeError, match="on purpose"), record(model):
        raise RuntimeError("on purpose")
    assert not any(module._forward_hooks for module in model.modules())


def test_a_path_that_does_not_exist_is_named(small):
    with pytest.raises(KeyError, match="pattren"), record(TinyLlama(small), "blocks.0.pattren"):
        pass


@torch.no_grad()
def test_a_softcap_keeps_logits_and_scores_within_it(small):
    model = loud(replace(small, logit_softcap=2.0, attention_softcap=0.5))
    assert model(TOKENS).abs().max() <= 2.0
    with record(model, "blocks.0.attention.masked_scores") as seen:
        model(TOKENS)
    scores = seen["blocks.0.attention.masked_scores"]
    assert scores[scores.isfinite()].abs().max() <= 0.5


def test_a_tied_unembedding_is_the_embedding_itself(small):
    model = TinyLlama(replace(small, tied_unembedding=True))
    assert model.unembedding.weight is model.embedding.weight


def test_the_seed_alone_decides_the_starting_weights(small):
    torch.manual_seed(1)
    first = TinyLlama(small, seed=3)
    torch.manual_seed(2)
    second, other = TinyLlama(small, seed=3), TinyLlama(small, seed=4)
    for path, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[path]), path
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_starting_weights_have_the_spread_that_the_config_says():
    model = TinyLlama(ModelConfig(d_model=256, n_layers=8, n_heads=8, init_std=0.05))
    block = model.blocks[0]
    assert float(block.attention.to_qkv.weight.detach().std()) == pytest.approx(0.05, rel=0.05)
    assert float(block.feed_forward.to_down.weight.detach().std()) == pytest.approx(
        0.05 / 4, rel=0.05
    )
    assert float(block.attention.to_output.weight.detach().std()) == pytest.approx(
        0.05 / 4, rel=0.05
    )


@torch.no_grad()
def test_positions_that_do_not_exist_are_refused_and_others_go_on(small):
    long = torch.zeros(1, small.context + 4, dtype=torch.long)
    with pytest.raises(ConfigError, match="20 tokens is too long for position='learned'"):
        TinyLlama(replace(small, position="learned"))(long)
    for position in ("rope", "sinusoidal", "alibi", "none"):
        model = TinyLlama(replace(small, position=position))
        wide = TinyLlama(replace(small, position=position, context=64))
        torch.testing.assert_close(model(long), wide(long))


def test_dropout_acts_while_training_only(small):
    model = TinyLlama(replace(small, dropout=0.5))
    model.eval()
    assert torch.equal(model(TOKENS), model(TOKENS))
    model.train()
    assert not torch.equal(model(TOKENS), model(TOKENS))


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_every_weight_gets_a_gradient(small, slot, choice):
    model = loud(replace(small, **{slot: choice}, qk_norm=True, n_kv_heads=2))
    model(TOKENS).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
