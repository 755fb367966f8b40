"""The glossary: what each word of the app means, by topic; a word that is asked for comes first."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import streamlit as st

from explorer import content, glossary, link
from explorer.content import Term
from explorer.stage import Stage
from explorer.words import MOST_LETTERS

HEIGHT = 600
"""Pixels of the entries, which scroll in them, on a phone; else as many as there is room for."""


def show(stage: Stage) -> None:
    """Show all entries by topic, and before them those in which a word is found."""
    with stage.controls:
        wanted = _search()
        terms = found(wanted)
        st.caption(_counted(wanted, terms))
    with st.container(height=HEIGHT, border=False, key="scrolled", gap="small"):
        if terms:
            st.header(f"“{content.escaped(wanted)}”, and where it is spoken of", anchor=False)
            _entries(terms)
        others = [term for term in content.glossary().values() if term not in terms]
        for topic, group in groupby(others, key=lambda term: term.topic):
            st.header(topic, anchor=False)
            _entries(group)


def found(wanted: str) -> Sequence[Term]:
    """List the entries that have these letters, the word's own first, then those that name it.

    Args:
        wanted: a word or a part of one; where there is none, nothing is found.
    """
    letters = wanted.casefold()

    def rank(term: Term) -> int:
        forms = [form.casefold() for form in (term.word, *term.forms)]
        return 0 if letters in forms else 1 if any(letters in form for form in forms) else 2

    terms = content.glossary().values() if letters else []
    fits = [term for term in terms if rank(term) < 2 or letters in term.meaning.casefold()]
    return sorted(fits, key=rank)


def _search() -> str:
    said = link.widget(
        st.text_input,
        "word",
        "Find a word",
        max_chars=MOST_LETTERS,
        placeholder="such as perplexity",
        icon=":material/search:",
    )
    return " ".join(str(said or "").split())


def _counted(wanted: str, terms: Sequence[Term]) -> str:
    """Say how many entries there are, and how many of them come first."""
    n_all = len(content.glossary())
    if not wanted:
        return f"{n_all} words"
    return f"{len(terms) or 'None'} of {n_all} words have “{content.escaped(wanted)}”."


def _entries(terms: Iterable[Term]) -> None:
    with st.grid(min_column_width=280, gap="xsmall"):
        for term in terms:
            with st.container(border=True, gap=None):
                meaning = glossary.marked_apart(term.meaning, but=term.word)
                st.markdown(f"**{term.word}**  \n{meaning}")
