"""Facts on the Home page, and where each of them comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer import content, glossary, showing

Fact = Mapping[str, Any]
"""A row of a table of facts, with `source` and `confidence`."""


def facts(section: str) -> Sequence[Fact]:
    """Give a section of the model card's table."""
    rows: Sequence[Fact] = content.facts("model_card")[section]
    return rows


def boxes(rows: Sequence[Fact]) -> None:
    """Show claims, each with a title and a line that explains it."""
    for row in rows:
        text = glossary.marked(content.escaped(row["text"]))
        st.markdown(f"**{content.escaped(row['title'])}**  \n{text}")


def sources(named: Mapping[str, Fact], *, key: str) -> None:
    """Say where each of several facts comes from, folded until wanted.

    Args:
        named: facts by what they are called on the screen.
        key: of the expander.
    """
    with st.expander("Where each fact comes from", icon=":material/menu_book:", key=key):
        rows = [["Fact", "Source", "How sure"]]
        rows += [[content.escaped(name), *_cited(row)] for name, row in named.items()]
        st.markdown(showing.markdown_table(rows, "lll"))
        st.caption("  \n".join(f"{_word(word)}: {it}" for word, it in content.CONFIDENCE.items()))


def _cited(row: Fact) -> tuple[str, str]:
    unsure = ", ".join(row.get("unverified_fields", ()))
    but = f", but for {content.escaped(unsure)}" if unsure else ""
    return content.escaped(row["source"]), _word(row["confidence"]) + but


def _word(confidence: str) -> str:
    return confidence.replace("-", " ")
