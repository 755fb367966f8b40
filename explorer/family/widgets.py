"""The widgets of the family tree's page: what to show and how; every choice is in the link."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer import link
from explorer.family.filtering import (
    FIRST_YEAR,
    LAST_YEAR,
    MAKER_TITLES,
    OPENNESS,
    Filter,
)
from explorer.family.time_line import LANES
from explorer.family.tree import RELATIONS, ROOT, Tree
from explorer.widgets import choose_named
from explorer.words import MOST_LETTERS

_ALL_YEARS = (FIRST_YEAR, LAST_YEAR)
_NODE = "node"


def choose_filter() -> Filter:
    """Let the student say which entries and which links to show."""
    with st.popover("Search and filter", width="stretch"):
        words = _search()
        between = _years()
        relations = _several("relation", "Relation", {n: r.title for n, r in RELATIONS.items()})
        openness = _several("openness", "Openness", OPENNESS)
        makers = _several("maker", "Organisation", MAKER_TITLES)
    return Filter.of(
        relations=relations, openness=openness, makers=makers, years=between, words=words
    )


def clear_button() -> None:
    """Offer to show everything again."""
    st.button("Clear all filters", icon=":material/filter_alt_off:", on_click=_clear)


def choose_lanes() -> str:
    """Let the student choose what parts the lanes."""
    titles = {name: f"Lanes by {title.lower()}" for name, title in LANES.items()}
    return choose_named("Lanes", titles, key="lanes", as_buttons=True, is_labelled=False)


def choose_node(tree: Tree) -> str:
    """Let the student choose whose card to read; LLaMA's to begin with."""
    titles = {name: f"{node.name} ({node.month_in_words})" for name, node in tree.nodes.items()}
    return choose_named("Card of", titles, key=_NODE, usual=ROOT, is_labelled=False)


def open_card(node_id: str) -> None:
    """Open another card; in a callback."""
    link.put(**{_NODE: node_id})


def _search() -> str:
    return str(
        link.widget(
            st.text_input,
            "find",
            "Search",
            folded=True,
            max_chars=MOST_LETTERS,
            placeholder="a name or an organisation",
            icon=":material/search:",
        )
    )


def _years() -> tuple[int, int]:
    said = link.value("years", usual=_ALL_YEARS)
    between = tuple(min(max(year, FIRST_YEAR), LAST_YEAR) for year in said)
    link.put(years=between)
    first, last = link.widget(
        st.slider,
        "years",
        "Years",
        usual=_ALL_YEARS,
        among=[between],
        folded=True,
        min_value=FIRST_YEAR,
        max_value=LAST_YEAR,
    )
    return first, last


def _several(key: str, label: str, titles: Mapping[str, str]) -> Sequence[str]:
    """Let the student choose any number; none is no restriction."""
    chosen: list[str] = link.widget(
        st.pills,
        key,
        label,
        options=list(titles),
        folded=True,
        selection_mode="multi",
        format_func=lambda name: titles[name][:1].upper() + titles[name][1:],
        help="Choose any number; none shows all.",
    )
    return chosen


def _clear() -> None:
    link.forget(("relation", "openness", "maker", "find", "years"))
