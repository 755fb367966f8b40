"""The family tree on a time line: marks with their names, and a curve for each relation.

Everything that a pointer or a key does happens in the browser; a press alone asks the server, which
opens the card of the node.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st

from explorer import state
from explorer.family.axis import axis_of, places_of
from explorer.family.filtering import MAKER_TITLES
from explorer.family.tree import KINDS, RELATIONS, ROOT, Node, Tree

LANES: Mapping[str, str] = {"kind": "Kind", "organisation": "Organisation"}
"""What lanes can part the nodes by."""
_TITLES: Mapping[str, Mapping[str, str]] = {"kind": KINDS, "organisation": MAKER_TITLES}


def time_line(
    shown: Tree, *, lanes: str, chosen: str, key: str, open_node: Callable[[str], None]
) -> None:
    """Draw a tree; call `open_node(id)` when a node is pressed.

    Args:
        shown: at least one node, and the edges between them.
        lanes: one of `LANES`.
        chosen: the id of the node whose card is open; it need not be shown.
        key: identifies the drawing on the page.
        open_node: called before the page is run again.
    """

    def pressed() -> None:
        open_node(str(state.shown(key)["opened"]))

    _component()(
        key=key,
        data=time_line_data(shown, lanes=lanes, chosen=chosen),
        height="content",
        on_opened_change=pressed,
    )


def time_line_data(shown: Tree, *, lanes: str, chosen: str) -> dict[str, Any]:
    """What the browser is sent; places on the line of years go from 0 to 1."""
    axis, places = axis_of(shown.nodes.values()), places_of(shown)
    used = [name for name in _TITLES[lanes] if name in {lane_of(n, lanes) for n in _all(shown)}]
    return {
        "nodes": [
            {
                "id": name,
                "name": shown.nodes[name].name,
                "at": round(axis.at(place), 5),
                "lane": used.index(lane_of(shown.nodes[name], lanes)),
                "kind": shown.nodes[name].kind,
                "closed": shown.nodes[name].openness == "closed",
                "words": node_words(shown, shown.nodes[name]),
            }
            for name, place in places.items()
        ],
        "edges": [
            [edge.parent, edge.child, list(RELATIONS).index(edge.relation), edge.later_version]
            for edge in shown.edges
        ],
        "relations": [
            {"title": relation.title, "child": relation.of_child, "meaning": relation.meaning}
            for relation in RELATIONS.values()
        ],
        "lanes": [_TITLES[lanes][name] for name in used],
        "ticks": [[year, round(start, 5)] for year, start in axis.ticks],
        "root": ROOT,
        "chosen": chosen,
        "alt": tree_words(shown),
    }


def lane_of(node: Node, lanes: str) -> str:
    """The short name of the lane that a node is in."""
    return node.makers[0] if lanes == "organisation" else node.kind


def node_words(tree: Tree, node: Node) -> str:
    """A node in one line, for who does not see it."""
    ends = [
        _count(len(tree.parents_of(node.id)), "parent", "parents"),
        _count(len(tree.children_of(node.id)), "child", "children"),
    ]
    what = node.openness or KINDS[node.kind].lower()
    facts = [node.name, node.organisation, node.month_in_words, what]
    return f"{', '.join(facts)}; {', '.join(ends)}"


def tree_words(tree: Tree) -> str:
    """What the drawing shows, in a sentence."""
    nodes = _all(tree)
    first, last = nodes[0], nodes[-1]
    return (
        f"Time line of {_count(len(nodes), 'entry', 'entries')} and "
        f"{_count(len(tree.edges), 'link', 'links')} between them, from {first.name} "
        f"({first.month_in_words}) to {last.name} ({last.month_in_words})."
    )


def _all(tree: Tree) -> Sequence[Node]:
    return list(tree.nodes.values())


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


@cache
def _component() -> Any:
    return st.components.v2.component(
        "explorer.family_tree", js="family_tree.js", css="family_tree.css", html=""
    )
