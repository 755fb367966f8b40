"""A tree on a time line: marks with their names, and a curve for each relation.

Everything that a pointer or a key does happens in the browser; a press alone asks the server, which
opens the card of the node.
"""

from collections.abc import Callable
from typing import TypedDict

from explorer import state
from explorer.components.browser import part


class Mark(TypedDict):
    """A node of the tree, as it is drawn."""

    id: str
    name: str
    at: float
    """Its place on the line of years, from 0 to 1."""
    lane: int
    """Which of the drawing's lanes it is in."""
    kind: str
    """What it is, which is its shape: a model, research or software."""
    closed: bool
    """Whether it is drawn hollow."""
    words: str
    """What it is in one line, for who does not see it."""


class Relation(TypedDict):
    """How two nodes hang together, in words."""

    title: str
    """As the legend has it."""
    child: str
    """What the later node does to the earlier one: "is fine-tuned from"."""
    meaning: str


class Drawing(TypedDict):
    """All that the browser is sent."""

    nodes: list[Mark]
    """In time order, and at least one."""
    edges: list[tuple[str, str, int, bool]]
    """Earlier and later node, which of the relations it is, and whether it holds for a later
    version of the later one alone."""
    relations: list[Relation]
    lanes: list[str]
    """Titles, from the top down."""
    ticks: list[tuple[int, float]]
    """Each year and where it begins, and at last the year after, which is the end."""
    root: str
    """The node that the tree is about."""
    chosen: str
    """The node whose card is open; it need not be drawn."""
    alt: str


def time_line(drawing: Drawing, *, key: str, open_node: Callable[[str], None]) -> None:
    """Draw a tree; call `open_node(id)` when a node is pressed, before the page is run again."""

    def pressed() -> None:
        open_node(str(state.shown(key)["opened"]))

    part("family_tree")(key=key, data=drawing, height="content", on_opened_change=pressed)
