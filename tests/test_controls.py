"""The widgets of a setup: one for every setting, in the link under its own name, both ways."""

from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from conftest import open_page, unfold
from streamlit.testing.v1 import AppTest
from test_setup import UNUSUAL as ANY_UNUSUAL

from explorer import content, controls, session
from explorer.engine import limits
from explorer.engine.limits import OWN, SHARED
from explorer.engine.server.engine import Engine
from explorer.words import WORDS
from tiny_llama import config, train_config
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.miniatures import MINIATURES
from tiny_llama.presets import PRESETS
from tiny_llama.setup import (
    OWN_TEXT,
    SETTINGS,
    Setup,
    changes,
    setup_in_one_line,
    setup_of_preset,
)
from tiny_llama.tokenizers import TOKENIZERS

APP = Path(__file__).parent.parent / "explorer" / "app.py"
CHOICES_OF = {**MENU, **CHOICES, **TRAINING_CHOICES, "tokenizer": TOKENIZERS}
BOUNDS = {**config.BOUNDS, **train_config.BOUNDS}
TASK = next(name for name, corpus in CORPORA.items() if isinstance(corpus, Task))
UNUSUAL = ANY_UNUSUAL | {"tokenizer": "sentencepiece"}
"""With a tokenizer that lets one choose how many tokens there are."""
NONSENSE = ["x", "", "-5", "1e999", "-inf", "nan", "9" * 400, "<script>", "\0", "🦙"]
ODD = [
    UNUSUAL,
    {},
    {"norm": "layernorm", "corpus": TASK, "d_model": "100", "n_heads": "5", "seed": "9"},
    {"corpus": OWN_TEXT, "attention": "alternating", "window": "5", "n_kv_heads": "1"},
    {"tokenizer": "characters", "n_layers": "0", "position": "none", "attention": "none"},
    {"tokenizer": "bytes", "d_head": "6", "rope_theta": "1", "steps": "1", "gradient_clip": "0"},
    {"d_model": "96", "n_layers": "6", "n_heads": "6", "norm_eps": "1e-09"},
]


def draw():
    """Draw a page of these widgets alone, and a button that takes over a setup."""
    import streamlit as st

    from explorer import controls, link
    from tiny_llama.errors import UserError

    link.arrive("train")
    if wanted := st.session_state.get("wanted"):
        st.button("Take", on_click=controls.take_setup, args=(wanted,))
    try:
        st.session_state["found"] = controls.details(controls.basics())
    except UserError as error:
        st.error(str(error))
    link.write()


def opened(link):
    app = AppTest.from_function(draw, default_timeout=60)
    unfold(app)
    for name, word in link.items():
        app.query_params[name] = word
    return checked(app.run())


def folded(link):
    app = AppTest.from_function(draw, default_timeout=60)
    app.query_params.update(link)
    return checked(app.run())


def checked(app):
    assert not app.exception
    return app


def take(app, setup):
    app.session_state["wanted"] = setup
    app.run()
    return checked(app.button[0].click().run())


def widgets(app):
    boxes = (*app.selectbox, *app.number_input, *app.toggle)
    return {box.key: box for box in boxes}


def odd_setups():
    """Give setups of every tiny preset in turn, each with a few settings of its own."""
    models = cycle(PRESETS[name].config for name in controls.TINY)
    return [
        Setup(model=model).with_values(values) for model, values in zip(models, ODD, strict=False)
    ]


@pytest.mark.parametrize("link", ODD)
def test_settings_act_in_closed_sections_whose_widgets_are_not_drawn(link):
    closed, every = folded(link), opened(link)
    assert closed.session_state["found"] == every.session_state["found"]
    assert closed.query_params == every.query_params
    n_closed, n_open = (len([*app.number_input, *app.toggle]) for app in (closed, every))
    assert n_closed < n_open / 4


def test_every_setting_has_a_widget_in_the_link_under_its_own_name():
    found = widgets(opened({}))
    assert set(found) == {"preset", *SETTINGS}
    assert all("train" in WORDS[name].pages for name in found)
    assert all(box.help for name, box in found.items() if name not in ("preset", "corpus"))


def test_a_list_offers_the_whole_menu():
    found = widgets(opened({}))
    offered = {slot: list(found[slot].options) for slot in CHOICES_OF}
    assert offered == {slot: list(options) for slot, options in CHOICES_OF.items()}


def test_no_number_may_leave_what_a_config_takes():
    boxes = {box.key: box for box in opened({}).number_input}
    for name, (low, high) in BOUNDS.items():
        assert low <= boxes[name].min <= boxes[name].max <= high, name


def test_a_usual_number_lies_on_a_step_or_a_screen_reader_calls_it_invalid():
    boxes = {box.key: box for box in opened({}).number_input if box.value is not None}
    del boxes["steps"]  # from 1 in hundreds: 1000 lies on none, and no other step is of use
    for name, box in boxes.items():
        n_steps = (box.value - box.min) / box.step
        assert n_steps == pytest.approx(round(n_steps)), name


def test_a_setting_that_may_be_left_open_says_what_that_means():
    boxes = {box.key: box for box in opened({}).number_input}
    open_ones = {name for name in SETTINGS if Setup().setting(name) is None}
    assert open_ones == {name for name, box in boxes.items() if box.value is None}
    assert all(boxes[name].placeholder for name in open_ones)


def test_the_train_page_opened_with_every_setting_in_the_link_finds_exactly_that_setup(
    tmp_path, monkeypatch
):
    found = []

    def noted(chosen, details=controls.details):
        found.append(details(chosen))
        return found[-1]

    engine = Engine(tmp_path)
    monkeypatch.setattr(session, "engine", lambda: engine)
    monkeypatch.setattr(controls, "details", noted)
    open_page("train", **UNUSUAL)
    assert found[-1] == Setup().with_values(UNUSUAL)


@pytest.mark.parametrize(
    ("slot", "option"),
    [(slot, option) for slot, options in CHOICES_OF.items() for option in options],
)
def test_a_link_may_name_any_option(slot, option):
    app = opened({slot: option})
    assert app.session_state["found"] == Setup().with_values({slot: option})
    assert widgets(app)[slot].help == content.card(slot, option)


@pytest.mark.parametrize("word", NONSENSE, ids=ascii)
def test_nonsense_for_every_setting_is_taken_for_the_usual(word):
    app = opened(dict.fromkeys((*SETTINGS, "preset"), word))
    assert app.session_state["found"] == Setup()
    assert not app.error


def test_numbers_just_out_of_bounds_are_taken_for_the_usual():
    too_low = {name: repr(low - 1) for name, (low, _) in BOUNDS.items()}
    too_high = {name: repr(high * 2) for name, (_, high) in BOUNDS.items()}
    for link in (too_low, too_high):
        assert opened(link).session_state["found"] == Setup()


def test_settings_that_do_not_fit_together_are_one_sentence():
    (error,) = opened({"n_heads": "4", "n_kv_heads": "3"}).error
    assert error.value == (
        "This model cannot be built: n_heads=4 must be a multiple of n_kv_heads=3."
    )


@pytest.mark.parametrize("setup", odd_setups(), ids=setup_in_one_line)
def test_a_setup_taken_over_is_found_again_and_so_is_its_link(setup):
    app = take(opened({"d_model": "72", "d_hidden": "40", "tokenizer": "bytes"}), setup)
    assert app.session_state["found"] == setup
    link = dict(app.query_params)
    assert {"preset", *link} == controls.link_to(setup).keys()
    for same in (link, controls.link_to(setup)):
        assert opened(same).session_state["found"] == setup


def test_a_setup_taken_over_stays_until_something_is_changed_by_hand():
    setup = Setup().with_values(UNUSUAL)
    app = checked(take(opened({}), setup).run())
    assert app.session_state["found"] == setup
    checked(app.number_input(key="seed").set_value(3).run())
    assert app.session_state["found"] == setup.with_values({"seed": "3"})
    checked(app.number_input(key="d_hidden").set_value(None).run())
    assert app.session_state["found"].model.d_hidden is None


def test_one_setup_after_another_leaves_nothing_behind():
    app = opened({})
    for setup in odd_setups():
        assert take(app, setup).session_state["found"] == setup


def test_a_run_that_has_begun_is_taken_over_but_for_the_vocabulary_of_its_tokenizer():
    setup = Setup()
    begun = replace(setup, model=replace(setup.model, vocab_size=71))
    found = take(opened({"seed": "4"}), begun).session_state["found"]
    assert found == setup
    assert not changes(begun, found)


def test_a_setup_on_an_unknown_corpus_is_taken_over_but_for_it():
    found = take(opened({}), Setup(corpus="lost", tokenizer="bytes")).session_state["found"]
    assert found == Setup(tokenizer="bytes")


@pytest.mark.parametrize("name", controls.TINY)
def test_a_preset_is_its_own_nearest_and_its_link_says_no_more(name):
    model = PRESETS[name].config
    assert controls.nearest_preset(model) == name
    assert controls.nearest_preset(replace(model, dropout=0.5, vocab_size=99)) == name
    assert controls.link_to(setup_of_preset(name)) == {"preset": name}


MINIATURE_SETUPS = {
    name: Setup(model=each.config) for name, each in MINIATURES.items() if each.config
}


@pytest.mark.parametrize("name", MINIATURE_SETUPS)
def test_the_link_of_a_miniature_says_all_that_makes_it_and_this_app_can_train_it(
    name, monkeypatch
):
    setup = MINIATURE_SETUPS[name]
    link = controls.link_to(setup)
    usual = PRESETS[link.pop("preset", controls.TINY[0])].config
    assert Setup(model=usual).with_values(link) == setup
    for place in (SHARED, OWN):
        monkeypatch.setattr(limits, "limits", lambda place=place: place)
        limits.check_setup(setup)


@pytest.mark.parametrize("name", ["gpt-j", "mixtral", "gemma-2", "gemma-3", "olmo-2", "palm"])
def test_the_link_of_a_miniature_sets_the_widgets_to_it(name):
    setup = MINIATURE_SETUPS[name]
    assert opened(controls.link_to(setup)).session_state["found"] == setup


def test_what_does_not_act_is_left_out_of_the_setup():
    on_a_task = opened({"corpus": TASK, "tokenizer": "sentencepiece", "vocab_size": "700"})
    assert on_a_task.session_state["found"] == Setup(corpus=TASK)
    in_bytes = opened({"tokenizer": "bytes", "vocab_size": "700"})
    assert in_bytes.session_state["found"] == Setup(tokenizer="bytes")
