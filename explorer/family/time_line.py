"""The family tree as the time line draws it: places, lanes, and each node in words."""

from collections.abc import Mapping

from explorer.components.family_tree import Drawing, Mark
from explorer.family.axis import axis_of, places_of
from explorer.family.filtering import MAKER_TITLES
from explorer.family.tree import KINDS, RELATIONS, ROOT, Node, Tree

LANES: Mapping[str, str] = {"kind": "Kind", "organisation": "Organisation"}
"""What lanes can part the nodes by."""
_TITLES: Mapping[str, Mapping[str, str]] = {"kind": KINDS, "organisation": MAKER_TITLES}


def time_line_of(shown: Tree, *, lanes: str, chosen: str) -> Drawing:
    """Say what to draw of a tree.

    Args:
        shown: at least one node, and the edges between them.
        lanes: one of `LANES`.
        chosen: the id of the node whose card is open; it need not be shown.
    """
    nodes = shown.nodes
    axis = axis_of(nodes.values())
    at = {name: round(axis.at(place), 5) for name, place in places_of(shown).items()}
    used = [lane for lane in _TITLES[lanes] if lane in {lane_of(n, lanes) for n in nodes.values()}]
    names = list(RELATIONS)
    return {
        "nodes": [
            _mark(shown, nodes[name], place, used.index(lane_of(nodes[name], lanes)))
            for name, place in at.items()
        ],
        "edges": [
            (edge.parent, edge.child, names.index(edge.relation), edge.later_version)
            for edge in shown.edges
        ],
        "relations": [
            {"title": each.title, "child": each.of_child, "meaning": each.meaning}
            for each in RELATIONS.values()
        ],
        "lanes": [_TITLES[lanes][name] for name in used],
        "ticks": [(year, round(start, 5)) for year, start in axis.ticks],
        "root": ROOT,
        "chosen": chosen,
        "alt": tree_words(shown),
    }


def lane_of(node: Node, lanes: str) -> str:
    """Give the short name of the lane that a node is in."""
    return node.makers[0] if lanes == "organisation" else node.kind


def node_words(tree: Tree, node: Node) -> str:
    """Describe a node in one line, for who does not see it."""
    ends = [
        _count(len(tree.parents_of(node.id)), "parent", "parents"),
        _count(len(tree.children_of(node.id)), "child", "children"),
    ]
    what = node.openness or KINDS[node.kind].lower()
    facts = [node.name, node.organisation, node.month_in_words, what]
    return f"{', '.join(facts)}; {', '.join(ends)}"


def tree_words(tree: Tree) -> str:
    """Say what the drawing shows, in a sentence."""
    nodes = list(tree.nodes.values())
    first, last = nodes[0], nodes[-1]
    return (
        f"Time line of {_count(len(nodes), 'entry', 'entries')} and "
        f"{_count(len(tree.edges), 'link', 'links')} between them, from {first.name} "
        f"({first.month_in_words}) to {last.name} ({last.month_in_words})."
    )


def _mark(tree: Tree, node: Node, place: float, lane: int) -> Mark:
    return {
        "id": node.id,
        "name": node.name,
        "at": place,
        "lane": lane,
        "kind": node.kind,
        "closed": node.openness == "closed",
        "words": node_words(tree, node),
    }


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
