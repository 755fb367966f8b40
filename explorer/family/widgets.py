"""The widgets of the family tree's page: what to show and how; every choice is in the link."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer import content, session
from explorer.components.family_tree import LANES
from explorer.family.filtering import (
    FIRST_YEAR,
    LAST_YEAR,
    MAKER_TITLES,
    OPENNESS,
    Filter,
    known,
    years_in,
)
from explorer.family.tree import RELATIONS, ROOT, Tree
from explorer.named import choose_named

VIEWS = {"tree": "Time line", "list": "List"}
"""How the tree can be shown, by the word of the link."""
MOST_LETTERS = 60
"""Of what is searched for; no name or organisation is longer."""
_ALL_YEARS = f"{FIRST_YEAR}-{LAST_YEAR}"
_NODE = "node"


def choose_filter() -> Filter:
    """Let the student say which entries and which links to show."""
    with st.popover("Search and filter", icon=":material/filter_alt:", width="content"):
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
    return choose_named("Lanes by", LANES, key="lanes", usual="kind", as_buttons=True)


def choose_node(tree: Tree) -> str:
    """Let the student choose whose card to read; LLaMA's to begin with."""
    asked = session.words_in_link(_NODE)
    if asked and asked not in tree.nodes:
        named = content.escaped(repr(asked[:MOST_LETTERS]))
        st.warning(f"node={named} is no entry of this tree; choose one from the list.")
    titles = {name: f"{node.name} ({node.month_in_words})" for name, node in tree.nodes.items()}
    return choose_named("Card of", titles, key=_NODE, usual=ROOT)


def open_card(node_id: str) -> None:
    """Open another card; in a callback."""
    session.set_widgets(**{_NODE: node_id})


def _search() -> str:
    session.take_words_from_link("find", lambda words: words[:MOST_LETTERS])
    words = st.text_input(
        "Search",
        key="find",
        max_chars=MOST_LETTERS,
        placeholder="a name or an organisation",
        icon=":material/search:",
    )
    session.put_into_link("find", words, usual="")
    return str(words)


def _years() -> tuple[int, int]:
    session.take_words_from_link("years", years_in, usual=_ALL_YEARS)
    first, last = st.slider("Years", FIRST_YEAR, LAST_YEAR, (FIRST_YEAR, LAST_YEAR), key="years")
    session.put_into_link("years", f"{first}-{last}", usual=_ALL_YEARS)
    return first, last


def _several(key: str, label: str, titles: Mapping[str, str]) -> Sequence[str]:
    """Any number of choices; none is no restriction."""
    session.take_words_from_link(key, lambda words: known(words, titles))
    chosen = st.pills(
        label,
        list(titles),
        selection_mode="multi",
        format_func=lambda name: titles[name][:1].upper() + titles[name][1:],
        key=key,
        help="Choose any number; none shows all.",
    )
    session.put_into_link(key, ",".join(chosen), usual="")
    return chosen


def _clear() -> None:
    nothing: dict[str, object] = {"relation": [], "openness": [], "maker": [], "find": ""}
    session.set_widgets(**nothing, years=(FIRST_YEAR, LAST_YEAR))
