"""Noise in the training text: so much, always the same, and never in what a model is judged by."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.engine.limits import TOKEN_BYTES, held_bytes
from explorer.engine.worker.lending import lent
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, own_text
from tiny_llama.data import tokenize
from tiny_llama.errors import ConfigError
from tiny_llama.model import TinyLlama
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer

SONG = "The cat sat on the mat, and the dog ran to the log; who saw them? " * 200
CONTEXT = 32
DRAW = {"batch_size": 200, "context": CONTEXT, "seed": 3, "step": 1}


@pytest.fixture
def text():
    return tokenize(own_text(SONG), "characters")


@pytest.fixture
def task():
    return tokenize(CORPORA["copy"])


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_so_many_tokens_are_others_of_the_text(text, share):
    noisy = text.noisy(share, seed=0, context=CONTEXT)
    n = text.n_places(CONTEXT) + CONTEXT
    before, after = (corpus.tokens[:n].numpy() for corpus in (text, noisy))
    shares = np.bincount(before) / n
    expected = share * (1 - (shares**2).sum())  # some are replaced by the same token
    assert np.mean(before != after) == pytest.approx(expected, rel=0.1)
    counts = np.bincount(after, minlength=len(shares)) / n
    np.testing.assert_allclose(counts, shares, atol=0.015)


def test_held_out_text_is_clean_and_the_rest_is_left_as_it_was(text):
    before = text.tokens.clone()
    noisy = text.noisy(0.5, seed=0, context=CONTEXT)
    one, other = (corpus.held_out(n_texts=20, context=CONTEXT) for corpus in (text, noisy))
    assert torch.equal(one.inputs, other.inputs)
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(text.tokens, before)


def test_errors_stand_in_the_text_and_are_read_as_often_as_it_is(text):
    noisy, again = (text.noisy(0.5, seed=1, context=CONTEXT) for _ in range(2))
    assert torch.equal(noisy.tokens, again.tokens)
    assert torch.equal(noisy.batch(**DRAW).inputs, again.batch(**DRAW).inputs)
    assert not torch.equal(noisy.tokens, text.noisy(0.5, seed=2, context=CONTEXT).tokens)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_exercises_and_answers_have_errors_in_training_alone(task, share):
    noisy = task.noisy(share, seed=0, context=CONTEXT)
    one, other = (corpus.batch(**DRAW) for corpus in (task, noisy))
    counted = one.targets >= 0
    assert torch.equal(counted, other.targets >= 0)
    wrong = (one.targets != other.targets)[counted].float().mean()
    assert bool(wrong > 0.7 * share) == bool(share)
    assert torch.equal(noisy.batch(**DRAW).inputs, other.inputs)
    held_out = [corpus.held_out(n_texts=9, context=CONTEXT).inputs for corpus in (task, noisy)]
    assert torch.equal(*held_out)


def trainer(corpus, **training):
    model = ModelConfig(
        vocab_size=corpus.tokenizer.vocab_size, context=CONTEXT, n_layers=1, d_model=16, n_heads=2
    )
    config = TrainConfig(steps=150, warmup_steps=5, batch_size=8, evaluate_every=0, **training)
    return Trainer(TinyLlama(model), corpus, config)


def test_a_run_reads_the_noise_and_is_judged_by_clean_text(text):
    clean, noisy = (trainer(text, text_noise=share, data_seed=4) for share in (0.0, 0.4))
    wanted = text.noisy(0.4, seed=4, context=CONTEXT)
    assert torch.equal(noisy.trained_on.tokens, wanted.tokens)
    ends = [list(each)[-1] for each in (clean, noisy)]
    assert ends[1].loss > ends[0].loss + 0.5
    assert ends[0].held_out.loss < ends[1].held_out.loss < ends[1].loss


def test_a_browser_is_given_the_noisy_text_and_looks_at_the_clean_one(text):
    clean, noisy = (trainer(text, text_noise=share) for share in (0.0, 0.4))
    one, other = (lent(each)[1] for each in (clean, noisy))
    assert other["tokens"].tolist() == noisy.trained_on.tokens.tolist()
    assert np.mean(one["tokens"] != other["tokens"]) > 0.2
    for name in ("held_out_inputs", "held_out_targets", "weights"):
        np.testing.assert_array_equal(one[name], other[name])


def test_the_copy_with_errors_is_counted():
    def of(**values):
        return replace(Setup(), training=TrainConfig(**values))

    noisy, clean = of(text_noise=0.1), of()
    assert held_bytes(noisy, 500) - held_bytes(clean, 500) == 500 * TOKEN_BYTES
    corpora = (corpus for name, corpus in CORPORA.items() if name in ("tales", "python-manual"))
    longest = max(len(corpus.text()) for corpus in corpora)
    assert held_bytes(noisy) - held_bytes(clean) >= longest * TOKEN_BYTES


def test_more_than_all_cannot_be_noise():
    with pytest.raises(ConfigError, match=r"text_noise=1\.5 must lie between 0 and 1"):
        TrainConfig(text_noise=1.5)


def test_a_setup_from_before_there_was_noise_has_none():
    values = Setup(corpus=OWN_TEXT).as_dict()
    del values["training"]["text_noise"]
    assert Setup.from_dict(values) == Setup(corpus=OWN_TEXT)
