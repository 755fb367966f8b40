"""What settings are called on a page, and how two runs differ in those words."""

from dataclasses import replace

import pytest

from explorer.settings import (
    LABELS,
    MORE_PARTS,
    PARTS,
    SECTIONS,
    WHEN_OPEN,
    Started,
    describe,
    differences,
    name_by_what_differs,
    text_named,
    value_in_words,
)
from tiny_llama.config import ModelConfig
from tiny_llama.presets import find_preset
from tiny_llama.setup import OWN_TEXT, SETTINGS, Setup


def test_every_setting_has_one_label_and_one_place():
    places = [*PARTS, *MORE_PARTS, *(name for each in SECTIONS for name in each.labels)]
    assert sorted([*places, "corpus", "steps"]) == sorted(LABELS) == sorted(SETTINGS)


def test_every_setting_that_may_be_open_says_what_that_means():
    assert set(WHEN_OPEN) == {name for name in SETTINGS if Setup().setting(name) is None}


def test_differences_are_said_with_the_labels_of_the_form():
    after = Setup().with_values(
        {"n_kv_heads": "1", "d_model": "32", "bias": "all", "tied_unembedding": "true"}
    )
    found = differences(Started(setup=Setup()), Started(setup=after))
    assert describe(found) == (
        "Biases: none → all, Width: 64 → 32, Key/value heads: as many as heads → 1, "
        "Tied unembedding: off → on"
    )
    assert describe(found, 1) == "Biases: none → all and 3 more"
    assert describe({}) == "the same settings"


def test_own_texts_differ_by_what_they_say_not_by_how_they_begin():
    one, other = (text_named(f"The same first words of a text, then {end}.") for end in "ab")
    assert one.name == other.name == "“The same first words of…”"
    setup = Setup(corpus=OWN_TEXT)
    found = differences(Started(setup=setup, text=one), Started(setup=setup, text=other))
    assert list(found) == ["corpus"]
    again = Started(setup=setup, text=text_named("The same first words of a text, then a."))
    assert not differences(Started(setup=setup, text=one), again)


def test_a_built_in_text_beside_an_own_one_is_one_difference():
    own = Started(setup=Setup(corpus=OWN_TEXT), text=text_named("Words\n of  mine"))
    found = differences(Started(setup=Setup()), own)
    assert describe(found) == "Text to learn from: tales → “Words of mine”"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, ""),
        ({"steps": "9", "corpus": "copy"}, ""),
        ({"norm": "layernorm", "position": "learned"}, "LayerNorm, learned positions"),
        ({"tied_unembedding": "true", "seed": "3"}, "tied unembedding, seed 3"),
        (
            {"norm": "none", "bias": "all", "seed": "1", "d_model": "32", "dropout": "0.1"},
            "no norm, biases all, width 32 and 2 more",
        ),
    ],
)
def test_a_run_is_named_by_what_is_not_as_in_tiny_llama(values, name):
    assert name_by_what_differs(Setup().with_values(values)) == name


def test_a_run_of_another_preset_is_named_by_it():
    model = replace(find_preset("tiny-gpt3").config, norm="rmsnorm")
    assert name_by_what_differs(Setup(model=model)) == "Tiny GPT-3, RMSNorm"


def test_values_are_said_as_the_form_shows_them():
    assert value_in_words("learning_rate", 0.001) == "0.001"
    assert value_in_words("logit_softcap", None) == "none"
    assert value_in_words("d_hidden", None) == "LLaMA's rule"
    assert value_in_words("norm", ModelConfig.norm) == "rmsnorm"
