"""The slim bar above every page: the list of pages, the current model, and presenting."""

from pathlib import Path

import streamlit as st

from explorer import current_model, navigation, presentation, share
from explorer.components.arrival import arrive_at


def show(page: str) -> None:
    """Draw the bar, and the style of the frame under it.

    Args:
        page: the name of the page that is drawn next.
    """
    st.html(Path(__file__).with_name("frame.css"))
    with st.container(key="bar", horizontal=True, vertical_alignment="center", gap="small"):
        navigation.show()
        current_model.show()
        share.offer(page)
        presentation.offer()
    arrive_at(page)
