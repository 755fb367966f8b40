import re
from itertools import islice
from string import ascii_letters

import pytest

from tiny_llama.corpora import CORPORA, tales_words
from tiny_llama.corpora.tales import N_CHARACTERS, stories

MANY = list(islice(stories(1), 3000))
NAMES = {name for names in tales_words.NAMES.values() for name in names}


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


def test_a_story_keeps_to_one_hero_and_the_right_pronoun():
    for story in MANY:
        heroes = NAMES & set(re.findall(r"[A-Z][a-z]+", story))
        assert len(heroes) == 1, story
        hero = heroes.pop()
        wrong = r"\bHe\b" if hero in tales_words.NAMES["she"] else r"\bShe\b"
        assert not re.search(wrong, story), story


def test_every_brace_is_filled_and_every_word_is_known():
    text = " ".join(MANY)
    assert "{" not in text
    n_words = len(set(re.findall(r"[a-z]+", text.lower())))
    assert 150 < n_words < 350


def test_stories_hardly_ever_repeat():
    assert len(set(MANY)) > 0.995 * len(MANY)


def test_the_seed_decides_the_stories():
    assert MANY[:5] == list(islice(stories(1), 5)) != list(islice(stories(2), 5))


def test_a_corpus_is_a_million_characters_of_them():
    text = CORPORA["tales"].text()
    assert N_CHARACTERS <= len(text) < N_CHARACTERS + 2000
    assert text.startswith(next(stories(0)) + "\n\n")


@pytest.mark.parametrize("plot", tales_words.PLOTS)
def test_every_plot_is_told(plot):
    assert all(beat for beat in plot.beats)
    assert plot.details
