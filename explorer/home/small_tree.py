"""The family tree in small: what LLaMA stands on, and what others stand on in turn."""

from collections.abc import Sequence

import streamlit as st

from explorer import content, glossary, link, showing
from explorer.family.tree import ROOT, Node, Tree, family_tree
from explorer.figures.published import small_tree
from explorer.home.sources import sources


def show() -> None:
    """Show the picture, and a link to each node of it on the page of the whole tree."""
    tree = family_tree()
    before, after = ancestors(tree), descendants(tree)
    st.header("Where it stands in the family", anchor=False)
    glossary.say(content.home("tree"))
    root = tree.nodes[ROOT]
    names = [node.name for node in before], [node.name for node in after]
    showing.draw(small_tree(names[0], root.name, names[1]), key="small_tree")
    _show_links("Before LLaMA", before)
    _show_links("LLaMA and what came after it", [root, *after])
    link.offer(
        "family_tree",
        f"The whole tree: {len(tree.nodes)} models, papers and programs",
        icon=":material/family_history:",
    )
    sources(
        {
            node.name: {
                "source": node.source,
                "confidence": node.confidence,
                "unverified_fields": node.unverified_fields,
            }
            for node in (*before, root, *after)
        },
        key="tree_sources",
    )


def _show_links(title: str, nodes: Sequence[Node]) -> None:
    """Show a labelled row of links, in time order, to the cards of nodes."""
    st.markdown(f"**{title}**")
    with st.container(horizontal=True, gap="small"):
        for node in nodes:
            link.offer(
                "family_tree",
                content.escaped(node.name),
                hint=content.escaped(f"{node.organisation}, {node.date}"),
                node=node.id,
            )


def ancestors(tree: Tree) -> Sequence[Node]:
    """List all direct parents, in time order."""
    ids = {edge.parent for edge in tree.parents_of(ROOT)}
    return [node for node in tree.nodes.values() if node.id in ids]


def descendants(tree: Tree) -> Sequence[Node]:
    """List the direct children on which something else stands in turn, in time order."""
    ids = {edge.child for edge in tree.children_of(ROOT)}
    return [node for node in tree.nodes.values() if node.id in ids and tree.children_of(node.id)]
