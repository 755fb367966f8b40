"""The family tree's page: what is shown, as a time line or as a list, and the open card."""

import streamlit as st

from explorer import content, glossary
from explorer.components.family_tree import time_line
from explorer.family import export, widgets
from explorer.family.card import show_card, show_details
from explorer.family.filtering import counted
from explorer.family.listing import show_list
from explorer.family.time_line import time_line_of
from explorer.family.tree import Tree, family_tree
from explorer.stage import Stage, View, open_view


def show() -> None:
    """Show the tree."""
    tree = family_tree()
    view, stage = open_view("family_tree", VIEWS)
    with stage.controls:
        lanes = widgets.choose_lanes() if view.name == "tree" else ""
        shown = _choose_shown(tree)
        chosen = widgets.choose_node(tree)
    with stage.shared:
        show_card(tree, chosen)
    view.draw(stage, shown, tree, chosen, lanes)
    with stage.below:
        show_details(tree, chosen)
        with st.expander("How to read this tree", icon=":material/help:"):
            st.markdown(glossary.marked_apart(content.family("reading")))
        _offer_data()


def _choose_shown(tree: Tree) -> Tree:
    """Give what the filters leave of the tree, and show in a line how much that is."""
    filters, count = st.columns(2, vertical_alignment="center", gap="small")
    with filters:
        wanted = widgets.choose_filter()
    shown = wanted.apply(tree)
    count.caption(counted(shown, tree))
    if not wanted.is_open:
        widgets.clear_button()
    return shown


def _show_time_line(stage: Stage, shown: Tree, tree: Tree, chosen: str, lanes: str) -> None:
    if not shown.nodes:
        _say_nothing_fits()
    else:
        drawing = time_line_of(shown, lanes=lanes, chosen=chosen)
        time_line(drawing, key="time_line", open_node=widgets.open_card)


def _say_nothing_fits() -> None:
    st.info(
        "No entry fits all of these filters; take one away or clear them all.",
        icon=":material/filter_alt_off:",
    )


def _show_list(stage: Stage, shown: Tree, tree: Tree, chosen: str, lanes: str) -> None:
    if shown.nodes:
        show_list(shown)
    else:
        _say_nothing_fits()


VIEWS = (View("tree", "Time line", _show_time_line), View("list", "List", _show_list))


def _offer_data() -> None:
    with st.container(horizontal=True):
        st.download_button(
            "All data as CSV (zip)",
            export.as_zip,
            "family-tree.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "All data as JSON",
            export.as_json,
            "family-tree.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
