"""The link: what it says is what the page shows, whatever crosses on the way."""

import json
import re
from functools import partial
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs

import pytest
from conftest import ROOT, go_back, open_page, walk
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner

from explorer.words import ALL, WORDS


def page():
    """Draw two views with a slider each, a live part, and ways to set words."""
    import streamlit as st

    from explorer import link

    link.arrive("generation")
    st.button("other run", on_click=link.put, kwargs={"run": "second"})
    st.button("both", on_click=link.put, kwargs={"run": "third", "top_k": 5})
    link.widget(st.slider, "top_k", "Top-k", usual=0, min_value=0, max_value=9)
    st.text(link.value("run"))
    link.write()


@pytest.fixture
def app():
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["run"] = "first"
    return app.run()


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()


def shows(app):
    assert not app.exception
    return app.text[0].value, app.slider[0].value


def test_what_the_page_shows_stands_in_the_link(app):
    assert shows(app) == ("first", 0)
    app.slider[0].set_value(3).run()
    assert app.query_params == {"run": "first", "top_k": "3"}
    app.slider[0].set_value(0).run()
    assert app.query_params == {"run": "first"}


def test_a_message_that_does_not_know_of_the_last_change_does_not_take_it_back(app):
    press(app, "other run")
    app.query_params = {"run": "first"}  # as the browser had it when the message left
    app.run()
    assert shows(app) == ("second", 0)
    assert app.query_params == {"run": "second"}


def test_what_a_widget_showed_before_the_page_set_it_is_no_choice(app):
    app.slider[0].set_value(3).run()
    before = dict(app.query_params)
    press(app, "both")
    assert shows(app) == ("third", 5)
    app.query_params = before
    app.slider[0].set_value(3).run()
    assert shows(app) == ("third", 5)


def test_another_choice_counts_even_where_it_has_crossed_a_change(app):
    press(app, "both")
    app.query_params = {"run": "first"}
    app.slider[0].set_value(7).run()
    assert shows(app) == ("third", 7)


def test_the_choice_of_before_counts_once_the_browser_has_the_new_link(app):
    app.slider[0].set_value(3).run()
    press(app, "both")
    app.slider[0].set_value(3).run()
    assert shows(app) == ("third", 3)


def test_a_question_for_news_chooses_nothing_though_it_knows_the_new_link(app):
    """Ask with the new link, as a browser may before it has drawn what the page set with it."""
    app.slider[0].set_value(3).run()
    press(app, "both")
    app.slider[0].set_value(3)
    of_a_live_part = partial(RerunData, fragment_id_queue=["live"])
    with patch.object(local_script_runner, "RerunData", of_a_live_part):
        app.run()
    assert shows(app.run()) == ("third", 5)


def test_the_browsers_back_finds_the_state_of_before_in_one_step(app):
    before = dict(app.query_params)
    press(app, "both")
    assert app.query_params == {"run": "third", "top_k": "5"}
    go_back(app, **before)
    assert shows(app) == ("first", 0)
    go_back(app, run="third", top_k="5")
    assert shows(app) == ("third", 5)


def test_one_press_is_one_step_of_the_browsers_history(app, monkeypatch):
    sent = []
    monkeypatch.setattr(
        "streamlit.runtime.state.query_params.QueryParams._send_query_param_msg",
        lambda self: sent.append(self.to_dict()),
    )
    press(app, "both")
    assert sent == [{"run": "third", "top_k": "5"}]


def test_a_word_that_makes_no_sense_is_told_and_left_out():
    app = open_page(
        "generation",
        top_k="many",
        temperature="3",
        nonsense="1",
        layer="2",
        **{"x" * 3000: "1", "y": "", "z": "2"},
    )
    told = sorted(toast.value.split()[4].replace("\\", "") for toast in app.toast)
    assert told == ["nonsense,", "temperature", "top_k"]  # a layer is another page's
    assert app.query_params == {}


def test_a_link_full_of_foreign_words_is_told_in_one_short_sentence():
    app = open_page("home", **{f"utm_{n}{'x' * 200}": "1" for n in range(300)})
    (toast,) = app.toast
    assert "and 297 more" in toast.value
    assert len(toast.value) < 300


def test_what_is_chosen_in_the_moment_of_leaving_is_kept():
    app = open_page("generation", top_k="3")
    app.query_params = {}  # a link to another page that was drawn before
    app.text_area(key="text").set_value("My own words here.")
    app.switch_page("../pages/attention.py").run()
    assert app.text_area(key="text").value == "My own words here."


def test_an_emptied_text_is_the_example_again():
    app = open_page("attention", text="My own words here.")
    example = open_page("attention").text_area(key="text").value
    app.text_area(key="text").set_value("").run()
    assert app.text_area(key="text").value == example
    assert "text" not in app.query_params


def test_a_choice_that_another_table_has_not_is_found_again_with_the_first():
    app = open_page("home", view="results", table="common_sense", measure="PIQA")
    app.selectbox(key="table").set_value("maths").run()
    assert app.selectbox(key="measure").value != "PIQA"
    app.selectbox(key="table").set_value("common_sense").run()
    assert app.selectbox(key="measure").value == "PIQA"


def test_an_emptied_box_shows_the_usual_where_it_may_not_be_empty():
    boxes = {box.key: box for box in open_page("train", preset="tiny-gpt3").number_input}
    assert boxes["n_layers"].proto.default == 3
    assert boxes["steps"].proto.default == 1000
    assert not boxes["n_kv_heads"].proto.HasField("default")


def test_a_preset_of_one_page_leaves_the_model_of_another():
    app = open_page("architecture", model_vocab_size="5000")
    walk(app, "train").selectbox(key="preset").set_value("tiny-gpt3").run()
    assert walk(app, "architecture").number_input(key="model_vocab_size").value == 5000


def test_a_page_is_left_and_found_again_as_it_was():
    app = open_page("attention", view="head", layer="1", head="2", text="Once there was a duck.")
    away = walk(app, "train")
    found = dict(re.findall(r"(\w+)=([^&]*)", links(away)["attention"]))
    assert found == {"view": "head", "text": found["text"], "layer": "1", "head": "2"}
    assert "text" in links(away)["rotary"]
    assert "view" not in links(away)["rotary"]
    assert away.query_params == {}
    back = walk(away, "attention")
    assert back.selectbox(key="head").value == 2
    assert back.text_area(key="text").value == "Once there was a duck."


def links(app):
    """Give the query of every link in the bar, by page."""
    found = {}
    for each in app.get("page_link"):
        found.setdefault(each.proto.page or "home", each.proto.query_string)  # the bar comes first
    return found


def links_to_architecture():
    """Show a link with settings, and one without."""
    import streamlit as st

    from explorer import link

    link.arrive("architecture")
    link.put(norm="layernorm", n_layers=3, view="memory")
    st.json(link.to("architecture", preset="llama-1-7b"))
    st.json(link.to("architecture", slot="position"))


def test_a_link_that_says_one_setting_says_them_all():
    app = AppTest.from_function(links_to_architecture, default_timeout=60).run()
    new, other_slot = [json.loads(each.value) for each in app.json]
    assert new == {"view": "memory", "preset": "llama-1-7b"}
    assert other_slot == {
        "view": "memory",
        "norm": "layernorm",
        "n_layers": "3",
        "slot": "position",
    }


LINKS = json.loads((Path(__file__).parent / "links.json").read_text(encoding="utf-8"))
"""Links as the app wrote them while Streamlit bound its widgets to them, and what those showed."""


@pytest.mark.usefixtures("app_engine")
@pytest.mark.parametrize("old", LINKS, ids=lambda old: f"{old['page']}?{old['query']}"[:60])
def test_links_written_by_earlier_versions_still_open(old):
    words = parse_qs(old["query"])
    app = open_page(old["page"], **words)
    assert not app.toast
    shown = widgets(app)
    for name, value in old["shows"].items():
        assert plain(shown[name]) == plain(value), name
    for name in words.keys() - old["shows"].keys():
        assert app.query_params[name] == words[name][0]


def widgets(app):
    kinds = ("selectbox", "slider", "select_slider", "number_input", "toggle", "multiselect")
    kinds += ("text_area", "text_input", "button_group")
    return {each.key: each.value for kind in kinds for each in app.get(kind)}


def plain(value):
    """Give a value without the difference between a number and its digits."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@pytest.mark.parametrize("word", WORDS.values(), ids=lambda word: word.name)
def test_every_word_is_read_as_it_is_written(word):
    assert set(word.pages) <= set(ALL)
    if word.usual not in (None, ""):
        assert word.kind.read(word.kind.write(word.usual)) == word.usual
    with pytest.raises((ValueError, KeyError)):
        word.kind.read("\0" * 5000)


def test_names_and_years_are_read_as_far_as_they_make_sense():
    names, years = WORDS["relation"].kind.read, WORDS["years"].kind.read
    assert names("successor,,reproduces,successor") == ["successor", "reproduces"]
    assert names("") == []
    assert years("2019-2021") == years("2021-2019") == (2019, 2021)
    for rubbish in ("", "-", "2019", "a-b", "2019-", "-1-3", "²-³"):
        with pytest.raises((ValueError, KeyError)):
            years(rubbish)


def test_years_are_those_that_the_tree_has():
    for said, shown in {"1990-2020": (2015, 2020), "1-99999999999999999999": (2015, 2025)}.items():
        app = open_page("family_tree", years=said)
        assert app.slider(key="years").value == shown


def test_one_place_knows_the_link_and_one_the_session():
    places = {
        **{name: {"link.py"} for name in ("query_params", "page_link(", "switch_page(")},
        "session_state": {"state.py"},
        "bind=": set(),
    }
    for path in [*(ROOT / "explorer").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        code = path.read_text()
        for name, rooms in places.items():
            assert path.name in rooms or f"{name}" not in code, f"{path} uses {name}"
