"""The slim bar above every page: the list of pages, the current model, and presenting."""

from pathlib import Path

import streamlit as st

from explorer import content, current_model, glossary, link, navigation, presentation, share
from explorer.components.arrival import arrive_at
from explorer.components.theme import follow_theme
from explorer.components.touch import explain_words
from explorer.page_list import HOME, TRAIN


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
    # Train is pressed where the settings are, and what it does is seen at the top.
    arrive_at(page, link.value("run") if page == TRAIN else "")
    follow_theme()
    _explain_words()


def _explain_words() -> None:
    """Let words of the glossary be touched; go there when it is asked for."""
    meanings = {word: term.meaning for word, term in content.glossary().items()}
    if word := explain_words(meanings):
        link.go(HOME, view=glossary.VIEW, word=word)
