"""The logit lens: at the last layer the model itself, below it its own end by hand."""

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_llama
from tiny_llama.analyses import ANALYSES, logit_lens
from tiny_llama.analyses.logit_lens import lens_logits
from tiny_llama.analyses.subject import Subject
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record

PRETRAINED = Path(tiny_llama.__file__).parent / "pretrained"
TEXT = "Once there was a kind duck named Gus."


@pytest.fixture(scope="module")
def tales():
    return Subject.load(PRETRAINED / "tales-llama")


def logits_of(subject, ids):
    with torch.no_grad():
        return subject.model(ids[None])[0]


@pytest.mark.parametrize("name", [path.name for path in PRETRAINED.iterdir() if path.is_dir()])
def test_the_lens_at_the_last_layer_equals_the_logits(name):
    subject = Subject.load(PRETRAINED / name)
    ids = subject.read(TEXT)
    *_, last = lens_logits(subject.model, ids)
    assert torch.equal(last, logits_of(subject, ids))


@pytest.mark.parametrize(
    "change",
    [
        {"norm_placement": "post"},
        {"logit_softcap": 3.0},
        {"tied_unembedding": True, "norm": "layernorm"},
        {"n_layers": 0},
        {"attention": "none", "norm": "none"},
    ],
)
def test_it_does_so_for_other_architectures(tales, change):
    model = TinyLlama(replace(tales.model.config, **change)).eval()
    subject = replace(tales, model=model)
    ids = subject.read(TEXT)
    rows = list(lens_logits(model, ids))
    assert len(rows) == model.config.n_layers + 1
    assert torch.equal(rows[-1], logits_of(subject, ids))
    found = ANALYSES["logit_lens"].run(subject, text=TEXT)
    assert found["entropies"].shape == (model.config.n_layers + 1, len(ids))


def test_below_it_is_norm_and_unembedding_by_hand(tales):
    ids = tales.read(TEXT)
    with torch.no_grad(), record(tales.model, "embedded", "blocks.*.residual") as seen:
        tales.model(ids[None])
    gain = tales.model.norm.weight.detach().double().numpy()
    matrix = tales.model.unembedding.weight.detach().double().numpy()
    for logits, residual in zip(lens_logits(tales.model, ids), seen.values(), strict=True):
        x = residual[0].double().numpy()
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + tales.model.config.norm_eps) * gain
        np.testing.assert_allclose(logits, x @ matrix.T, rtol=1e-3, atol=1e-3)


def test_guesses_entropies_and_ranks_are_those_of_a_loop(tales):
    found = ANALYSES["logit_lens"].run(tales, text=TEXT)
    ids = tales.read(TEXT)
    rows = [row.double().softmax(-1).numpy() for row in lens_logits(tales.model, ids)]
    assert found["tokens"] == tales.labels(ids)
    np.testing.assert_allclose(found["last_logits"][-1], logits_of(tales, ids)[-1])
    for layer, row in enumerate(rows):
        for place in (0, 5, len(ids) - 1):
            shares = row[place]
            order = np.argsort(-shares)
            assert found["tops"][layer][place] == [
                tales.tokenizer.token_text(token) for token in order[:3]
            ]
            np.testing.assert_allclose(
                found["top_probabilities"][layer, place], shares[order[:3]], rtol=1e-3, atol=1e-6
            )
            nats = -sum(share * log(share) for share in shares if share > 0)
            assert found["entropies"][layer, place] == pytest.approx(nats, rel=1e-3, abs=1e-5)
            final = int(np.argmax(rows[-1][place]))
            assert found["final_ranks"][layer, place] == 1 + list(order).index(final)
            if place + 1 < len(ids):
                true = int(ids[place + 1])
                assert found["true_ranks"][layer, place] == 1 + list(order).index(true)
    assert (found["final_ranks"][-1] == 1).all()


def test_the_model_comes_nearer_to_its_final_token_layer_by_layer(tales):
    found = ANALYSES["logit_lens"].run(tales, text=TEXT)
    ranks = np.log(found["final_ranks"]).mean(1)
    assert ranks[0] > ranks[2] > ranks[-1] == 0


def test_one_token_is_enough(tales):
    found = ANALYSES["logit_lens"].run(tales, text="a")
    assert found["true_ranks"].shape == (tales.model.config.n_layers + 1, 0)


def test_with_a_large_vocabulary_some_places_at_a_time_are_looked_at(tales, monkeypatch):
    whole = ANALYSES["logit_lens"].run(tales, text=TEXT)
    monkeypatch.setattr(logit_lens, "NUMBERS_AT_ONCE", 5 * tales.model.config.vocab_size)
    sizes, unembed = [], tales.model.unembed
    monkeypatch.setattr(tales.model, "unembed", lambda x: sizes.append(x.shape[1]) or unembed(x))
    found = ANALYSES["logit_lens"].run(tales, text=TEXT)
    assert max(sizes) == 5
    assert found["tops"] == whole["tops"]
    for name in ("final_ranks", "true_ranks"):
        np.testing.assert_array_equal(found[name], whole[name])
    for name in ("entropies", "top_probabilities", "last_logits"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-4, atol=1e-5)
