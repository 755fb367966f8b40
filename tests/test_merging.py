"""Byte-pair encoding in slow motion, against SentencePiece itself and against plain counting."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from tiny_llama.corpora import CORPORA
from tiny_llama.tokenizers import train_tokenizer
from tiny_llama.tokenizers.merging import (
    LITERAL,
    Merge,
    cut_after,
    joined,
    merged_pieces,
    replay,
    training_words,
)

SIZE = 700
TALES = CORPORA["tales"].text()[:200_000]
MANUAL = CORPORA["python-manual"].text()[:100_000]
MIXED = "naïve café, Größe 12! 世界人权 世界 всё всё. aaaa aaab  two  spaces\n\tx▁y\n" * 60
TEXTS = {"tales": TALES, "manual": MANUAL, "mixed": MIXED}


@pytest.fixture(scope="module", params=TEXTS)
def text(request):
    return TEXTS[request.param]


def replayed(text, size=SIZE):
    tokenizer = train_tokenizer("sentencepiece", text, size)
    words = training_words(text, size)
    return tokenizer, words, list(replay(words, merged_pieces(tokenizer)))


def test_the_replay_makes_the_pieces_that_sentencepiece_made_and_in_its_order(text):
    tokenizer, _, merges = replayed(text)
    pieces = merged_pieces(tokenizer)
    assert [merge.piece for merge in merges] == pieces[: len(merges)]
    if text is not MIXED:
        assert len(merges) == len(pieces) > 300


def test_each_count_is_the_number_of_places_found_by_going_through_the_whole_text(text):
    _, words, merges = replayed(text)
    cuts = {word: list(word) for word in words}
    for merge in merges[:120]:
        count = sum(
            words[word] * sum(pair == (merge.left, merge.right) for pair in neighbours(cut))
            for word, cut in cuts.items()
        )
        assert merge.count == count > 0
        cuts = {word: joined(cut, (merge.left, merge.right)) for word, cut in cuts.items()}


def neighbours(symbols):
    return list(pairwise(symbols))


@pytest.mark.parametrize("text", [TALES, MANUAL], ids=["tales", "manual"])
def test_no_pair_that_may_be_merged_stands_more_often_than_the_one_that_is(text):
    _, words, merges = replayed(text)
    cuts = {word: list(word) for word in words}
    for merge in merges[:150]:
        counts = Counter()
        for word, cut in cuts.items():
            for pair in neighbours(cut):
                counts[pair] += words[word]
        allowed = [count for pair, count in counts.items() if may_be_merged("".join(pair))]
        assert merge.count == max(allowed)
        cuts = {word: joined(cut, (merge.left, merge.right)) for word, cut in cuts.items()}


def may_be_merged(piece):
    """Ask SentencePiece's rules (ASCII): no digits, letters apart from other signs, at most 16."""
    bare = piece.lstrip("▁")
    has_one_kind = not re.search("[A-Za-z]", bare) or bare.isalpha()
    blanks = len(piece) - len(bare)
    return (
        len(piece) <= 16
        and not re.search(r"\d", piece)
        and has_one_kind
        and (blanks <= 1 or not bare)
    )


def test_counts_never_rise(text):
    _, _, merges = replayed(text)
    counts = [merge.count for merge in merges]
    assert counts == sorted(counts, reverse=True)


def test_the_training_words_are_the_words_of_the_text_with_their_spaces():
    words = training_words("a bc  bc\nbc", 300)
    assert words == {"▁a": 1, "▁bc": 2, "▁▁bc": 1}


def test_overlapping_places_are_counted_and_joined_from_the_left():
    assert next(replay({"aaaa": 2}, ["aa"])) == Merge("a", "a", 6)
    assert joined(list("aaaaa"), ("a", "a")) == ["aa", "aa", "a"]
    assert joined(["a", "aa", "a", "a"], ("a", "a")) == ["a", "aa", "aa"]
    assert list(replay({"ab": 1}, ["ab", "bc"])) == [Merge("a", "b", 1)]


@pytest.mark.parametrize("sample", [TALES[:3000], MANUAL[:3000], MIXED[:500], "x", "  ", "▁ ▁▁a"])
def test_all_merges_cut_a_text_as_the_tokenizer_does(text, sample):
    tokenizer = train_tokenizer("sentencepiece", text, SIZE)
    expected = []
    known = {piece.text for piece in tokenizer.pieces}
    for piece in cut_after(sample, merged_pieces(tokenizer)):
        if piece in known and piece != LITERAL:
            expected.append(piece.replace("▁", " "))
        else:
            spelled = ("▁" if piece == LITERAL else piece).encode()
            expected += [chr(b) if b < 128 else f"<0x{b:02X}>" for b in spelled]
    assert expected == [tokenizer.token_text(int(i)) for i in tokenizer.encode(sample)]


def test_the_first_merges_cut_as_a_smaller_tokenizer_of_the_same_text():
    large, small = (train_tokenizer("sentencepiece", TALES, size) for size in (900, 400))
    few = merged_pieces(small)
    assert merged_pieces(large)[: len(few)] == few
    sample = TALES[:2000]
    found = [piece.replace("▁", " ") for piece in cut_after(sample, few)]
    assert found == [small.token_text(int(i)) for i in small.encode(sample)]


def test_a_text_without_pairs_left_fills_the_vocabulary_with_what_none_of_its_words_needs():
    tokenizer, words, merges = replayed(TALES, 4000)
    pieces = merged_pieces(tokenizer)
    assert len(merges) < len(pieces)
    assert all(word.startswith("▁") for word in words)
    used = {piece for word in words for piece in cut_after(word[1:], pieces)}
    assert not used & set(pieces[len(merges) :])
    assert cut_after("", pieces) == []
