"""The other pages, each with a small picture of what it shows."""

from collections.abc import Mapping

import streamlit as st

from explorer import content, link
from explorer.page_list import HOME, SECTIONS, Entry

PICTURES = content.HERE / "pictures" / "pages"


def show() -> None:
    """Show a card for each of them; its title leads there."""
    st.header("What there is to see", anchor=False)
    with st.grid(4, min_column_width=150, key="doors"):
        for name, entry in doors().items():
            with st.container(border=True, gap="xsmall", key=f"door_{name}"):
                st.image(PICTURES / f"{name}.svg", width="stretch", alt="")
                link.offer(name, f"**{entry.title}**")
                st.caption(entry.help)


def doors() -> Mapping[str, Entry]:
    """List all pages but this one, by name."""
    pages = {name: entry for entries in SECTIONS.values() for name, entry in entries.items()}
    return {name: entry for name, entry in pages.items() if name != HOME}
