"""The diagram of a model agrees with the model: every shape, every parameter, every box."""

from dataclasses import replace

import pytest
import torch
from diagrams import CONFIGS

from explorer import content
from explorer.architecture.block import code_of, leaving
from explorer.source import source
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, parameter_shapes
from tiny_llama.diagram import AXES, Box, diagram, kinds_of_layers
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.tap import record

N_TOKENS = 8


def boxes_of(config: ModelConfig) -> list[Box]:
    layers = range(min(2, config.n_layers) or 1)
    panels = [panel for layer in layers for panel in diagram(config, layer=layer)]
    return [box for panel in panels for box in panel.boxes]


def test_every_option_is_in_some_diagram():
    drawn = {(box.part, box.step) for config in CONFIGS for box in boxes_of(config)}
    slots = {**MENU, **CHOICES}
    nowhere = {(slot, name) for slot in ("norm", *MENU, "block") for name in slots[slot]} - drawn
    assert nowhere == {(slot, "none") for slot in MENU} - {("norm", "none")}


def recorded(config: ModelConfig, paths: set[str]) -> dict[str, tuple[int, ...]]:
    """Say what a real forward pass hands on at these paths, on the device that holds no numbers."""
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


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_every_shape_on_a_wire_is_that_of_a_real_forward_pass(config):
    n = check_shapes(config, 0)
    assert n >= (14 if config.n_layers and config.has_attention and config.has_feed_forward else 3)
    if len(kinds_of_layers(config)) > 1:
        check_shapes(config, config.n_layers - 1)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_shapes_of_real_models_are_those_of_a_real_forward_pass(name):
    config = PRESETS[name].config
    check_shapes(replace(config, n_layers=min(2, config.n_layers), context=64), 0)


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
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
    boxes = {box.name: box.n_parameters for box in panels["model"].boxes}
    n_blocks = boxes.pop("blocks", 0) * config.n_layers
    assert sum(boxes.values()) + n_blocks == count_parameters(config)


def test_everything_but_what_comes_in_is_reached_by_a_wire():
    for panel in (panel for config in CONFIGS for panel in diagram(config)):
        ends = {wire.end for wire in panel.wires}
        assert [box.name for box in panel.boxes if box.name not in ends] == [panel.boxes[0].name]


def test_every_box_has_a_formula_and_code_that_runs():
    boxes = {
        (box.part, box.step, code_of(config, box)) for config in CONFIGS for box in boxes_of(config)
    }
    for part, step, code in boxes:
        assert content.formulas()[part, step]
        assert source(code).code


WITHOUT_A_TENSOR = {
    ("model", "scale"): "a factor on its way into the stream, whose sum is recorded",
    ("attention", "softcap"): "a step between scores and masked scores, which both are recorded",
    ("attention", "bias"): "likewise",
    ("feed_forward", "choose"): "which experts, not a tensor of the model's axes",
    ("feed_forward", "experts"): "each reads other tokens, so there is none of all tokens",
}
"""Boxes of which a recording has nothing to show, and why."""
WHERE_NORMS_FOLLOW = {("block", "attention_add"), ("block", "feed_forward_add")}
"""The stream is recorded behind the norm that then follows a sum, not between the two."""


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_every_box_has_a_tensor_to_look_at_but_for_those_that_cannot(config):
    found = {
        (panel.name, box.name)
        for panel in diagram(config)
        for box in panel.boxes
        if box.kind != "pill" and not leaving(panel, box)
    }
    there = {(panel.name, box.name) for panel in diagram(config) for box in panel.boxes}
    expected = set(WITHOUT_A_TENSOR)
    if config.norm_placement == "post":
        expected |= WHERE_NORMS_FOLLOW
    assert found == expected & there


def test_no_formula_is_left_over():
    used = {(box.part, box.step) for config in CONFIGS for box in boxes_of(config)}
    assert set(content.formulas()) == used


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
