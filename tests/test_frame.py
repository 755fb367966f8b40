"""The frame of every page: bar, stage, presenting, hidden controls, sharing."""

import re
from dataclasses import replace

import pytest
from conftest import PAGES, found, open_page, training
from tiny_runs import TEXT

from explorer import content
from explorer.page_list import SECTIONS
from explorer.words import MOST_CHARACTERS
from tiny_llama.config import ModelConfig
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig

pytestmark = pytest.mark.usefixtures("app_engine")
NAMES = [name for entries in SECTIONS.values() for name in entries]
SMALL = ModelConfig(n_layers=1, d_model=16, n_heads=2, context=16)
LONG = Setup(model=SMALL, training=TrainConfig(steps=50_000, batch_size=2, warmup_steps=1))


def test_every_page_is_in_the_bar():
    assert sorted(NAMES) == PAGES
    app = open_page("attention")
    links = [each.proto.page or "home" for each in app.get("page_link")]
    assert links == NAMES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_heading_which_is_its_name(page):
    app = open_page(page)
    entry = next(entries[page] for entries in SECTIONS.values() if page in entries)
    assert [title.value for title in app.title] == [entry.heading or entry.title]


def test_controls_that_the_link_hides_are_not_drawn_and_hold():
    app = open_page("attention", view="head", layer="2", head="1", hide="layer,text")
    shown = [each.key for each in app.selectbox]
    assert "layer" not in shown
    assert "head" in shown
    assert not app.text_area
    assert any("layer 2, head 1" in each.lower() for each in alternatives(app))


def alternatives(app):
    """List the text alternatives of the components on a page."""
    data = [each.proto.json for each in app.get("bidi_component") if each.proto.json]
    return re.findall(r'"alt":"([^"]*)"', "".join(data).replace('": "', '":"'))


def test_a_hidden_control_that_there_is_not_hides_nothing():
    app = open_page("attention", view="head", hide="layer,nothing,<b>")
    assert "head" in [each.key for each in app.selectbox]


def test_of_a_text_that_is_too_long_the_beginning_is_read_and_the_student_told():
    app = open_page("attention")
    app.text_area(key="text").set_value("cat " * 600).run()
    assert not app.exception
    assert len(app.text_area(key="text").value) == MOST_CHARACTERS
    assert "2,400 characters; pages read the first 2,000" in app.toast[0].value


def test_presenting_is_a_word_of_the_link_and_ended_by_a_press():
    app = open_page("attention", view="stages")
    app.button(key="begin_presenting").click().run()
    assert app.query_params["present"] == "true"
    app.button(key="leave_presenting").click().run()
    assert "present" not in app.query_params


def test_who_looks_at_another_model_is_led_to_their_own_that_trains(engine):
    with training(engine, LONG) as run_id:
        app = open_page("attention", owner="me")
        app.button(key="own_run").click().run()
        assert app.query_params["run"] == run_id
        assert not [each for each in app.button if each.key == "own_run"]
        stranger = open_page("attention", owner="you")
        assert not [each for each in stranger.button if each.key == "own_run"]
    assert not found(engine, run_id).is_moving


@pytest.mark.parametrize("is_own", [True, False])
def test_sharing_says_whether_the_text_goes_along(engine, is_own):
    setup, text = (replace(LONG, corpus=OWN_TEXT), TEXT) if is_own else (LONG, None)
    with training(engine, setup, text=text) as run_id:
        app = open_page("attention", owner="me", run=run_id)
        app.button(key="share").click().run()
    assert not app.exception
    said = " ".join(each.value for each in app.caption)
    assert ("but not the text that it was trained on" in said) == is_own
    assert ("sees what you see: this view" in said) == (not is_own)


INSIDE = (content.HERE / "inside").glob("*/*.md")
WORDS = sorted(f"{file.parent.name}/{file.stem}" for file in INSIDE)


@pytest.mark.parametrize("place", WORDS)
def test_the_first_sentence_says_what_to_look_at(place):
    first, more = content.inside(*place.split("/")).first_sentence
    assert first.endswith((".", "!", "?"))
    assert len(first.split()) <= 40
    assert not more or more[0].isupper() or not more[0].isalpha()
