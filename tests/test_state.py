"""What a tab keeps: looked up where it is asked for, and never copied as a whole for one widget."""

from unittest.mock import patch

from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1 import AppTest

from explorer.state import AsAsked

WHOLE = SessionState.filtered_state
"""Streamlit's own copy of all that a tab keeps."""


def page():
    """Draw a widget of each kind that looks itself up, one of them empty, and keep a value."""
    import streamlit as st

    from explorer import state

    state.show("number", None)
    st.text(state.kept("made", lambda: "once"))
    st.number_input("Number", value=3, key="number")
    st.selectbox("List", ["a", "b"], key="list")
    st.text_input("Text", key="text")
    st.slider("Slider", 0, 9, key="slider")
    st.button("Without a key")


def test_no_widget_has_all_that_the_tab_keeps_copied():
    n_copies = []

    def counted(state):
        n_copies.append(1)
        return WHOLE.fget(state)

    app = AppTest.from_function(page)
    with patch.object(SessionState, "filtered_state", property(counted)):
        app.run()
        app.selectbox[0].set_value("b").run()
    assert not app.exception
    assert not n_copies
    assert app.number_input[0].value is None, "the widget found itself empty"


def test_the_view_says_what_the_copy_says():
    app = AppTest.from_function(page).run()
    app.slider[0].set_value(4).run()
    view = AsAsked(app.session_state._state)
    whole = WHOLE.fget(view._state)
    assert dict(view) == whole
    assert {"number", "list", "text", "slider", "made"} <= set(view)
    assert len(view) == len(whole)
    assert repr(view) == repr(whole)
    assert "nothing" not in view
    ids = [key for key in view._state if key not in whole]
    assert ids, "widgets have names of Streamlit's own"
    assert not [key for key in ids if key in view]


def test_what_is_kept_is_made_once():
    app = AppTest.from_function(page).run()
    app.session_state["made"] = "anew"
    assert app.run().text[0].value == "anew"
