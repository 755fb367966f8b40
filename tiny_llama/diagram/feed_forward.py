"""A feed-forward's panel has a gate, none, or a mixture of experts."""

from collections.abc import Mapping
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.boxes import box, on, pill, product
from tiny_llama.diagram.builder import WHOLE, Builder
from tiny_llama.diagram.records import Box, Panel
from tiny_llama.menu import FEED_FORWARD


def feed_forward_panel(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    """Put together the feed-forward of one layer."""
    flow = _experts if config.has_experts else _gated if config.has_gate else _plain
    build = Builder(config, sizes, f"blocks.{layer}.feed_forward.", _BRANCHES.get(flow, ()))
    build.put(pill("in", "What comes in", "feed_forward"))
    flow(build)
    build.then(pill("out", "What it adds", "feed_forward"), WHOLE, "t d")
    return build.panel("feed_forward", "Inside the feed-forward")


def _plain(build: Builder) -> None:
    build.then(_step("to_up", "Up"), "", "t d")
    build.then(_activation(build.config), "up", "t f")
    build.then(_step("to_down", "Down"), "hidden", "t f")


def _gated(build: Builder) -> None:
    build.put(on("gate", _step("to_gate", "To the gate")))
    build.wire("in", "to_gate", "", "t d")
    build.put(on("up", _step("to_up", "Up")))
    build.wire("in", "to_up", "", "t d")
    build.put(on("gate", _activation(build.config)))
    build.wire("to_gate", "activation", "to_gate", "t f")
    build.put(product("times"))
    build.wire("activation", "times", "gate", "t f")
    build.wire("to_up", "times", "up", "t f")
    build.then(_step("to_down", "Down"), "hidden", "t f")


def _experts(build: Builder) -> None:
    config = build.config
    build.put(on("routing", _step("router", "Router")))
    build.wire("in", "router", "", "t d")
    chosen = f"{config.n_active_experts} of {config.n_experts}"
    build.put(on("routing", _step("choose", "Keep the best", chosen)))
    build.wire("router", "choose", "routing", "t n")
    experts = _step("experts", f"{config.n_experts} experts")
    build.put(on("experts", replace(experts, kind="fold")))
    build.wire("in", "experts", "", "t d")
    build.put(product("weigh"))
    build.wire("choose", "weigh", "", "t k")
    build.wire("experts", "weigh", "", "t k d")


def _activation(config: ModelConfig) -> Box:
    name = FEED_FORWARD[config.feed_forward].activation
    return box("activation", name.replace("_", " "), "feed_forward", f"act_{name}")


def _step(name: str, title: str, detail: str = "") -> Box:
    return box(name, title, "feed_forward", name, detail)


_BRANCHES = {_gated: ("gate", "up"), _experts: ("routing", "experts")}
