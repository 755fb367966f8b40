from dataclasses import replace

import pytest
import torch
from conftest import EVERY_CHOICE, ODD_MODELS

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import CHOICES
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.cache import Cache
from tiny_llama.parts.positions.rope import Rope
from tiny_llama.tap import record, tap_paths

TOKENS = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]])


def loud(config: ModelConfig) -> TinyLlama:
    """Build a model whose weights are large enough for every path to show."""
    return TinyLlama(
        replace(config, init_std=0.4, embedding_std=0.4, scaled_residual_init=False)
    ).eval()


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
@torch.no_grad()
def test_no_choice_lets_a_token_see_the_future(small, slot, choice):
    model = loud(replace(small, **{slot: choice}, n_kv_heads=2))
    changed = TOKENS.clone()
    changed[:, 5] = 10
    before, after = model(TOKENS), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-5)
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-3


@pytest.mark.parametrize("changes", ODD_MODELS, ids=str)
@torch.no_grad()
def test_odd_models_see_no_future_either_and_read_piece_by_piece(small, changes):
    model = loud(replace(small, **changes))
    changed = TOKENS.clone()
    changed[:, 5] = 10
    before, after = model(TOKENS), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-5)
    cache = Cache(model.config.n_layers, model.config.context)
    pieces = [model(TOKENS[:, start:end], cache) for start, end in [(0, 3), (3, 4), (4, 8)]]
    torch.testing.assert_close(torch.cat(pieces, 1), before, rtol=1e-4, atol=1e-5)


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


@pytest.mark.parametrize(
    ("attention", "windows"),
    [
        ("causal", "------------"),
        ("sliding", "wwwwwwwwwwww"),
        ("local_global", "w-w-w-w-w-w-"),
        ("five_local", "wwwww-wwwww-"),
    ],
)
def test_windows_come_in_the_layers_that_the_name_says(small, attention, windows):
    config = replace(small, attention=attention, n_layers=12)
    found = ["-" if config.window_of(layer) is None else "w" for layer in range(12)]
    assert "".join(found) == windows


def thetas(config):
    """Say by which theta each layer of a built model turns; None: it turns nothing."""
    model = TinyLlama(config)
    positions = [model.position_of(layer) for layer in range(config.n_layers)]
    return [each.theta if isinstance(each, Rope) else None for each in positions]


def test_layers_may_turn_by_a_theta_of_their_own_or_not_at_all(small):
    usual = small.rope_theta
    assert thetas(small) == [usual] * 2
    gemma3 = replace(small, attention="five_local", n_layers=7, rope_theta_local=50.0)
    assert thetas(gemma3) == [50.0] * 5 + [usual, 50.0]
    assert thetas(replace(gemma3, attention="causal")) == [usual] * 7
    assert thetas(replace(small, n_layers=6, nope_every=3)) == [usual, usual, None] * 2
    both = replace(gemma3, nope_every=2)
    assert thetas(both) == [50.0, None, 50.0, None, 50.0, None, 50.0]


@torch.no_grad()
def test_a_layer_that_turns_nothing_has_queries_as_they_were_projected(small):
    model = loud(replace(small, nope_every=2))
    with record(model, "blocks.*.attention.*query") as seen:
        model(TOKENS)
    for layer, same in ((0, False), (1, True)):
        path = f"blocks.{layer}.attention."
        assert torch.equal(seen[path + "query"], seen[path + "rotated_query"]) == same


@pytest.mark.parametrize("position", ["learned", "alibi", "sinusoidal"])
@torch.no_grad()
def test_what_is_said_of_rope_acts_on_rope_alone(small, position):
    plain = replace(small, position=position, attention="sliding")
    changed = replace(plain, nope_every=1, rope_theta_local=7.0, rope_fraction=0.3)
    assert torch.equal(TinyLlama(changed)(TOKENS), TinyLlama(plain)(TOKENS))


@torch.no_grad()
def test_an_embedding_may_be_scaled_and_normed(small):
    plain, scaled, normed = (
        TinyLlama(replace(small, **changes)).embed(TOKENS)
        for changes in ({}, {"embedding_scale": True}, {"embedding_norm": True})
    )
    torch.testing.assert_close(scaled, 4 * plain)  # 16 wide
    torch.testing.assert_close(normed.square().mean(-1), torch.ones(2, 8), rtol=0.01, atol=0.01)


@torch.no_grad()
def test_biases_on_logits_are_added_to_them(small):
    model = loud(replace(small, unembedding_bias=True, tied_unembedding=True))
    before = model(TOKENS)
    model.unembedding.bias[3] += 2
    torch.testing.assert_close(model(TOKENS) - before, 2 * torch.eye(11)[3].expand(2, 8, 11))


PARTS = {
    "sequential": lambda x, a, f, n1, n2: (y := x + a(n1(x))) + f(n2(y)),
    "parallel": lambda x, a, f, n1, n2: x + a(n1(x)) + f(n1(x)),
    "parallel_two_norms": lambda x, a, f, n1, n2: x + a(n1(x)) + f(n2(x)),
}


@pytest.mark.parametrize("layout", CHOICES["block"])
@torch.no_grad()
def test_a_block_wires_its_parts_as_its_name_says(small, layout):
    model = loud(replace(small, block=layout, norm="layernorm"))
    block, x = model.blocks[0], torch.randn(2, 8, 16)
    for parameter in block.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    norms = block.attention_norm, block.feed_forward_norm
    expected = PARTS[layout](
        x, lambda z: block.attention(z, model.position), block.feed_forward, *norms
    )
    torch.testing.assert_close(block(x, model.position), expected)
    has_second = "blocks.0.feed_forward_norm.weight" in dict(model.named_parameters())
    assert has_second == (layout != "parallel")


PLACEMENTS = {
    "pre": lambda x, part, norm, out: x + part(norm(x)),
    "post": lambda x, part, norm, out: norm(x + part(x)),
    "both": lambda x, part, norm, out: x + out(part(norm(x))),
    "output": lambda x, part, norm, out: x + out(part(x)),
}


@pytest.mark.parametrize("where", CHOICES["norm_placement"])
@torch.no_grad()
def test_norms_stand_where_the_placement_says(small, where):
    model = loud(replace(small, norm_placement=where))
    block, x = model.blocks[0], torch.randn(2, 8, 16)
    for parameter in block.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    attend = lambda z: block.attention(z, model.position)  # noqa: E731
    join = PLACEMENTS[where]
    middle = join(x, attend, block.attention_norm, block.attention_output_norm)
    expected = join(
        middle, block.feed_forward, block.feed_forward_norm, block.feed_forward_output_norm
    )
    torch.testing.assert_close(block(x, model.position), expected)
    learned = {path.split(".")[0] for path, _ in block.named_parameters() if "norm" in path}
    assert learned == set(model.config.block_norms)
    assert ("norm.weight" in dict(model.named_parameters())) == (where != "post")


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
@torch.no_grad()
def test_reading_piece_by_piece_with_a_cache_gives_the_same_logits(small, slot, choice):
    config = replace(small, **{"qk_norm": "head", slot: choice, "n_kv_heads": 2})
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
    config = ModelConfig(d_model=256, n_layers=8, n_heads=8, init_std=0.05, embedding_std=0.7)
    model = TinyLlama(config)
    assert float(model.embedding.weight.detach().std()) == pytest.approx(0.7, rel=0.05)
    assert float(model.unembedding.weight.detach().std()) == pytest.approx(0.05, rel=0.05)
    tied = TinyLlama(replace(config, tied_unembedding=True))
    assert float(tied.embedding.weight.detach().std()) == pytest.approx(0.05, rel=0.05)
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
    changes = {"qk_norm": "head", slot: choice, "n_kv_heads": 2}
    model = loud(replace(small, **changes, n_experts=2))  # so that every expert has work
    model(TOKENS).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
