from dataclasses import replace

import pytest
import torch
from conftest import EVERY_CHOICE

from tiny_llama.errors import TextError
from tiny_llama.generation import generate, next_probabilities
from tiny_llama.model import TinyLlama
from tiny_llama.sample_config import SampleConfig


def loud(config):
    return TinyLlama(replace(config, init_std=0.3, embedding_std=0.3, scaled_residual_init=False))


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_with_and_without_a_cache_the_same_text_is_written(small, slot, choice):
    """Go past the end of the context, too, where the model forgets."""
    model = loud(replace(small, **{slot: choice}, n_kv_heads=2))
    settings = SampleConfig(n_tokens=3 * small.context, temperature=1.0, seed=4)
    cached = list(generate(model, [1, 2, 3], settings))
    plain = list(generate(model, [1, 2, 3], settings, use_cache=False))
    assert [n.token for n in cached] == [n.token for n in plain]
    for one, other in zip(cached, plain, strict=True):
        torch.testing.assert_close(one.logits, other.logits, rtol=1e-4, atol=1e-5)


def test_a_prompt_longer_than_the_context_is_read_from_its_end(small):
    model = loud(small)
    long = [token % 11 for token in range(40)]
    settings = SampleConfig(n_tokens=5)
    assert len(list(generate(model, long, settings))) == 5
    changed = [5, *long[1:]]
    tokens = [[n.token for n in generate(model, p, settings)] for p in (long, changed)]
    assert tokens[0] == tokens[1]


def test_the_seed_repeats_a_text_and_another_changes_it(small):
    model = loud(small)
    texts = [
        [n.token for n in generate(model, [1], SampleConfig(n_tokens=30, temperature=2, seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_temperature_zero_takes_the_likeliest_token(small):
    for said in generate(loud(small), [1], SampleConfig(n_tokens=10, temperature=0)):
        assert said.token == int(said.logits.argmax())
        assert said.probabilities[said.token] == 1


LOGITS = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.15, 0.1]),
        ({"top_p": 0.49}, [1, 0, 0, 0]),
        ({"top_p": 0.51}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.0}, [1, 0, 0, 0]),
        ({"min_p": 0.3}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0]),
        ({"top_k": 3, "top_p": 0.6, "min_p": 0.4}, [2 / 3, 1 / 3, 0, 0]),
    ],
)
def test_each_filter_keeps_what_its_definition_says(settings, wanted):
    found = next_probabilities(LOGITS, SampleConfig(**{"temperature": 1.0} | settings))
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float))


def test_drawn_tokens_follow_the_probabilities():
    draw = torch.Generator().manual_seed(0)
    probabilities = next_probabilities(LOGITS, SampleConfig(temperature=1.0, top_k=3))
    counts = torch.bincount(
        torch.multinomial(probabilities, 9000, True, generator=draw), minlength=4
    )
    torch.testing.assert_close(counts / 9000, probabilities, rtol=0, atol=0.02)


def test_an_empty_prompt_is_refused_with_a_sentence(small):
    with pytest.raises(TextError, match="prompt is empty"):
        next(generate(TinyLlama(small), [], SampleConfig()))


def test_a_model_in_training_is_given_back_in_training(small):
    model = loud(replace(small, dropout=0.9)).train()
    settings = SampleConfig(n_tokens=20, temperature=0)
    texts = [[n.token for n in generate(model, [1], settings)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert model.training
