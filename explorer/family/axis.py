"""Where a moment stands on the time line: years are as wide as they have much to show."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from explorer.family.tree import Node, Tree

_A_DAY = 1 / 366


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A line of years, each as wide as one more than the number of nodes in it."""

    first: int
    """The year that it begins with."""
    starts: tuple[float, ...]
    """Where each year begins, from 0, and at last where the last one ends, 1."""

    @property
    def ticks(self) -> list[tuple[int, float]]:
        """Each year and where it begins; at last the year after, which is the end."""
        return [(self.first + number, start) for number, start in enumerate(self.starts)]

    def at(self, place: float) -> float:
        """Say where a moment stands, from 0 to 1.

        Args:
            place: a year and how much of it is over, as 2023.15.
        """
        number = min(max(int(place) - self.first, 0), len(self.starts) - 2)
        start, end = self.starts[number : number + 2]
        return start + (end - start) * (place - self.first - number)


def axis_of(nodes: Iterable[Node]) -> Axis:
    """Build the line of the years from the first of these nodes to the last."""
    counts = Counter(node.year for node in nodes)
    first, last = min(counts), max(counts)
    ends = list(accumulate(1 + counts[year] for year in range(first, last + 1)))
    return Axis(first=first, starts=tuple(end / ends[-1] for end in (0, *ends)))


def places_of(tree: Tree) -> Mapping[str, float]:
    """Find where on a line of years each node stands, in time order.

    A node that came out on the day of a parent, or in its month where only that is known, stands
    right after it: so a line never leads back in time, unless it holds for a later version alone.
    """
    places: dict[str, float] = {}

    def place(node: Node) -> float:
        if node.id not in places:
            edges = [edge for edge in tree.parents_of(node.id) if not edge.later_version]
            after = [place(tree.nodes[edge.parent]) + _A_DAY for edge in edges]
            places[node.id] = max([node.place, *after])
        return places[node.id]

    for node in tree.nodes.values():
        place(node)
    return dict(sorted(places.items(), key=lambda item: item[1]))
