"""Tokenizers that learn in processes of their own: the same, and within bounds."""

from dataclasses import replace

import pytest
from tiny_runs import TEXT

from tiny_llama.errors import TextError
from tiny_llama.tokenizers import learning
from tiny_llama.tokenizers.learning import Apart, learn_apart
from tiny_llama.tokenizers.sentence_piece import SentencePieceTokenizer

ENOUGH = Apart(most_characters=10_000, most_bytes=200_000_000, most_seconds=60)
NEW_WORDS = " ".join(f"{number:b}".replace("0", "o").replace("1", "i") for number in range(3_000))


@pytest.fixture(autouse=True)
def here_again():
    yield
    learn_apart(None)


def test_it_learns_the_very_same_apart():
    here = SentencePieceTokenizer.train(TEXT, 300).content
    learn_apart(ENOUGH)
    assert SentencePieceTokenizer.train(TEXT, 300).content == here


@pytest.mark.parametrize(
    ("bounds", "text", "words"),
    [
        ({}, NEW_WORDS, "different words have .* characters, at most 10,000 are allowed"),
        ({"most_seconds": 0.01}, TEXT, "it takes longer than 0 seconds"),
        ({"most_bytes": 1_000}, TEXT, "it takes more memory than it may have"),
    ],
)
def test_what_takes_too_much_is_refused_with_a_sentence(bounds, text, words):
    learn_apart(replace(ENOUGH, **bounds))
    with pytest.raises(TextError, match=words) as caught:
        SentencePieceTokenizer.train(text, 300)
    assert "choose the tokenizer bytes or characters, or less text." in str(caught.value)


def test_one_learns_at_a_time_in_the_order_that_it_is_told():
    turns = []

    class Turn:
        def __enter__(self):
            turns.append("begins")

        def __exit__(self, *_error):
            turns.append("ends")

    learn_apart(ENOUGH, Turn)
    SentencePieceTokenizer.train(TEXT, 300)
    assert turns == ["begins", "ends"]
    learn_apart(ENOUGH)
    SentencePieceTokenizer.train(TEXT, 300)
    assert turns == ["begins", "ends"]
    assert not learning._lock.locked()
