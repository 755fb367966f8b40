"""A model as a picture: boxes that compute, wires with the shapes they carry; a press opens one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer import state
from explorer.components.block_diagram.layout import WIDTH, Place, Point, Way, lay_out
from explorer.components.browser import part
from explorer.figures.amounts import in_short
from tiny_llama.diagram import Box, Panel, Wire

SQUEEZE = 0.9
"""Rows stand closer than they are laid out, so that the whole picture fits a projector's screen."""


def block_diagram(
    panels: Sequence[Panel],
    *,
    key: str,
    formulas: Mapping[tuple[str, str], str],
    opened: tuple[str, str] | None,
    open_box: Callable[[str, str], None],
    is_presented: bool = False,
) -> None:
    """Draw a model; call `open_box(panel, box)` when a box is pressed.

    Args:
        panels: see `tiny_llama.diagram`.
        key: identifies the picture on the page.
        formulas: what a box computes in one line of plain text, by its part and step.
        opened: panel and box that is open already.
        open_box: called before the page is run again.
        is_presented: whether it has the screen to itself, with nothing to press but its boxes.
    """

    def pressed() -> None:
        panel, box = state.shown(key)["opened"]
        open_box(str(panel), str(box))

    data = diagram_data(panels, formulas, opened) | {"isPresented": is_presented}
    part("block_diagram")(key=key, data=data, height="content", on_opened_change=pressed)


def diagram_data(
    panels: Sequence[Panel],
    formulas: Mapping[tuple[str, str], str],
    opened: tuple[str, str] | None,
) -> dict[str, Any]:
    """Write down what the browser is sent."""
    return {
        "panels": [_panel(panel, formulas, opened) for panel in panels],
        "alt": diagram_words(panels),
    }


def diagram_words(panels: Sequence[Panel]) -> str:
    """Say what the picture shows, from the first box to the last."""
    return "; ".join(
        f"{panel.title}: {', '.join(box.title for box in panel.boxes)}" for panel in panels
    )


def times(shape: Sequence[int]) -> str:
    """Write a shape as people do."""
    return " × ".join(f"{size:,}" for size in shape)


def _panel(
    panel: Panel, formulas: Mapping[tuple[str, str], str], opened: tuple[str, str] | None
) -> dict[str, Any]:
    layout = lay_out(panel)
    wires = zip(panel.wires, layout.ways, strict=True)
    return {
        "name": panel.name,
        "title": panel.title,
        "width": WIDTH,
        "height": layout.height * SQUEEZE,
        "boxes": [
            _box(panel, box, layout.places[box.name], formulas, opened) for box in panel.boxes
        ],
        "wires": [_wire(wire, way) for wire, way in wires],
    }


def _box(
    panel: Panel,
    box: Box,
    place: Place,
    formulas: Mapping[tuple[str, str], str],
    opened: tuple[str, str] | None,
) -> dict[str, Any]:
    formula = formulas.get((box.part, box.step), "")
    detail, count = _second_line(box, place.width)
    learns = f"{box.n_parameters:,} parameters" if box.n_parameters else ""
    return {
        "name": box.name,
        "key": [panel.name, box.name],
        "title": box.title,
        "detail": detail,
        "kind": box.kind,
        "x": place.x,
        "y": place.y * SQUEEZE,
        "width": place.width,
        "height": place.height * SQUEEZE,
        "count": count,
        "formula": formula,
        "weights": _first(box.weights),
        "label": ", ".join(filter(None, (box.title, box.detail, learns, formula))),
        "isOpen": opened == (panel.name, box.name),
    }


LETTER = 8.5
"""How wide a letter of a box's second line is, a little more than it takes."""


def _second_line(box: Box, width: float) -> tuple[str, str]:
    """Give a box's detail and how much it learns, or as much of the first as fits.

    Where both are too wide, pointing at the box says all of it.
    """
    count = in_short(box.n_parameters) if box.n_parameters else ""
    most = int(width / LETTER)
    if len(" · ".join(filter(None, (box.detail, count)))) <= most:
        return box.detail, count
    fits = len(box.detail) <= most
    return box.detail if fits else f"{box.detail[: most - 1]}…", ""


MOST_WEIGHTS = 6
"""Shapes beside a box; a fold of many parts says how many more there are."""


def _first(weights: Mapping[str, Sequence[int]]) -> list[str]:
    lines = [f"{path}: {times(shape)}" for path, shape in weights.items()]
    more = len(lines) - MOST_WEIGHTS
    return lines if more <= 0 else [*lines[:MOST_WEIGHTS], f"and {more} more"]


def _squeezed(point: Point) -> Point:
    return point[0], point[1] * SQUEEZE


def _wire(wire: Wire, way: Way) -> dict[str, Any]:
    return {
        "start": wire.start,
        "end": wire.end,
        "points": [_squeezed(point) for point in way.points],
        "label": way.label and _squeezed(way.label),
        "letters": wire.axes,
        "numbers": "×".join(f"{size:,}" for size in wire.shape),
    }
