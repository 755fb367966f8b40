"""The slim bar above every page: the list of pages, the current model, and presenting."""

from pathlib import Path

import streamlit as st

from explorer import current_model, navigation, presentation


def show() -> None:
    """Draw the bar, and the style of the frame under it."""
    st.html(Path(__file__).with_name("frame.css"))
    with st.container(key="bar", horizontal=True, vertical_alignment="center", gap="small"):
        navigation.show()
        current_model.show()
        presentation.offer()
