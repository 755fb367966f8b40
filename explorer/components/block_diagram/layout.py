"""Diagrams are laid out in rows from the top down, with branches side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tiny_llama.diagram import Box, Panel

WIDTH = 270
"""Of a panel, in the units of all places and sizes here."""
HEIGHTS = {"box": 40, "fold": 40, "pill": 22, "round": 20}
"""Of a box, by its kind."""
GAP = 38
"""Between rows, with room for a shape on the wire."""
MARGIN = 6

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The upper left corner of a box, and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """The middle of its width."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a wire runs."""

    points: tuple[Point, ...]
    """The corners of its line, from start to end."""
    label: Point | None
    """The middle of the room for its shape; None: it carries what the wire beside it does."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything in a panel stands."""

    places: Mapping[str, Place]
    """By the box's name."""
    ways: tuple[Way, ...]
    """In the order of the panel's wires."""
    height: float


def lay_out(panel: Panel) -> Layout:
    """Find a place for every box and a way for every wire.

    A box stands in the row under the lowest one that leads to it, and in the column of its branch.
    """
    rows = _rows(panel)
    columns = _columns(panel)
    places, y = {}, float(MARGIN)
    for row in rows:
        for box in row:
            places[box.name] = _place(box, columns, panel.branches, y)
        y += max(HEIGHTS[box.kind] for box in row) + GAP
    return Layout(
        places=places,
        ways=tuple(_ways(panel, places, columns)),
        height=y - GAP + MARGIN,
    )


def _rows(panel: Panel) -> list[list[Box]]:
    """Sort boxes by the longest way from what comes in; a row is in computing order."""
    at: dict[str, int] = {}
    rows: list[list[Box]] = []
    for box in panel.boxes:
        before = [at[wire.start] for wire in panel.wires if wire.end == box.name]
        at[box.name] = 1 + max(before, default=-1)
        if at[box.name] == len(rows):
            rows.append([])
        rows[at[box.name]].append(box)
    return rows


def _columns(panel: Panel) -> dict[str, tuple[float, float]]:
    """Give each branch's column, its centre and width, as shares of the panel's width."""
    n = len(panel.branches)
    goes_around = any(wire.goes_around for wire in panel.wires)
    spread = _BESIDE_THE_STREAM if goes_around and n == 2 else _even(n)
    return dict(zip(panel.branches, spread, strict=True))


def _even(n: int) -> list[tuple[float, float]]:
    return [((i + 0.5) / n, 0.92 / n) for i in range(n)]


_WHOLE = (0.5, 0.8)
_BESIDE_THE_STREAM = [(0.32, 0.4), (0.76, 0.4)]
"""Two columns that leave room for the residual stream on the left."""


def _place(
    box: Box, columns: Mapping[str, tuple[float, float]], branches: Sequence[str], y: float
) -> Place:
    own = box.branches or tuple(branches)
    if len(own) == len(branches):
        centre, share = _WHOLE
    elif len(own) == 1:
        centre, share = columns[own[0]]
    else:
        centre = sum(columns[each][0] for each in own) / len(own)
        share = 0.9 * len(own) / len(branches)
    height = HEIGHTS[box.kind]
    width = {"round": height, "pill": 0.68 * WIDTH}.get(box.kind, share * WIDTH)
    return Place(x=centre * WIDTH - width / 2, y=y, width=width, height=height)


def _ways(
    panel: Panel,
    places: Mapping[str, Place],
    columns: Mapping[str, tuple[float, float]],
) -> Iterator[Way]:
    rounds = {box.name for box in panel.boxes if box.kind == "round"}
    for wire in panel.wires:
        start, end = places[wire.start], places[wire.end]
        if wire.goes_around:
            yield Way(points=_around(start, end), label=None)
            continue
        if wire.branch:
            x = columns[wire.branch][0] * WIDTH
            points: tuple[Point, ...] = (x, start.bottom), (x, end.y)
        else:
            points = _down(start, end, ends_round=wire.end in rounds)
        yield Way(points=points, label=_label(points))


def _around(start: Place, end: Place) -> tuple[Point, ...]:
    """Go along the left edge, and into the end from the side."""
    top, side, middle = start.bottom + 4, 0.04 * WIDTH, end.y + end.height / 2
    return (start.centre, top), (side, top), (side, middle), (end.x, middle)


def _down(start: Place, end: Place, *, ends_round: bool) -> tuple[Point, ...]:
    """Go straight down where the boxes stand over one another, else with two corners."""
    top, bottom = start.bottom, end.y
    a, b = start.centre, end.centre
    if ends_round and abs(a - b) > 1:
        b += -4 if a < b else 4
        return (a, top), (a, bottom - 10), (b, bottom - 10), (b, bottom)
    if end.x <= a <= end.x + end.width:
        return (a, top), (a, bottom)
    if start.x <= b <= start.x + start.width:
        return (b, top), (b, bottom)
    return (a, top), (a, top + 6), (b, top + 6), (b, bottom)


def _label(points: Sequence[Point]) -> Point:
    """Find room in the first gap that the line goes down, beside no box."""
    (x, top), (_, bottom) = points[:2]
    if bottom - top < GAP / 2:  # it goes aside first
        (x, top), (_, bottom) = points[-2:]
    return x, (top + min(bottom, top + GAP)) / 2
