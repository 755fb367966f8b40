"""The picture of a model agrees with the model: every shape, every parameter, every place."""

from dataclasses import replace
from itertools import combinations, pairwise

import pytest
import torch
from conftest import EVERY_CHOICE

from explorer import content
from explorer.architecture.block import code_of, leaving
from explorer.components.block_diagram import diagram_data
from explorer.source import source
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, parameter_shapes
from tiny_llama.diagram import AXES, WIDTH, diagram, kinds_of_layers
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.tap import record

N_TOKENS = 8
RICH = {"qk_norm": "head", "attention_softcap": 50.0, "logit_softcap": 30.0, "n_kv_heads": 2}
PAIRS = [
    {"block": block, "norm_placement": placement}
    for block in ("sequential", "parallel", "parallel_two_norms")
    for placement in ("pre", "both", "output")
]
SETUPS = [
    *({slot: choice} for slot, choice in EVERY_CHOICE),
    *({slot: choice, **RICH} for slot, choice in EVERY_CHOICE if slot in ("position", "attention")),
    *PAIRS,
    *({**pair, "attention": "none"} for pair in PAIRS),
    *({**pair, "feed_forward": "none"} for pair in PAIRS),
    {"block": "parallel_two_norms", "norm_placement": "post"},
    {"block": "parallel_two_norms", "norm_placement": "post", "attention": "none"},
    {"embedding_scale": True, "embedding_norm": True, "position": "learned"},
    {"rope_fraction": 0.5, "nope_every": 2, "attention": "local_global"},
    {"tied_unembedding": True, "bias": "all", "unembedding_bias": True},
    {"n_layers": 0},
    {"n_layers": 1},
]


def setups(small):
    return [replace(small, **changes) for changes in SETUPS]


@pytest.fixture(params=range(len(SETUPS)), ids=lambda at: "-".join(map(str, SETUPS[at].values())))
def config(request, small):
    return replace(small, **SETUPS[request.param])


def recorded(config: ModelConfig, paths: set[str]) -> dict[str, tuple[int, ...]]:
    """What a real forward pass hands on at these paths, on the device that holds no numbers."""
    with torch.device("meta"):
        model = TinyLlama(config)
        tokens = torch.zeros(1, N_TOKENS, dtype=torch.long)
    with torch.no_grad(), record(model, *paths) as seen:
        model(tokens)
    return {path: tuple(seen[path].shape[1:]) for path in paths}


def check_shapes(config: ModelConfig, layer: int) -> int:
    panels = diagram(config, layer=layer, n_tokens=N_TOKENS)
    drawn = {wire.path: wire.shape for panel in panels for wire in panel.wires if wire.path}
    assert drawn == recorded(config, set(drawn))
    return len(drawn)


def test_every_shape_on_a_wire_is_that_of_a_real_forward_pass(config):
    n = check_shapes(config, 0)
    assert n >= (14 if config.n_layers and config.has_attention and config.has_feed_forward else 3)
    if config.n_layers > 1:
        check_shapes(config, config.n_layers - 1)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_shapes_of_real_models_are_those_of_a_real_forward_pass(name):
    config = PRESETS[name].config
    check_shapes(replace(config, n_layers=min(2, config.n_layers), context=64), 0)


def test_boxes_learn_what_the_model_learns_and_nothing_twice(config):
    panels = {panel.name: panel for panel in diagram(config)}
    whole = {path for box in panels["model"].boxes for path in box.weights}
    first = {path for path in parameter_shapes(config) if not path.startswith("blocks.")}
    of_block = {path for path in parameter_shapes(config) if path.startswith("blocks.0.")}
    assert whole == first | of_block
    for opened, inside in (("block", of_block), ("attention", set()), ("feed_forward", set())):
        if opened not in panels:
            continue
        prefix = {"block": "blocks.0."}.get(opened, f"blocks.0.{opened}.")
        wanted = inside or {path for path in of_block if path.startswith(prefix)}
        paths = [path for box in panels[opened].boxes for path in box.weights]
        assert len(paths) == len(set(paths))
        assert {f"{prefix}{path}" for path in paths} == wanted


def test_the_boxes_of_the_whole_model_sum_to_its_parameters(config):
    boxes = {box.name: box.n_parameters for box in diagram(config)[0].boxes}
    n_blocks = boxes.pop("blocks", 0) * config.n_layers
    assert sum(boxes.values()) + n_blocks == count_parameters(config)


def test_no_box_lies_on_another_and_none_outside_its_panel(config):
    for panel in diagram(config):
        for box in panel.boxes:
            assert box.x >= 0
            assert box.x + box.width <= WIDTH
            assert box.y >= 0
            assert box.y + box.height <= panel.height
        for one, other in combinations(panel.boxes, 2):
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert beside or above, (panel.name, one.name, other.name)


def test_wires_lead_from_box_to_box_and_through_none(config):
    for panel in diagram(config):
        boxes = {box.name: box for box in panel.boxes}
        for wire in panel.wires:
            start, end = boxes[wire.start], boxes[wire.end]
            (x, y), (to_x, to_y) = wire.points[0], wire.points[-1]
            assert start.x <= x <= start.x + start.width
            assert start.y < y <= start.y + start.height + 6
            assert end.x <= to_x <= end.x + end.width
            assert end.y <= to_y <= end.y + end.height / 2
            for name, box in boxes.items():
                if name not in (wire.start, wire.end):
                    assert not crosses(wire.points, box), (panel.name, wire.start, wire.end, name)


def crosses(points, box) -> bool:
    return any(
        min(x, to_x) < box.x + box.width
        and max(x, to_x) > box.x
        and min(y, to_y) < box.y + box.height
        and max(y, to_y) > box.y
        for (x, y), (to_x, to_y) in pairwise(points)
    )


def test_everything_but_what_comes_in_is_reached_by_a_wire(config):
    for panel in diagram(config):
        ends = {wire.end for wire in panel.wires}
        assert [box.name for box in panel.boxes if box.name not in ends] == [panel.boxes[0].name]


def test_every_box_has_a_formula_and_code_that_runs(config):
    for panel in diagram(config):
        for box in panel.boxes:
            assert content.formulas()[box.part, box.step]
            assert source(code_of(config, box)).code


def test_most_boxes_have_a_tensor_to_look_at(config):
    panels = diagram(config)
    boxes = [(panel, box) for panel in panels for box in panel.boxes if box.kind != "pill"]
    with_tensor = [box.name for panel, box in boxes if leaving(panel, box)]
    assert len(with_tensor) >= 0.6 * len(boxes)


def test_no_formula_is_left_over():
    small = ModelConfig(vocab_size=11, context=16, n_layers=6, d_model=16, n_heads=4, window=3)
    used = {
        (box.part, box.step)
        for config in setups(small)
        for layer in range(min(2, config.n_layers) or 1)
        for panel in diagram(config, layer=layer)
        for box in panel.boxes
    }
    assert set(content.formulas()) - used <= {("norm", "none")}


def test_words_fit_into_their_boxes(config):
    """By the width of letters of these sizes, a little more than they take."""
    for panel in diagram_data(diagram(config), content.formulas(), None)["panels"]:
        for box in panel["boxes"]:
            second = " · ".join(filter(None, (box["detail"], box["count"])))
            assert 6.6 * len(box["title"]) <= box["width"] + 4, box["title"]
            assert 5.4 * len(second) <= box["width"], second


def test_letters_stand_for_the_sizes_of_the_config():
    config = ModelConfig(n_kv_heads=2, d_head=24, vocab_size=50)
    wires = [wire for panel in diagram(config) for wire in panel.wires]
    sizes = {
        letter: size
        for wire in wires
        for letter, size in zip(wire.axes.split(), wire.shape, strict=True)
    }
    assert set(sizes) <= set(AXES)
    assert sizes == {"t": 128, "s": 128, "d": 64, "h": 4, "g": 2, "e": 24, "f": 176, "v": 50}


def test_layers_that_differ_are_told_apart():
    assert len(kinds_of_layers(ModelConfig())) == 1
    config = ModelConfig(attention="alternating", window=8, n_layers=6, nope_every=3)
    kinds = kinds_of_layers(config)
    assert sorted(layer for layers in kinds.values() for layer in layers) == list(range(6))
    assert kinds[8, None] == [5]
    masks = [
        next(box.detail for box in diagram(config, layer=layer)[2].boxes if box.name == "mask")
        for layer in (0, 1)
    ]
    assert masks == ["the future", "all but the last 8"]


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
