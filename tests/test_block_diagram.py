"""Where the parts of a diagram stand, and what the browser is sent of them."""

from itertools import combinations, pairwise

from diagrams import CONFIGS

from explorer import content
from explorer.components.block_diagram import diagram_data
from explorer.components.block_diagram.layout import WIDTH, lay_out
from tiny_llama.config import ModelConfig
from tiny_llama.diagram import diagram

PANELS = [panel for config in CONFIGS for panel in diagram(config)]


def test_no_box_lies_on_another_and_none_outside_its_panel():
    for panel in PANELS:
        layout = lay_out(panel)
        for place in layout.places.values():
            assert place.x >= 0
            assert place.x + place.width <= WIDTH
            assert place.y >= 0
            assert place.bottom <= layout.height
        for (name, one), (other_name, other) in combinations(layout.places.items(), 2):
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = one.bottom <= other.y or other.bottom <= one.y
            assert beside or above, (panel.name, name, other_name)


def test_wires_lead_from_box_to_box_and_through_none():
    for panel in PANELS:
        layout = lay_out(panel)
        for wire, way in zip(panel.wires, layout.ways, strict=True):
            start, end = layout.places[wire.start], layout.places[wire.end]
            (x, y), (to_x, to_y) = way.points[0], way.points[-1]
            assert start.x <= x <= start.x + start.width
            assert start.y < y <= start.bottom + 6
            assert end.x <= to_x <= end.x + end.width
            assert end.y <= to_y <= end.y + end.height / 2
            for name, place in layout.places.items():
                if name not in (wire.start, wire.end):
                    assert not crosses(way.points, place), (panel.name, wire, name)


def crosses(points, place) -> bool:
    return any(
        min(x, to_x) < place.x + place.width
        and max(x, to_x) > place.x
        and min(y, to_y) < place.y + place.height
        and max(y, to_y) > place.y
        for (x, y), (to_x, to_y) in pairwise(points)
    )


def test_boxes_compute_from_the_top_down():
    for panel in PANELS:
        places = lay_out(panel).places
        assert all(places[wire.start].bottom < places[wire.end].y for wire in panel.wires)


def test_a_shape_has_room_beside_no_box_and_no_other_shape():
    for panel in PANELS:
        layout = lay_out(panel)
        labels = [way.label for way in layout.ways if way.label]
        assert len(set(labels)) == len(labels)
        for x, y in labels:
            assert not any(
                place.x < x < place.x + place.width and place.y < y < place.bottom
                for place in layout.places.values()
            )


def test_words_fit_into_their_boxes():
    """Reckon with the width of letters of these sizes, a little more than they take."""
    for panel in diagram_data(PANELS, content.formulas(), None)["panels"]:
        for box in panel["boxes"]:
            second = " · ".join(filter(None, (box["detail"], box["count"])))
            assert 8 * len(box["title"]) <= box["width"] + 4, box["title"]
            assert 6.6 * len(second) <= box["width"], second


def test_what_the_browser_is_sent_names_every_box_with_what_it_learns():
    data = diagram_data(diagram(ModelConfig()), content.formulas(), ("attention", "scores"))
    boxes = {
        (panel["name"], box["name"]): box for panel in data["panels"] for box in panel["boxes"]
    }
    assert [key for key, box in boxes.items() if box["isOpen"]] == [("attention", "scores")]
    to_qkv = boxes["attention", "to_qkv"]
    assert to_qkv["weights"] == ["to_qkv.weight: 192 × 64"]
    assert "12,288 parameters" in to_qkv["label"]
    assert boxes["model", "blocks"]["weights"][-1] == "and 1 more"
    assert "The model: Token numbers, Embedding" in data["alt"]
