"""Pairs that differ in one thing only: the same batches on both sides, and as many parameters."""

from dataclasses import replace
from random import Random

import pytest
import torch

from tiny_llama.comparing.matching import TOLERANCE, match_parameters
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, own_text
from tiny_llama.cost import count_parameters
from tiny_llama.data import tokenize
from tiny_llama.errors import ConfigError
from tiny_llama.files import digest
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer

SONG = "the cat sat on the mat and the dog ran to the log. " * 60
SHORT = TrainConfig(
    steps=4, batch_size=4, warmup_steps=1, evaluate_texts=2, sample_tokens=1, n_snapshots=0
)


@pytest.fixture(scope="module", params=["text", "task"])
def corpus(request):
    return tokenize(own_text(SONG) if request.param == "text" else CORPORA["copy"])


def digest_of(batch):
    return digest(batch.inputs.numpy().tobytes(), batch.targets.numpy().tobytes())


class Watched:
    """A corpus that keeps the digest of every batch that is drawn of it."""

    def __init__(self, corpus):
        self._corpus, self.digests = corpus, []

    def __getattr__(self, name):
        return getattr(self._corpus, name)

    def noisy(self, share, **wanted):
        self._corpus = self._corpus.noisy(share, **wanted)
        return self

    def batch(self, **wanted):
        batch = self._corpus.batch(**wanted)
        self.digests.append(digest_of(batch))
        return batch


def batches_read(corpus, model, training):
    """Train a model and list the digests of the batches that it was given."""
    watched = Watched(corpus)
    model = replace(model, vocab_size=corpus.tokenizer.vocab_size, context=32)
    list(Trainer(TinyLlama(model, seed=training.seed), watched, training))
    assert len(watched.digests) == training.steps
    return watched.digests


LLAMA, GPT3 = (
    replace(PRESETS[name].config, n_layers=1, d_model=16, n_heads=2)
    for name in ("tiny-llama", "tiny-gpt3")
)


def test_both_sides_of_a_pair_read_the_same_batches_in_the_same_order(corpus):
    one = batches_read(corpus, LLAMA, replace(SHORT, seed=1, data_seed=7))
    other = batches_read(corpus, GPT3, replace(SHORT, seed=2, data_seed=7, learning_rate=1e-4))
    assert one == other
    noisy = replace(SHORT, data_seed=7, text_noise=0.2)
    read = [batches_read(corpus, LLAMA, replace(noisy, seed=seed)) for seed in (1, 2)]
    assert read[0] == read[1] != one
    assert len(set(one)) == SHORT.steps
    assert not set(batches_read(corpus, LLAMA, replace(SHORT, seed=1, data_seed=8))) & set(one)


def test_without_a_seed_of_the_data_the_seed_draws_the_texts_as_it_did(corpus):
    as_before = batches_read(corpus, LLAMA, replace(SHORT, seed=5))
    assert as_before == batches_read(corpus, LLAMA, replace(SHORT, seed=0, data_seed=5))
    wanted = [corpus.batch(batch_size=4, context=32, seed=5, step=step) for step in range(1, 5)]
    assert as_before == [digest_of(batch) for batch in wanted]


def test_the_seed_of_the_data_leaves_the_starting_weights_alone(corpus, small):
    small = replace(small, vocab_size=corpus.tokenizer.vocab_size, context=32, dropout=0.1)

    def run(**seeds):
        training = replace(SHORT, **seeds)
        trainer = Trainer(TinyLlama(small, seed=training.seed), corpus, training)
        start = trainer.snapshot()
        return start, [report.loss for report in trainer][1:]

    (weights, losses), (same, others) = run(seed=3, data_seed=1), run(seed=3, data_seed=2)
    assert all(torch.equal(weight, same[path]) for path, weight in weights.items())
    assert losses != others


def test_a_setup_or_link_without_a_seed_of_the_data_means_what_it_did():
    values = Setup().with_values({"seed": "5"}).as_dict()
    del values["training"]["data_seed"]
    assert Setup.from_dict(values).training.seed_of_data == 5
    assert Setup().with_values({"seed": "5", "data_seed": "auto"}).training.seed_of_data == 5
    assert Setup().with_values({"seed": "5", "data_seed": "0"}).training.seed_of_data == 0


# Parameters.


def random_model(chance):
    """Draw a model out of the whole menu, of the sizes that are trained here."""
    choices = {
        slot: chance.choice(list(options))
        for slot, options in {**MENU, **CHOICES}.items()
        if slot != "norm_placement"
    }
    n_heads = chance.choice([2, 4, 8])
    return ModelConfig(
        **choices,
        vocab_size=chance.choice([30, 70, 400]),
        context=chance.choice([32, 128]),
        n_layers=chance.randint(1, 6),
        n_heads=n_heads,
        d_model=n_heads * chance.choice([8, 12, 16]),
        n_kv_heads=chance.choice([None, 1, 2]),
        d_hidden=chance.choice([None, 48, 200]),
        n_experts=4,
        tied_unembedding=chance.random() < 0.5,
        rope_fraction=chance.choice([1.0, 0.5]),
    )


WIDTHS = {"d_model", "n_heads", "n_kv_heads", "d_head", "d_hidden"}


@pytest.mark.parametrize("seed", range(4))
def test_any_two_models_are_brought_to_one_size_by_widths_alone(seed):
    chance = Random(seed)
    for _ in range(60):
        one, other = random_model(chance), random_model(chance)
        other = replace(other, vocab_size=one.vocab_size, context=one.context)
        wanted = count_parameters(one)
        if not 1 / 4 <= count_parameters(other) / wanted <= 4:
            continue  # nobody compares a model with one of another order of size
        found = match_parameters(other, wanted)
        assert count_parameters(found.model) == found.n_parameters
        assert abs(found.n_parameters - wanted) <= TOLERANCE * wanted
        differing = {
            name for name in vars(other) if getattr(found.model, name) != getattr(other, name)
        }
        assert differing <= WIDTHS
        assert bool(found.changed) == (found.model != other)
        for name, (old, new) in found.changed.items():
            assert f"{name} from {old} to {new}" in found.sentence


def test_a_model_that_fits_is_left_as_it_is():
    wanted = count_parameters(ModelConfig())
    found = match_parameters(ModelConfig(), round(wanted * 1.015))
    assert found.model == ModelConfig()
    assert found.changed == {}
    assert found.sentence == f"{wanted:,} parameters, within 1.5% as it is."


def test_gpt3_style_is_matched_to_llama_by_its_hidden_layer_alone():
    llama, gpt3 = (
        replace(PRESETS[name].config, vocab_size=512) for name in ("tiny-llama", "tiny-gpt3")
    )
    found = match_parameters(gpt3, count_parameters(llama))
    assert list(found.changed) == ["d_hidden"]
    assert found.changed["d_hidden"][1] % 8 == 0


def test_what_cannot_be_matched_is_said_in_a_sentence():
    with pytest.raises(ConfigError, match=r"within 2% of 10 by its widths; choose") as error:
        match_parameters(ModelConfig(), 10)
    assert str(error.value).count(".") == 1
