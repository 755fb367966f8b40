"""A block's panel shows how its parts and norms stand to the residual stream."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.boxes import addition, box, kinds_of_layers, norm, on, pill
from tiny_llama.diagram.builder import Builder
from tiny_llama.diagram.records import Box, Panel
from tiny_llama.menu import FEED_FORWARD, NORM_PLACEMENT


def block_panel(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    """Put together one layer, whose parts are boxes that other panels open."""
    flow = _flow(config)
    branches = () if flow is _sequential else tuple(_parts(config))
    build = Builder(config, sizes, f"blocks.{layer}.", branches)
    build.put(pill("in", "Residual stream", "residual"))
    flow(build)
    build.then(pill("out", "Residual stream", "residual"), "residual", "t d")
    which = f", layer {layer}" if len(kinds_of_layers(config)) > 1 else ""
    return build.panel("block", f"One block{which}")


def _flow(config: ModelConfig) -> Callable[[Builder], None]:
    """Choose how the parts stand to one another; one part alone has nothing beside it."""
    parts, place = _parts(config), NORM_PLACEMENT[config.norm_placement]
    if config.block == "sequential" or not parts:
        return _sequential
    if place.after:
        return _parallel_normed_after if len(parts) > 1 else _sequential
    return _parallel


def _sequential(build: Builder) -> None:
    """Put attention, then feed-forward; each is added to the stream that goes around it."""
    config, path = build.config, ""
    place = NORM_PLACEMENT[config.norm_placement]
    for part in _parts(config):
        start = build.last
        if place.before:
            build.then(norm(config, f"{part}_norm", "Norm"), path, "t d")
            path = f"{part}_norm"
        build.then(_part(config, part), path, "t d")
        path = part
        if place.output:
            build.then(norm(config, f"{part}_output_norm", "Output norm"), path, "t d")
            path = f"{part}_output_norm"
        build.then(addition(f"{part}_add"), path, "t d")
        build.bypass(start, f"{part}_add")
        path = _STREAM_BEHIND[part]
        if place.after:
            build.then(norm(config, f"{part}_norm", "Norm"), "", "t d")


def _parallel(build: Builder) -> None:
    """Let attention and feed-forward read the same stream, and add both to it at once."""
    config, place = build.config, NORM_PLACEMENT[build.config.norm_placement]
    ends = dict.fromkeys(_parts(config), ("in", ""))
    if place.before and config.block == "parallel":
        build.then(norm(config, "attention_norm", "Norm, shared"), "", "t d")
        ends = dict.fromkeys(ends, ("attention_norm", "attention_norm"))
    elif place.before:
        ends = _side_by_side(
            build, ends, {part: norm(config, f"{part}_norm", "Norm") for part in ends}
        )
    ends = _side_by_side(build, ends, {part: _part(config, part) for part in ends})
    if place.output:
        norms = {part: norm(config, f"{part}_output_norm", "Output norm") for part in ends}
        ends = _side_by_side(build, ends, norms)
    build.put(addition("add"))
    for start, path in ends.values():
        build.wire(start, "add", path, "t d")
    build.bypass("in", "add")


def _parallel_normed_after(build: Builder) -> None:
    """Let both read the same stream, and add each to it in turn, with a norm on the sum."""
    config = build.config
    parts = _parts(config)
    _side_by_side(
        build, dict.fromkeys(parts, ("in", "")), {part: _part(config, part) for part in parts}
    )
    build.put(on("attention", addition("attention_add")))
    build.wire("attention", "attention_add", "attention", "t d")
    build.bypass("in", "attention_add")
    build.then(on("attention", norm(config, "attention_norm", "Norm")), "", "t d")
    build.then(addition("feed_forward_add"), "residual_middle", "t d")
    build.wire("feed_forward", "feed_forward_add", "feed_forward", "t d")
    build.then(norm(config, "feed_forward_norm", "Norm"), "", "t d")


def _side_by_side(
    build: Builder, ends: Mapping[str, tuple[str, str]], boxes: Mapping[str, Box]
) -> dict[str, tuple[str, str]]:
    """Put a box on each part's branch; returns where each part is now, and its path."""
    for part, (start, path) in ends.items():
        build.put(on(part, boxes[part]))
        build.wire(start, boxes[part].name, path, "t d")
    return {part: (each.name, each.name) for part, each in boxes.items()}


def _part(config: ModelConfig, part: str) -> Box:
    """Make a box for a whole part of a block, which a panel of its own opens."""
    titles = {"attention": "Attention", "feed_forward": FEED_FORWARD[config.feed_forward].title}
    title = "Experts" if part == "feed_forward" and config.has_experts else titles[part]
    return replace(box(part, title, part, getattr(config, part)), kind="fold")


def _parts(config: ModelConfig) -> list[str]:
    has = {"attention": config.has_attention, "feed_forward": config.has_feed_forward}
    return [part for part, is_there in has.items() if is_there]


_STREAM_BEHIND = {"attention": "residual_middle", "feed_forward": "residual"}
"""Where a recording finds the residual stream behind each part."""
