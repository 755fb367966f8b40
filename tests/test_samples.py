"""Several texts, each against `generate` and against the chain rule of probabilities."""

from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.generation import generate
from tiny_llama.sample_config import SampleConfig

TEXT = "Once there was a"
SETTINGS = {"temperature": 1.2, "top_k": 10, "top_p": 0.95, "min_p": 0.01}


@pytest.fixture(scope="module")
def tales():
    return Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / "tales-llama")


def test_each_text_is_what_generate_writes_by_its_seed(tales):
    found = ANALYSES["samples"].run(tales, text=TEXT, seeds=[0, 7], n_tokens=30, **SETTINGS)
    prompt = tales.tokenizer.encode(TEXT)
    for seed, tokens in zip([0, 7], found["tokens"], strict=True):
        config = SampleConfig(seed=seed, n_tokens=30, **SETTINGS)
        said = [each.token for each in generate(tales.model, prompt, config)]
        assert TEXT + "".join(tokens) == tales.tokenizer.decode([*prompt, *said])
    assert found["tokens"][0] != found["tokens"][1]


def test_log_probabilities_are_those_of_one_pass_over_the_whole_text(tales):
    found = ANALYSES["samples"].run(tales, text=TEXT, seeds=[3], n_tokens=40, **SETTINGS)
    whole = torch.from_numpy(tales.tokenizer.encode(TEXT + "".join(found["tokens"][0])))
    with torch.no_grad():
        probabilities = tales.model(whole[None])[0].softmax(-1).double().numpy()
    first = len(whole) - 40
    for number in range(40):
        share = probabilities[first + number - 1, whole[first + number]]
        assert found["log_probabilities"][0, number] == pytest.approx(np.log(share), abs=1e-3)
    assert (found["draw_log_probabilities"] <= 0).all()


def test_a_text_without_filters_at_temperature_one_is_drawn_from_the_model_itself(tales):
    found = ANALYSES["samples"].run(tales, text=TEXT, seeds=[1], n_tokens=20, temperature=1.0)
    np.testing.assert_allclose(
        found["log_probabilities"], found["draw_log_probabilities"], atol=1e-5
    )


def test_it_is_done_a_token_at_a_time(tales):
    pieces = ANALYSES["samples"].load()(tales, text=TEXT, seeds=[0, 1], n_tokens=5)
    assert [piece is None for piece in pieces] == [True] * 10 + [False]


@pytest.mark.parametrize(("seeds", "n_tokens"), [([], 5), (range(7), 5), ([0], 0), ([0], 201)])
def test_too_many_and_too_long_texts_are_refused(tales, seeds, n_tokens):
    with pytest.raises(ConfigError, match="choose 1 to 6 of 1 to 200"):
        ANALYSES["samples"].run(tales, text=TEXT, seeds=list(seeds), n_tokens=n_tokens)
