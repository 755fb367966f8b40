"""The pages of the app, and the list of links to them.

The list is the app's own rather than Streamlit's: each of its links says what its page showed when
it was left, so that a page is found again as it was, in one step of the browser's history, and can
be opened in a new tab or copied from the list.
"""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from explorer import content, link
from explorer.page_list import HOME, SECTIONS

FOLDER = Path(__file__).resolve().parent.parent / "pages"


def current_page() -> StreamlitPage:
    """Find the page that the address names."""
    pages = [
        st.Page(FOLDER / f"{name}.py", title=entry.title, default=name == HOME)
        for entries in SECTIONS.values()
        for name, entry in entries.items()
    ]
    return st.navigation(pages, position="hidden")


def name_of(page: StreamlitPage) -> str:
    """Give a page's name, as links and the table of words have it."""
    return page.url_path or HOME


def show() -> None:
    """Draw the list in the bar above every page."""
    with st.container(key="navigation", horizontal=True, gap="xxsmall", wrap=False):
        st.image(content.MARK, width=28, alt="")
        for entries in SECTIONS.values():
            for name, entry in entries.items():
                link.offer(name, entry.short or entry.title, hint=entry.help)
