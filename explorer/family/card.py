"""The card of a node: its facts, its kin, what differs from LLaMA, and its miniature to train."""

from collections.abc import Sequence

import streamlit as st

from explorer import content, controls, link, showing
from explorer.family import diff
from explorer.family.facts import facts_of
from explorer.family.numbers import exact_rows
from explorer.family.tree import KINDS, RELATIONS, ROOT, Edge, Node, Tree
from explorer.family.widgets import open_card
from explorer.settings import describe
from tiny_llama.miniatures import MINIATURES, Miniature
from tiny_llama.setup import Setup, changes

ANCHOR, DETAILS = "card", "details"
"""Where links within the page find the open card, and what is longer."""


def show_card(tree: Tree, node_id: str) -> None:
    """Show what one node is, what differs from LLaMA, its miniature, and its kin."""
    node = tree.nodes[node_id]
    with st.container(key="card"), st.container(key=f"card_of_{node.id}", gap="small"):
        st.header(content.escaped(node.name), anchor=ANCHOR)
        st.markdown(content.escaped(node.description))
        _offer_miniature(node)
        _show_difference(tree, node)
        st.markdown(f":material/arrow_downward: [All facts](#{DETAILS})", width="content")
        _show_edges("Comes from", tree.parents_of(node.id), tree, to_parents=True)
        _show_edges("What came of it", tree.children_of(node.id), tree, to_parents=False)


def show_details(tree: Tree, node_id: str) -> None:
    """Show all facts of one node, its architecture beside LLaMA's, and its exact numbers."""
    node = tree.nodes[node_id]
    st.header(f"{content.escaped(node.name)}: all facts", anchor=DETAILS)
    facts, architecture = st.columns(2, gap="large")
    with facts:
        _show_facts(node)
    with architecture:
        _show_diff(tree, node)
    _show_exact(node)


def _show_facts(node: Node) -> None:
    rows = [[fact.title, f"{fact.value} {fact.mark}"] for fact in facts_of(node)]
    st.markdown(showing.markdown_table([["Fact", "Value"], *rows], "ll"))
    st.caption(content.cited(node.source, node.confidence, node.unverified_fields))
    if node.params_measured:
        st.caption(content.family("counting"))
    if remark := content.remark(node.id):
        st.markdown(f":material/info: {remark}")
    if miniature := MINIATURES.get(node.id):
        st.caption(miniature_words(miniature))


# -- Kin ------------------------------------------------------------------------------------------


def _show_edges(title: str, edges: Sequence[Edge], tree: Tree, *, to_parents: bool) -> None:
    if not edges:
        st.markdown(f"**{title}:** nothing in this tree")
        return
    with st.expander(f"{title}: {len(edges)}"):
        for edge in edges:
            _show_edge(edge, tree, to_parents=to_parents)


def _show_edge(edge: Edge, tree: Tree, *, to_parents: bool) -> None:
    other = tree.nodes[edge.parent if to_parents else edge.child]
    st.button(
        content.escaped(f"{other.name} ({other.month_in_words})"),
        key=f"walk {'up' if to_parents else 'down'} {other.id} {edge.relation}",
        icon=":material/arrow_upward:" if to_parents else ":material/arrow_downward:",
        on_click=open_card,
        args=[other.id],
    )
    st.caption(edge_words(edge, tree))


def edge_words(edge: Edge, tree: Tree) -> str:
    """Say an edge in words, from the later to the earlier, with its evidence, in Markdown."""
    child, parent = tree.nodes[edge.child].name, tree.nodes[edge.parent].name
    later = " (a later version of it)" if edge.later_version else ""
    said = content.escaped(f"{child}{later} {RELATIONS[edge.relation].of_child} {parent}.")
    meaning = f" ({content.CONFIDENCE[edge.confidence]})" if edge.confidence != "verified" else ""
    trust = f"{edge.confidence.replace('-', ' ')}{meaning}"
    return f"{said} Evidence: {content.escaped(edge.evidence)} · {trust}"


# -- Architecture ---------------------------------------------------------------------------------


def _show_difference(tree: Tree, node: Node) -> None:
    """Say the difference in a sentence; the table is among the details."""
    rows = diff.compare(tree, node)
    if not rows:
        kind = KINDS[node.kind].lower()
        st.markdown(f"**Architecture:** none to compare; this entry is {kind}, not a model.")
    elif node.id != ROOT:
        st.markdown(content.escaped(diff.in_one_line(rows)))


def _show_diff(tree: Tree, node: Node) -> None:
    rows = diff.compare(tree, node)
    if not rows:
        return
    is_root = node.id == ROOT
    st.markdown("**Architecture**" if is_root else "**Architecture beside LLaMA's**")
    table = [_root_row(row) if is_root else _diff_row(row) for row in rows]
    own = content.escaped(node.name)
    heads = ["Part", own] if is_root else ["Part", "LLaMA", own]
    st.markdown(showing.markdown_table([heads, *table], "l" * len(heads)))
    # Beneath the table, as long words in its last column would squeeze the others on a phone.
    for row in rows if not is_root else []:
        if row.note:
            st.caption(f"**{row.title}:** {content.escaped(row.note)}.")


def _root_row(row: diff.Row) -> list[str]:
    return [row.title, content.escaped(row.node)]


def _diff_row(row: diff.Row) -> list[str]:
    """Put the verdict before the value: a fourth column would leave a phone a word a line."""
    is_odd = row.verdict in (diff.IN_PART, diff.DIFFERS)
    value = content.escaped(row.node)
    shown = [f"{diff.VERDICTS[row.verdict]}: {f'**{value}**' if is_odd else value}"]
    shown += [f"*{content.escaped(row.missing)}*"] if row.missing else []
    shown += [f":material/help: not verified ({content.escaped(row.unverified)})"] * bool(
        row.unverified
    )
    return [row.title, content.escaped(row.llama), "; ".join(shown)]


def _show_exact(node: Node) -> None:
    rows = exact_rows(node)
    if not rows:
        return
    st.markdown("**Exact numbers**")
    st.dataframe(
        [
            {
                "model": row["name"],
                "parameters": f"{row['params_measured']:,}",
                "d_model": row["dim"],
                "layers": row["n_layers"],
                "heads": row["n_heads"],
                "K/V heads": row["n_kv_heads"],
                "head width": row["head_dim"],
                "hidden": row["ffn_hidden"],
                "hidden / d_model": f"{row['ffn_hidden'] / row['dim']:.3g}",
                "vocabulary": row["vocab_size"],
                "context": row["context"],
                "RoPE's theta": "" if row["rope_theta"] is None else f"{row['rope_theta']:,.0f}",
                "source": row["source"],
                "confidence": row["confidence"],
                "notes": row["notes"] or "",
            }
            for row in rows
        ],
        hide_index=True,
    )
    showing.cite_all(rows)


# -- Miniature ------------------------------------------------------------------------------------


def _offer_miniature(node: Node) -> None:
    miniature = MINIATURES.get(node.id)
    if miniature is None:
        return
    if miniature.config is None:
        st.markdown(f":material/block: **No miniature:** {content.escaped(miniature.why_not)}")
        return
    words = controls.link_to(Setup(model=miniature.config))
    with st.container(horizontal=True, gap="xsmall"):
        link.offer("train", "Train its miniature", icon=":material/play_circle:", **words)
        link.offer("architecture", "See its architecture", icon=":material/account_tree:", **words)


def miniature_words(miniature: Miniature) -> str:
    """Say what a miniature has, leaves out, and is held equal to, in Markdown.

    Empty where there is none.
    """
    if miniature.config is None:
        return ""
    has = describe(changes(Setup(), Setup(model=miniature.config)))
    said = [f"Its miniature, against the tiny LLaMA that this app begins with: {has}."]
    if miniature.leaves_out:
        said.append(f"What differs from the real one: {miniature.leaves_out}")
    if miniature.hugging_face:
        said.append(f"A test holds its outputs equal to those of {miniature.hugging_face}.")
    return content.escaped(" ".join(said))
