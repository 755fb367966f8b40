"""Which part of the family tree is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from explorer.family.tree import MAKERS, NOT_SAID, OTHERS, Edge, Node, Tree

MAKER_TITLES: Mapping[str, str] = {
    **{name: title for name, (title, _) in MAKERS.items()},
    OTHERS: "Others",
}
"""Every organisation that can be chosen, by its short name."""
OPENNESS: Mapping[str, str] = {
    "open-source": "open source",
    "open-weight": "open weight",
    "research-weights": "research weights",
    "closed": "closed",
    "software": "open source software",
    "paper": "paper and code",
    "not-said": NOT_SAID,
}
"""How open a node can be, by a short name; the titles are the table's own words."""
FIRST_YEAR, LAST_YEAR = 2015, 2025
"""The years of the tree."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to show; an empty choice is no restriction."""

    relations: Sequence[str] = ()
    """Names in `RELATIONS`; then only the nodes that such an edge joins are shown."""
    openness: Sequence[str] = ()
    """Names in `OPENNESS`."""
    makers: Sequence[str] = ()
    """Names in `MAKER_TITLES`."""
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR)
    words: str = ""
    """What the name or the organisation must have in it."""

    @property
    def is_open(self) -> bool:
        """Whether everything is shown."""
        return self == Filter()

    @classmethod
    def of(cls, **choices: Sequence[str] | tuple[int, int] | str) -> Self:
        """Build one from what widgets give: lists become tuples, words lose their blanks."""
        plain = {
            name: choice.strip() if isinstance(choice, str) else tuple(choice)
            for name, choice in choices.items()
        }
        return cls(**plain)  # type: ignore[arg-type]

    def apply(self, tree: Tree) -> Tree:
        """Keep the nodes that fit, and the edges of the chosen relations between them."""
        nodes = {node.id: node for node in tree.nodes.values() if self._fits(node)}
        edges = [edge for edge in tree.edges if self._keeps(edge) and _joins(edge, nodes)]
        if self.relations:
            joined = {end for edge in edges for end in (edge.parent, edge.child)}
            nodes = {name: node for name, node in nodes.items() if name in joined}
        return Tree(nodes=nodes, edges=edges)

    def _fits(self, node: Node) -> bool:
        access = {OPENNESS[name] for name in self.openness}
        return (
            (not access or node.access in access)
            and (not self.makers or bool(set(self.makers) & set(node.makers)))
            and self.years[0] <= node.year <= self.years[1]
            and node.has(self.words)
        )

    def _keeps(self, edge: Edge) -> bool:
        return not self.relations or edge.relation in self.relations


def _joins(edge: Edge, nodes: Mapping[str, Node]) -> bool:
    return edge.parent in nodes and edge.child in nodes


def counted(shown: Tree, whole: Tree) -> str:
    """Say how much is shown, in one line."""
    return (
        f"{len(shown.nodes)} of {len(whole.nodes)} entries, "
        f"{len(shown.edges)} of {len(whole.edges)} links"
    )
