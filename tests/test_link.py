"""Messages of the browser that have crossed a change of the link."""

from dataclasses import dataclass

import pytest
from conftest import open_page
from streamlit.testing.v1 import AppTest

from explorer import link


def page():
    import streamlit as st

    from explorer import link

    if st.button("start"):
        link.write("run", "second")
    if st.button("forget"):
        link.write("run", None)
    st.text(link.word("run"))


@dataclass
class Asked:
    """What Streamlit says of a message."""

    page_script_hash: str = "one"
    fragment_ids_this_run: tuple[str, ...] = ()
    is_history_navigation: bool = False


@pytest.fixture
def app(monkeypatch):
    app = AppTest.from_function(page)
    app.query_params["run"] = "first"
    send(app, monkeypatch)
    return app


def send(app, monkeypatch, press=None, **asked):
    """Let the browser ask; return what the page takes the link to say."""
    monkeypatch.setattr(link, "get_script_run_ctx", lambda: Asked(**asked))
    if press:
        next(button for button in app.button if button.label == press).click()
    app.run()
    assert not app.exception
    return app.text[0].value


def says(app):
    word = app.query_params.get("run")
    return word[0] if isinstance(word, list) else word


def test_a_message_that_does_not_know_of_the_last_change_does_not_take_it_back(app, monkeypatch):
    assert send(app, monkeypatch, press="start") == "second"
    app.query_params["run"] = "first"
    assert send(app, monkeypatch) == "second"
    assert says(app) == "second"


def test_what_was_taken_out_of_the_link_does_not_come_back_either(app, monkeypatch):
    assert send(app, monkeypatch, press="forget") == "None"
    app.query_params["run"] = "first"
    assert send(app, monkeypatch) == "None"
    assert says(app) is None


def test_another_word_than_the_one_before_is_a_link_that_was_followed(app, monkeypatch):
    send(app, monkeypatch, press="start")
    app.query_params["run"] = "third"
    assert send(app, monkeypatch) == "third"


def test_the_browsers_back_counts_at_once(app, monkeypatch):
    send(app, monkeypatch, press="start")
    app.query_params["run"] = "first"
    assert send(app, monkeypatch, is_history_navigation=True) == "first"


def test_later_the_word_before_is_a_link_that_was_followed(app, monkeypatch):
    send(app, monkeypatch, press="start")
    monkeypatch.setattr(link, "CROSSING_SECONDS", 0)
    app.query_params["run"] = "first"
    assert send(app, monkeypatch) == "first"


def test_another_page_takes_its_link_as_it_comes(app, monkeypatch):
    send(app, monkeypatch, press="start")
    app.query_params["run"] = "first"
    assert send(app, monkeypatch, page_script_hash="another") == "first"


def test_what_asks_for_news_by_itself_changes_no_link_however_late_it_comes(app, monkeypatch):
    send(app, monkeypatch, press="start")
    monkeypatch.setattr(link, "CROSSING_SECONDS", 0)
    app.query_params["run"] = "first"
    assert send(app, monkeypatch, fragment_ids_this_run=("live",)) == "second"
    assert says(app) == "second"


def test_a_list_that_shows_the_run_of_before_is_no_choice_of_it(monkeypatch):
    def page():
        import streamlit as st

        from explorer import session

        if st.button("start"):
            session.look_at("second")
        if st.button("old list"):
            session.choose_run("first")
        if st.button("other run"):
            session.choose_run("third")
        st.text(session.current_id())

    app = AppTest.from_function(page)
    app.query_params["run"] = "first"
    assert send(app, monkeypatch) == "first"
    assert send(app, monkeypatch, press="start") == "second"
    assert send(app, monkeypatch, press="old list") == "second"
    assert send(app, monkeypatch, press="other run") == "third"
    monkeypatch.setattr(link, "CROSSING_SECONDS", 0)
    assert send(app, monkeypatch, press="old list", fragment_ids_this_run=("live",)) == "third"
    assert send(app, monkeypatch, press="old list") == "first"


@pytest.mark.usefixtures("app_engine")
def test_what_lists_showed_before_is_no_choice_of_a_preset(monkeypatch):
    app = open_page("train")
    monkeypatch.setattr(link, "get_script_run_ctx", lambda: Asked(fragment_ids_this_run=("live",)))
    app.selectbox(key="preset").set_value("tiny-gpt3").run()
    assert app.selectbox(key="norm").value == "rmsnorm"
    monkeypatch.setattr(link, "get_script_run_ctx", Asked)
    app.selectbox(key="preset").set_value("tiny-llama").run()
    app.selectbox(key="preset").set_value("tiny-gpt3").run()
    assert app.selectbox(key="norm").value == "layernorm"


def test_the_page_is_drawn_anew_with_the_link_as_it_knows_it(monkeypatch):
    def live():
        import streamlit as st

        from explorer import link

        n_drawn = st.session_state.get("drawn", 0)
        st.session_state["drawn"] = n_drawn + 1
        if n_drawn == 0:
            link.write("run", "second")
        if n_drawn == 1:  # asked for by a part of the page, with a link of before
            link.draw_anew()
        st.text(link.word("run"))

    app = AppTest.from_function(live)
    app.query_params["run"] = "first"
    assert send(app, monkeypatch) == "second"
    app.query_params["run"] = "first"
    monkeypatch.setattr(link, "CROSSING_SECONDS", 0)
    assert send(app, monkeypatch) == "second"
    assert says(app) == "second"
