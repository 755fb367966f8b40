import re
from collections import Counter
from itertools import accumulate, islice
from random import Random
from string import ascii_letters

import pytest

from tiny_llama.corpora import CORPORA, tales_words
from tiny_llama.corpora.tales import BETWEEN, N_CHARACTERS, is_name, name, stories
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import train_tokenizer

MANY = list(islice(stories(1), 3000))


def test_a_story_is_one_clean_line_of_few_kinds_of_characters():
    assert set("".join(MANY)) <= set(ascii_letters + ' .,!?"')
    for story in MANY:
        assert story[0].isupper()
        assert story[-1] in '.!?"'
        assert "  " not in story
        assert story.count('"') % 2 == 0


def test_every_sentence_starts_with_a_capital_or_a_quote():
    for story in MANY:
        for after in re.findall(r"[.!?] (.)", story):
            assert after.isupper() or after == '"', story


def test_a_and_an_stand_before_the_right_letters():
    text = " ".join(MANY)
    assert not re.search(r"\ba [aeiou]", text)
    assert not re.search(r"\ban [^aeiou]", text)


def heroes_of(story):
    return [word for word in re.findall(r"[A-Za-z]+", story) if is_name(word)]


def test_a_story_keeps_to_one_hero_and_one_pronoun():
    for story in MANY:
        assert len(set(heroes_of(story))) == 1, story
        assert len(set(re.findall(r"\b(She|He|her|his)\b", story)) & {"She", "He"}) < 2, story


def test_the_hero_is_named_again_and_again():
    counts = [len(heroes_of(story)) for story in MANY]
    assert min(counts) > 2
    assert sum(counts) > 8 * len(MANY)


def test_names_are_invented_so_that_few_heroes_share_one():
    names = Counter(heroes_of(story)[0] for story in MANY)
    assert len(names) > 900
    assert names.most_common(1)[0][1] < 15
    rng = Random(0)
    assert all(is_name(name(rng)) for _ in range(1000))


def test_no_name_is_a_word_of_the_tales():
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", " ".join(MANY)) if not is_name(word)}
    assert not any(is_name(word.capitalize()) for word in words)


def test_every_name_is_cut_into_its_three_syllables():
    tokenizer = train_tokenizer(Setup.tokenizer, CORPORA["tales"].text())
    rng = Random(1)
    for _ in range(500):
        hero = name(rng)
        for text in (hero, f"Then {hero} ran.", f'"Yes, {hero}!" said the bird.'):
            pieces = [tokenizer.token_text(int(token)) for token in tokenizer.encode(text)]
            at = "".join(pieces).index(hero)
            ends = list(accumulate(map(len, pieces)))
            assert [pieces[i].strip() for i, end in enumerate(ends) if at < end <= at + 6] == [
                hero[:2],
                hero[2:4],
                hero[4:],
            ]


def test_every_brace_is_filled_and_every_word_is_known():
    text = " ".join(MANY)
    assert "{" not in text
    n_words = len({word.lower() for word in re.findall(r"[A-Za-z]+", text) if not is_name(word)})
    assert 150 < n_words < 350


def test_stories_hardly_ever_repeat():
    assert len(set(MANY)) > 0.995 * len(MANY)


def test_the_seed_decides_the_stories():
    assert MANY[:5] == list(islice(stories(1), 5)) != list(islice(stories(2), 5))


def test_a_corpus_is_a_million_characters_of_them():
    text = CORPORA["tales"].text()
    assert N_CHARACTERS <= len(text) < N_CHARACTERS + 2000
    assert text.startswith(next(stories(0)) + BETWEEN)


@pytest.mark.parametrize("plot", tales_words.PLOTS)
def test_every_plot_is_told(plot):
    assert all(beat for beat in plot.beats)
    assert plot.details
