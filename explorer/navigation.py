"""The pages of the app, and the list of links to them.

The list is the app's own rather than Streamlit's: each of its links says what its page showed when
it was left, so that a page is found again as it was, in one step of the browser's history, and can
be opened in a new tab or copied from the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from explorer import link

FOLDER = Path(__file__).resolve().parent.parent / "pages"


@dataclass(frozen=True)
class Entry:
    """A page as the list has it."""

    title: str
    icon: str
    help: str


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Meet": {
        "home": Entry("Home", ":material/home:", "LLaMA at a glance, and where to begin."),
        "family_tree": Entry(
            "Family tree",
            ":material/family_history:",
            "What LLaMA comes from, and what came of it.",
        ),
    },
    "Build": {
        "architecture": Entry(
            "Architecture",
            ":material/account_tree:",
            "Toggle every component; the block, its shapes and its costs follow.",
        ),
        "tokens": Entry(
            "Tokens",
            ":material/content_cut:",
            "How a text is cut, what the pieces learn from, and what they cost.",
        ),
    },
    "Train": {
        "train": Entry(
            "Train",
            ":material/play_circle:",
            "Choose a model and a text, press Train, and watch it learn.",
        ),
    },
    "Look inside": {
        "attention": Entry(
            "Attention", ":material/grid_on:", "Which token reads from which, head by head."
        ),
        "rotary": Entry(
            "Rotary embeddings",
            ":material/rotate_right:",
            "Queries and keys turned by position; distance, frequencies, longer texts.",
        ),
        "norm_and_swiglu": Entry(
            "Norm and SwiGLU",
            ":material/valve:",
            "What RMSNorm leaves out, and which hidden units open on which tokens.",
        ),
        "generation": Entry(
            "Generation",
            ":material/edit_note:",
            "One token after the other: what is likely, drawn, kept, and surprising.",
        ),
    },
}
HOME = "home"


def current_page() -> StreamlitPage:
    """The page that the address names."""
    pages = [
        st.Page(FOLDER / f"{name}.py", title=entry.title, icon=entry.icon, default=name == HOME)
        for entries in SECTIONS.values()
        for name, entry in entries.items()
    ]
    return st.navigation(pages, position="hidden")


def name_of(page: StreamlitPage) -> str:
    """A page's name, as links and the table of words have it."""
    return page.url_path or HOME


def show() -> None:
    """Draw the list in the sidebar."""
    with st.sidebar.container(key="navigation", gap="xxsmall"):
        for section, entries in SECTIONS.items():
            st.caption(section)
            for name, entry in entries.items():
                link.offer(name, entry.title, icon=entry.icon, hint=entry.help)
