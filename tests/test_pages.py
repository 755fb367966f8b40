"""Every page through the app's own entry, without a browser."""

import json
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import controls, session
from explorer.engine.client import Engine
from explorer.engine.shipped import shipped_run
from tiny_llama.errors import TextError
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.setup import OWN_TEXT, Setup, changes

APP = Path(__file__).parent.parent / "explorer" / "app.py"
TINY = {"n_layers": "1", "d_model": "16", "n_heads": "2", "context": "16", "batch_size": "4"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def the_engine_of_these_tests(engine, monkeypatch):
    """Pages and tests look at the same runs."""
    monkeypatch.setattr(session, "engine", lambda: engine)


def open_page(name, **link):
    app = AppTest.from_file(APP, default_timeout=60)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    app.switch_page(f"../pages/{name}.py").run()
    assert not app.exception
    return app


def train(app):
    app.button(key="train").click().run()
    assert not app.exception
    return app


def wait_until_over(app, seconds=60):
    run_id = app.query_params["run"]
    end = time.monotonic() + seconds
    while (run := session.engine().poll(run_id)).is_live:
        assert time.monotonic() < end, run.status
        time.sleep(0.05)
    app.run()
    assert not app.exception
    return run


def chart_data(app):
    """What the live chart was sent."""
    charts = [each for each in app.get("bidi_component") if each.key == "run_chart"]
    return json.loads(charts[0].proto.json)


@pytest.mark.parametrize("name", ["home", "train"])
def test_every_page_opens_with_nothing_trained(name):
    app = open_page(name)
    assert app.title[0].value


def test_a_student_trains_and_reads_what_the_model_writes():
    app = train(open_page("train", steps="10", **TINY))
    run = wait_until_over(app)
    assert run.status == "finished", run.message
    numbers = chart_data(app)["numbers"]
    shown = {label: value for label, value, *_ in numbers}
    assert float(shown["Training loss"]) == pytest.approx(run.last("loss"), abs=1e-3)
    assert [code.value for code in app.code] == [run.samples[0][1], run.samples[-1][1]]


LINKS = {"norm": "layernorm", "position": "alibi", "n_heads": "8", "n_kv_heads": "2"}
LINKS |= {"optimizer": "muon", "learning_rate": "0.01", "seed": "7", "qk_norm": "true"}


@pytest.mark.parametrize(("name", "word"), LINKS.items())
def test_a_link_sets_what_it_names(name, word):
    app = open_page("train", **{name: word}, steps="1", n_layers="1")
    run = wait_until_over(train(app))
    wanted = Setup().with_values({name: word, "steps": "1", "n_layers": "1"})
    assert changes(wanted, run.setup) == {}


def test_before_anything_is_trained_a_recorded_run_is_shown_and_says_so():
    app = open_page("train")
    run = shipped_run()
    assert "Recorded" in app.info[0].value
    assert [code.value for code in app.code] == [run.samples[0][1], run.samples[-1][1]]
    assert not {"run_pause", "run_stop"} & {button.key for button in app.button}


@pytest.mark.parametrize(
    ("name", "word"), [("norm", "<script>"), ("d_model", "x"), ("steps", "-5")]
)
def test_nonsense_in_a_link_falls_back_to_the_usual(name, word):
    app = open_page("train", **{name: word})
    assert app.button(key="train")


def test_a_preset_sets_every_part_and_a_link_may_change_one_of_it():
    app = open_page("train", preset="tiny-gpt3", norm="rmsnorm", steps="1")
    config = session.engine().poll(train(app).query_params["run"]).setup.model
    assert (config.norm, config.position, config.attention) == ("rmsnorm", "learned", "alternating")
    assert config.tied_unembedding


def test_choosing_a_preset_by_hand_sets_every_part():
    app = open_page("train", norm="layernorm")
    app.selectbox(key="preset").set_value("small-llama").run()
    assert app.selectbox(key="norm").value == "rmsnorm"
    assert app.number_input(key="d_model").value == 96
    app.selectbox(key="preset").set_value("tiny-gpt3").run()
    assert app.selectbox(key="bias").value == "all"


def test_every_slot_of_the_menu_has_its_widget():
    app = open_page("train")
    keys = {box.key for box in app.selectbox}
    assert {*MENU, *CHOICES, *TRAINING_CHOICES, "preset", "corpus", "tokenizer"} <= keys


def test_choices_that_do_not_fit_are_explained_and_cannot_be_trained():
    app = open_page("train", d_model="72", n_heads="5")
    assert "d_model=72 must be a multiple of n_heads=5" in app.error[0].value
    assert app.button(key="cannot_train").disabled


@pytest.mark.parametrize(
    "text",
    ["", "x", "x" * 10_000_000, "a\0b " * 500],
    ids=["empty", "one", "10 MB", "NUL"],
)
def test_text_that_cannot_be_used_is_explained(text):
    app = open_page("train", corpus=OWN_TEXT)
    app.text_area(key="own_text").set_value(text).run()
    assert not app.exception
    if not app.error:
        assert "\0" in text
    else:
        assert app.error[0].value.endswith(".")


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script> " * 60, "שלום עולם, " * 200, "🦙 and 😀 " * 200]
)
def test_a_students_own_text_is_trained_on(text):
    app = open_page("train", corpus=OWN_TEXT, steps="2", **TINY)
    app.text_area(key="own_text").set_value(text).run()
    run = wait_until_over(train(app))
    assert run.status == "finished", run.message


def test_an_uploaded_file_that_is_no_text_is_refused():
    chosen = controls.Basics(
        preset="tiny-llama", corpus=OWN_TEXT, steps="1", own_text=bytes(range(256)) * 20
    )
    with pytest.raises(TextError):
        chosen.checked_text()


def test_a_run_that_the_server_does_not_know_is_said_to_be_gone():
    app = open_page("train", run="AAAAAAAA")
    assert "not on this server any more" in app.warning[0].value
    assert not open_page("train", run="../../etc").exception


def test_a_run_that_blows_up_says_at_which_step():
    wild = {"optimizer": "sgd", "learning_rate": "900", "norm": "none", "gradient_clip": "0"}
    app = train(open_page("train", steps="3000", **wild, **TINY))
    run = wait_until_over(app)
    assert run.status == "failed"
    assert any(run.message == error.value for error in app.error)


def test_the_model_writes_on_from_a_students_words():
    app = train(open_page("train", steps="5", **TINY))
    wait_until_over(app)
    app.text_input(key="prompt_text").set_value("<b>once</b>")
    app.button[-1].click().run()
    assert not app.exception
    assert app.code[-1].value.startswith("<b>once</b>") or "�" in app.code[-1].value


def test_an_empty_prompt_is_answered_with_a_sentence():
    app = train(open_page("train", steps="5", **TINY))
    wait_until_over(app)
    app.button[-1].click().run()
    assert "prompt" in app.error[-1].value
