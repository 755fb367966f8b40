"""The tree as a list in time order: the same entries and links, in words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

import streamlit as st

from explorer import content
from explorer.family.tree import RELATIONS, Node, Tree
from explorer.family.widgets import open_card

_HIGH = 440
"""Pixels of the list on a phone; elsewhere it takes the room that there is."""


def show_list(shown: Tree) -> None:
    """List the nodes by year, in a frame that scrolls; a press opens a card.

    Args:
        shown: what the filters leave, at least one node.
    """
    with st.container(key="scrolled", height=_HIGH, border=False, gap="xsmall"):
        for year, nodes in groupby(shown.nodes.values(), key=lambda node: node.year):
            st.header(str(year), anchor=False)
            for node in nodes:
                _show_entry(shown, node)


def entry_words(tree: Tree, node: Node) -> str:
    """Say an entry's facts, parents and children in words."""
    what = ", ".join([node.date, node.organisation, node.openness or node.kind])
    ups, downs = defaultdict(list), defaultdict(list)
    for edge in tree.parents_of(node.id):
        ups[RELATIONS[edge.relation].of_child].append(tree.nodes[edge.parent].name)
    for edge in tree.children_of(node.id):
        downs[RELATIONS[edge.relation].of_parent].append(tree.nodes[edge.child].name)
    return ". ".join([what, *_sentences(ups), *_sentences(downs)]) + "."


def _sentences(kin: Mapping[str, Sequence[str]]) -> list[str]:
    """Say what a node does to others, a sentence for each relation."""
    return [f"It {words} {', '.join(names)}" for words, names in kin.items()]


def _show_entry(shown: Tree, node: Node) -> None:
    name, words = st.columns([1, 3], vertical_alignment="center", gap="small")
    name.button(
        content.escaped(node.name),
        key=f"entry {node.id}",
        on_click=open_card,
        args=[node.id],
        width="stretch",
    )
    words.markdown(content.escaped(entry_words(shown, node)))
