"""Views of tokenizers, against the tokenizers themselves."""

import threading

import numpy as np
import pytest

from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.cutting import TASK_CHARACTERS, Memory, learning_text, tokenizer_of
from tiny_llama.analyses.merges import MOST_MERGES
from tiny_llama.corpora import CORPORA
from tiny_llama.errors import ConfigError, TextError
from tiny_llama.tokenizers import TOKENIZERS, train_tokenizer
from tiny_llama.tokenizers.merging import merged_pieces

TALES = CORPORA["tales"].text()
OWN = "Ein Käse, zwei Käse: 12 Größen für 7 Füße.\n" * 40
SAMPLES = ["Once there was a duck.", "", "Größe 2024 😀\n", "  two  ▁ marks"]


@pytest.mark.parametrize(("corpus", "own"), [("tales", ""), ("own-text", OWN)])
def test_cuts_are_what_the_tokenizers_of_the_train_page_make(corpus, own):
    found = ANALYSES["cuts"].run(texts=SAMPLES, corpus=corpus, own=own, vocab_size=320)
    for kind in TOKENIZERS:
        size = 320 if kind == "sentencepiece" else None
        tokenizer = train_tokenizer(kind, own or TALES, size)
        assert found["sizes"][kind] == tokenizer.vocab_size
        for text, cut in zip(SAMPLES, found["cuts"], strict=True):
            ids = tokenizer.encode(text)
            assert cut[kind]["ids"] == ids.tolist()
            assert cut[kind]["tokens"] == [tokenizer.token_text(int(i)) for i in ids]
            blank = kind == "sentencepiece" and bool(text)
            if not any(cut[kind]["is_unknown"]):
                assert sum(cut[kind]["bytes"]) == len(text.encode()) + blank
            assert cut[kind]["is_unknown"] == [kind == "characters" and i == 0 for i in ids]


def test_the_emoji_is_unknown_in_characters_four_bytes_and_four_fallback_tokens():
    found = ANALYSES["cuts"].run(texts=["😀"], corpus="tales")["cuts"][0]
    assert found["characters"]["is_unknown"] == [True]
    assert found["bytes"]["ids"] == list("😀".encode())
    spelled = [f"<0x{byte:02X}>" for byte in "😀".encode()]
    assert found["sentencepiece"]["tokens"] == [" ", *spelled]
    assert found["sentencepiece"]["is_byte"] == [False, *[True] * 4]
    assert all(found["bytes"]["is_byte"])
    assert not any(found["characters"]["is_byte"])


def test_a_task_cuts_by_its_alphabet_and_shows_sentencepiece_some_exercises():
    found = ANALYSES["cuts"].run(texts=["abc"], corpus="repeat")
    assert found["sizes"]["characters"] == 1 + len(CORPORA["repeat"].alphabet)
    assert len(learning_text("repeat")) == TASK_CHARACTERS


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"texts": ["x" * 20_001], "corpus": "tales"}, TextError),
        ({"texts": ["x"], "corpus": "nothing"}, TextError),
        ({"texts": ["x"], "corpus": "own-text", "own": "short"}, TextError),
        ({"texts": ["x"], "corpus": "tales", "vocab_size": 10}, ConfigError),
    ],
)
def test_what_cannot_be_cut_is_said_in_a_sentence(values, error):
    with pytest.raises(error):
        ANALYSES["cuts"].run(**values)


def test_a_tokenizer_is_trained_once_and_another_own_text_gets_another():
    assert tokenizer_of("bytes", "tales", "", 999) is tokenizer_of("bytes", "tales", "", None)
    one = tokenizer_of("sentencepiece", "own-text", OWN, 300)
    assert tokenizer_of("sentencepiece", "own-text", OWN, 300) is one
    assert tokenizer_of("sentencepiece", "own-text", OWN + OWN, 300) is not one


def test_memory_forgets_what_was_asked_for_longest_ago():
    memory = Memory(3, len)
    first = memory.find("a", lambda: [1, 2])
    assert memory.find("a", list) is first
    memory.find("b", lambda: [3])
    memory.find("a", list)
    memory.find("c", lambda: [4])
    assert memory.find("a", list) is first
    assert memory.find("b", lambda: [5]) == [5]
    assert len(memory) == 2
    memory.find("large", lambda: [0] * 9)
    assert len(memory) == 1


def test_merges_have_the_order_and_the_number_of_the_tokenizers_pieces():
    found = ANALYSES["merges"].run(corpus="tales", vocab_size=400)
    tokenizer = train_tokenizer("sentencepiece", TALES, 400)
    pieces = merged_pieces(tokenizer)
    assert ["".join(pair) for pair in found["pairs"]] == pieces
    assert (found["n_pieces"], found["is_exhausted"]) == (len(pieces), False)
    assert found["vocab_size"] == 400
    assert found["pairs"][0] == ["h", "e"]
    assert found["counts"][0] == TALES.count("he")
    assert found["n_words"] == len(TALES.split())


def test_a_text_that_runs_out_of_pairs_says_so():
    found = ANALYSES["merges"].run(corpus="own-text", own=OWN, vocab_size=2000)
    assert found["is_exhausted"]
    assert len(found["pairs"]) < found["n_pieces"] < MOST_MERGES


@pytest.mark.parametrize("text", SAMPLES)
def test_after_all_merges_a_text_is_cut_as_the_tokenizer_cuts_it_and_after_none_by_characters(text):
    tokenizer = train_tokenizer("sentencepiece", TALES, 400)
    n = len(merged_pieces(tokenizer))
    found = ANALYSES["merged"].run(text=text, n_merges=n, corpus="tales", vocab_size=400)
    ids = tokenizer.encode(text).tolist()
    assert found["ids"] == ids
    assert found["tokens"] == [tokenizer.token_text(each) for each in ids]
    none = ANALYSES["merged"].run(text=text, n_merges=0, corpus="tales", vocab_size=400)
    assert tokenizer.decode(none["ids"]) == text
    assert all(len(token) == 1 or token.startswith("<0x") for token in none["tokens"])


def test_vocabularies_are_learned_from_nine_tenths_and_judged_by_the_last():
    found = ANALYSES["vocabularies"].run(sizes=[500, 300], corpus="own-text", own=OWN * 5)
    text = OWN * 5
    split = len(text) - len(text) // 10
    expected = []
    for kind, size in (("sentencepiece", 300), ("sentencepiece", 500), ("characters", None)):
        tokenizer = train_tokenizer(kind, text[:split], size)
        expected.append(len(tokenizer.encode(text[split:])))
    np.testing.assert_array_equal(found["n_tokens"], [*expected, len(text[split:].encode())])
    assert found["kinds"] == ["sentencepiece", "sentencepiece", "characters", "bytes"]
    assert found["wanted"] == [300, 500, None, None]
    assert found["n_bytes"] == len(text[split:].encode()) > found["n_characters"]
    with pytest.raises(TextError, match="13 sizes"):
        ANALYSES["vocabularies"].run(sizes=[300] * 13, corpus="tales")


def test_what_several_threads_want_at_once_is_made_once_and_anew_where_that_failed():
    kept, begun, tries = Memory(10, lambda _: 1), threading.Barrier(5), []

    def make():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not now")
        return "made"

    def want():
        begun.wait()
        try:
            found.append(kept.find("key", make))
        except ValueError:
            found.append(None)

    found = []
    threads = [threading.Thread(target=want) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 2
    assert sorted(found, key=str) == [None, *["made"] * 4]
