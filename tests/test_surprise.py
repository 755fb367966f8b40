"""Where a text surprises, against a direct calculation."""

from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import TextError

TEXT = "Once there was a kind duck. é🦆"


@pytest.fixture(scope="module")
def tales():
    return Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / "tales-llama")


def test_losses_guesses_and_bytes_are_those_of_a_direct_calculation(tales):
    found = ANALYSES["surprise"].run(tales, text=TEXT)
    ids = tales.tokenizer.encode(TEXT)
    with torch.no_grad():
        probabilities = tales.model(torch.from_numpy(ids)[None])[0].softmax(-1).double().numpy()
    for place, token in enumerate(ids[1:]):
        expected = probabilities[place]
        best = int(np.argmax(expected))
        assert found["losses"][place] == pytest.approx(-np.log(expected[token]), rel=1e-3, abs=1e-5)
        assert found["guesses"][place] == tales.tokenizer.token_text(best)
        assert found["guess_probabilities"][place] == pytest.approx(expected[best], rel=1e-4)
    assert sum(found["n_bytes"]) == len(f" {TEXT}".encode()) - len(" Once")


def test_one_token_is_too_few(tales):
    with pytest.raises(TextError, match="at least 2 are needed"):
        ANALYSES["surprise"].run(tales, text="a")
