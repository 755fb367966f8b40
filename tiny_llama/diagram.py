"""The picture of a model, drawn from its config: boxes, wires with shapes, and where they stand.

Four panels, from the whole to the parts: the model, one block, its attention, its feed-forward.
Nothing here draws; a page does, and a notebook could. The tests hold every wire's shape against
what a real forward pass hands on there.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod

from tiny_llama.config import ModelConfig
from tiny_llama.cost import Shape, parameter_shapes
from tiny_llama.menu import FEED_FORWARD, NORM, NORM_PLACEMENT, POSITION

WIDTH = 270
"""Of a panel, in the units of all places and sizes here."""
BOX_HEIGHT, PILL_HEIGHT, ROUND = 40, 22, 20
GAP, SHORT_GAP = 38, 18
"""Between rows: with room for a shape on the wire, and without."""
MARGIN = 6

Point = tuple[float, float]

AXES = {
    "t": "tokens that read",
    "s": "tokens that are read",
    "d": "width of the model",
    "h": "query heads",
    "g": "key/value heads",
    "e": "width of a head",
    "f": "width of the hidden layer",
    "n": "experts",
    "k": "experts at work on a token",
    "v": "tokens of the vocabulary",
}
"""What the letters of a shape stand for."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something that computes, or a tensor by itself, and its place in a panel."""

    name: str
    """Unlike any other in its panel."""
    title: str
    detail: str = ""
    """A second line, such as a window's width."""
    part: str
    """What it belongs to: a slot of the menu, or a few words beside it, such as "embedding"."""
    step: str
    """Which piece of the part: an option of the slot, or a step such as "scores"."""
    kind: str = "box"
    """How it looks: "box", "pill" (a tensor), "round" (an addition or a product), "fold" (several
    things in one, which another panel opens)."""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    """Of its upper left corner, and its size."""
    weights: Mapping[str, Shape] = field(default_factory=dict)
    """Shapes of what it learns, by path."""

    @property
    def centre(self) -> float:
        """The middle of its width."""
        return self.x + self.width / 2

    @property
    def n_parameters(self) -> int:
        """How many numbers one of it learns."""
        return sum(map(prod, self.weights.values()))


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A tensor on its way from one box to another."""

    start: str
    end: str
    path: str
    """Where a recording of a forward pass finds it."""
    axes: str
    """Letters of `AXES`, as "h t e"; the batch is left out."""
    shape: Shape
    points: tuple[Point, ...]
    """The corners of its line, from start to end."""
    label: Point | None
    """The middle of the room for its shape; None: it carries what the wire beside it does."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the picture: the whole model, or one of its parts opened."""

    name: str
    title: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    height: float


def diagram(config: ModelConfig, *, layer: int = 0, n_tokens: int | None = None) -> list[Panel]:
    """Lay out the picture of a model.

    Args:
        config: any setup.
        layer: which layer to open, counted from 0, where they differ.
        n_tokens: how many tokens it reads at once; None: its context.
    """
    sizes = _sizes(config, n_tokens or config.context)
    panels = [_model(config, sizes)]
    if config.n_layers:
        panels.append(_block(config, layer, sizes))
        if config.has_attention:
            panels.append(_attention(config, layer, sizes))
        if config.has_feed_forward:
            panels.append(_feed_forward(config, layer, sizes))
    return panels


def kinds_of_layers(config: ModelConfig) -> dict[tuple[int | None, float | None], list[int]]:
    """Layers that are alike, by what sets them apart: window and theta (None: not turned)."""
    kinds: dict[tuple[int | None, float | None], list[int]] = {}
    for layer in range(config.n_layers):
        kind = config.window_of(layer), config.theta_of(layer)
        kinds.setdefault(kind, []).append(layer)
    return kinds


# The four panels.


def _model(config: ModelConfig, sizes: Mapping[str, int]) -> Panel:
    draw = _Drawing(config, sizes)
    draw.put(_pill("tokens", "Token numbers", "embedding"))
    draw.then(_box("embedding", "Embedding", "embedding", "embedding"), "", "t")
    path = "embedding"
    for box in _after_embedding(config):
        draw.then(box, path, "t d")
        path = ""
    if config.n_layers:
        draw.then(_blocks(config), "embedded", "t d")
    path = f"blocks.{config.n_layers - 1}.residual" if config.n_layers else "embedded"
    if config.has_last_norm:
        draw.then(_norm(config, "norm", "Last norm"), path, "t d")
        path = "norm"
    tied = "the embedding's matrix again" if config.tied_unembedding else ""
    draw.then(_box("unembedding", "Unembedding", "unembedding", "unembedding", tied), path, "t d")
    path = "unembedding"
    if config.logit_softcap is not None:
        draw.then(_softcap("unembedding", config.logit_softcap), path, "t v")
        path = ""
    draw.then(_pill("logits", "Logits", "unembedding"), path or "logits", "t v")
    return draw.panel("model", "The model")


def _block(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    draw = _Drawing(config, sizes, prefix=f"blocks.{layer}.")
    draw.put(_pill("in", "Residual stream", "residual"))
    _BLOCKS[config.block](draw)
    draw.then(_pill("out", "Residual stream", "residual"), "residual", "t d")
    which = f", layer {layer}" if len(kinds_of_layers(config)) > 1 else ""
    return draw.panel("block", f"One block{which}")


def _sequential(draw: "_Drawing") -> None:
    """Attention, then feed-forward; each is added to the stream that goes around it."""
    config, path = draw.config, ""
    place = NORM_PLACEMENT[config.norm_placement]
    for part, stream in (("attention", "residual_middle"), ("feed_forward", "residual")):
        if not _has(config, part):
            continue
        start = draw.last
        if place.before:
            draw.then(_norm(config, f"{part}_norm", "Norm"), path, "t d")
            path = f"{part}_norm"
        draw.then(_part(config, part), path, "t d")
        path = part
        if place.output:
            draw.then(_norm(config, f"{part}_output_norm", "Output norm"), path, "t d")
            path = f"{part}_output_norm"
        draw.then(_round(f"{part}_add", "+"), path, "t d")
        draw.bypass(start, f"{part}_add")
        path = stream
        if place.after:
            draw.then(_norm(config, f"{part}_norm", "Norm"), "", "t d")


def _parallel(draw: "_Drawing") -> None:
    """Attention and feed-forward read the same stream; both are added to it at once."""
    config, place = draw.config, NORM_PLACEMENT[draw.config.norm_placement]
    parts = [part for part in _PARTS if _has(config, part)]
    if place.after:  # with one part alone, nothing stands beside it
        (_parallel_normed_after if len(parts) > 1 else _sequential)(draw)
        return
    sources = dict.fromkeys(parts, ("in", ""))
    if place.before and config.block == "parallel":
        draw.then(_norm(config, "attention_norm", "Norm, shared"), "", "t d")
        sources = dict.fromkeys(parts, ("attention_norm", "attention_norm"))
    elif place.before:
        sources = _each_below(draw, sources, "{}_norm", partial(_norm, config, title="Norm"))
    sources = _each_below(draw, sources, "{}", partial(_part, config))
    if place.output:
        norm = partial(_norm, config, title="Output norm")
        sources = _each_below(draw, sources, "{}_output_norm", norm)
    draw.put(_round("add", "+"))
    for start, path in sources.values():
        draw.wire(start, "add", path, "t d")
    draw.bypass("in", "add")


def _parallel_normed_after(draw: "_Drawing") -> None:
    """Both read the same stream, and each is added to it in turn, with a norm on the sum."""
    left, _ = columns = _BESIDE[2]
    draw.put(*(_part(draw.config, part) for part in _PARTS), columns=columns)
    for part in _PARTS:
        draw.wire("in", part, "", "t d")
    draw.put(_round("attention_add", "+"), columns=[left])
    draw.wire("attention", "attention_add", "attention", "t d")
    draw.bypass("in", "attention_add")
    draw.then(_norm(draw.config, "attention_norm", "Norm"), "", "t d", columns=[left])
    draw.then(_round("feed_forward_add", "+"), "residual_middle", "t d")
    draw.wire("feed_forward", "feed_forward_add", "feed_forward", "t d")
    draw.then(_norm(draw.config, "feed_forward_norm", "Norm"), "", "t d")


def _each_below(
    draw: "_Drawing",
    sources: Mapping[str, tuple[str, str]],
    name: str,
    make: Callable[[str], Box],
) -> dict[str, tuple[str, str]]:
    """A box for each part, side by side; returns where each part is now, and its path."""
    below = {part: name.format(part) for part in sources}
    draw.put(*map(make, below.values()), columns=_BESIDE[len(below)])
    for part, (start, path) in sources.items():
        draw.wire(start, below[part], path, "t d")
    return {part: (each, each) for part, each in below.items()}


def _attention(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    draw = _Drawing(config, sizes, prefix=f"blocks.{layer}.attention.")
    draw.put(_pill("in", "What comes in", "attention"))
    draw.then(_box("to_qkv", "To queries, keys, values", "attention", "to_qkv"), "", "t d")
    ends = {"query": ("to_qkv", "query"), "key": ("to_qkv", "key")}
    if config.qk_norm != "none":
        _for_each(draw, ends, "norm", "Norm {}", "qk_norm", config.qk_norm)
    if config.theta_of(layer) is not None:
        turned, width = config.turned_width, config.head_width
        share = "" if turned == width else f"{turned} of {width}"
        _for_each(draw, ends, "turn", "Turn {}", "position", "turn", share)
        ends = {name: (start, f"rotated_{name}") for name, (start, _) in ends.items()}
    draw.put(_box("scores", "q · k / √e", "attention", "scores"), columns=_TWO_OF_THREE)
    for column, (name, axes) in enumerate((("query", "h t e"), ("key", "g s e"))):
        draw.wire(ends[name][0], "scores", ends[name][1], axes, column=column)
    path = "scores"
    for box in _on_scores(config, layer):
        draw.then(box, path, "h t s", columns=_TWO_OF_THREE)
        path = ""
    draw.then(
        _box("softmax", "Softmax", "attention", "softmax"),
        "masked_scores",
        "h t s",
        columns=_TWO_OF_THREE,
    )
    draw.then(_box("heads", "Pattern × values", "attention", "heads"), "pattern", "h t s")
    draw.wire("to_qkv", "heads", "value", "g s e", column=2)
    draw.then(_box("to_output", "Heads to width", "attention", "to_output"), "heads", "h t e")
    draw.then(_pill("out", "What attention adds", "attention"), "", "t d")
    return draw.panel("attention", "Inside attention")


def _for_each(
    draw: "_Drawing",
    ends: dict[str, tuple[str, str]],
    kind: str,
    title: str,
    part: str,
    step: str,
    detail: str = "",
) -> None:
    """The same once for queries and once for keys, side by side."""
    boxes = {
        name: _box(f"{name}_{kind}", title.format(name[0]), part, step, detail) for name in ends
    }
    draw.put(*boxes.values(), columns=_columns(3)[:2])
    for name, axes in (("query", "h t e"), ("key", "g t e")):
        start, _ = ends[name]
        draw.wire(start, boxes[name].name, name, axes)
        ends[name] = (boxes[name].name, name)


def _on_scores(config: ModelConfig, layer: int) -> Iterator[Box]:
    """What happens to scores before the softmax."""
    if config.attention_softcap is not None:
        yield _softcap("attention", config.attention_softcap)
    if POSITION[config.position].adds_bias:
        yield _box("bias", "− slope · distance", "position", config.position)
    window = config.window_of(layer)
    hidden = "the future" if window is None else f"all but the last {window:,}"
    yield _box("mask", "Mask", "attention", "mask", hidden)


def _feed_forward(config: ModelConfig, layer: int, sizes: Mapping[str, int]) -> Panel:
    draw = _Drawing(config, sizes, prefix=f"blocks.{layer}.feed_forward.")
    draw.put(_pill("in", "What comes in", "feed_forward"))
    _FEED_FORWARDS[config.has_experts, config.has_gate](draw)
    draw.then(_pill("out", "What it adds", "feed_forward"), "", "t d")
    return draw.panel("feed_forward", "Inside the feed-forward")


def _gated(draw: "_Drawing") -> None:
    halves = _columns(2)
    gate, up = (
        _box(name, title, "feed_forward", name)
        for name, title in (("to_gate", "To the gate"), ("to_up", "Up"))
    )
    draw.put(gate, up, columns=halves)
    draw.wire("in", "to_gate", "", "t d")
    draw.wire("in", "to_up", "", "t d")
    draw.put(_activation(draw.config), columns=halves[:1])
    draw.wire("to_gate", "activation", "to_gate", "t f")
    draw.put(_round("times", "×", "feed_forward"))
    draw.wire("activation", "times", "gate", "t f")
    draw.wire("to_up", "times", "up", "t f")
    draw.then(_box("to_down", "Down", "feed_forward", "to_down"), "hidden", "t f")


def _plain(draw: "_Drawing") -> None:
    draw.then(_box("to_up", "Up", "feed_forward", "to_up"), "", "t d")
    draw.then(_activation(draw.config), "up", "t f")
    draw.then(_box("to_down", "Down", "feed_forward", "to_down"), "hidden", "t f")


def _experts(draw: "_Drawing") -> None:
    config, (left, right) = draw.config, _columns(2)
    draw.put(_box("router", "Router", "feed_forward", "router"), columns=[left])
    draw.wire("in", "router", "", "t d")
    chosen = f"{config.n_active_experts} of {config.n_experts}"
    draw.put(_box("choose", "Keep the best", "feed_forward", "choose", chosen), columns=[left])
    draw.wire("router", "choose", "routing", "t n")
    experts = _box("experts", f"{config.n_experts} experts", "feed_forward", "experts")
    draw.put(replace(experts, kind="fold"), columns=[right])
    draw.wire("in", "experts", "", "t d")
    draw.put(_round("weigh", "×", "feed_forward"))
    draw.wire("choose", "weigh", "", "t k")
    draw.wire("experts", "weigh", "", "t k d")


# Boxes.


def _box(name: str, title: str, part: str, step: str, detail: str = "") -> Box:
    return Box(name=name, title=title, part=part, step=step, detail=detail, height=BOX_HEIGHT)


def _pill(name: str, title: str, part: str) -> Box:
    return Box(name=name, title=title, part=part, step=name, kind="pill", height=PILL_HEIGHT)


def _round(name: str, title: str, part: str = "residual") -> Box:
    step = "add" if title == "+" else name
    return Box(name=name, title=title, part=part, step=step, kind="round", height=ROUND)


def _norm(config: ModelConfig, name: str, title: str) -> Box:
    return _box(name, title, "norm", config.norm, NORM[config.norm].title)


def _softcap(part: str, cap: float) -> Box:
    return _box("softcap", "Soft cap", part, "softcap", f"within ±{cap:g}")


def _activation(config: ModelConfig) -> Box:
    name = _ACTIVATIONS[config.feed_forward]
    return _box("activation", name.replace("_", " "), "feed_forward", f"act_{name}")


def _part(config: ModelConfig, part: str) -> Box:
    """A whole part of a block, which a panel of its own opens."""
    titles = {"attention": "Attention", "feed_forward": FEED_FORWARD[config.feed_forward].title}
    title = "Experts" if part == "feed_forward" and config.has_experts else titles[part]
    return replace(_box(part, title, part, getattr(config, part)), kind="fold")


def _blocks(config: ModelConfig) -> Box:
    n, kinds = config.n_layers, len(kinds_of_layers(config))
    detail = f"of {kinds} kinds, in turn" if kinds > 1 else "all alike" if n > 1 else ""
    box = _box("blocks", f"{n} blocks" if n > 1 else "1 block", "block", config.block, detail)
    return replace(box, kind="fold")


def _after_embedding(config: ModelConfig) -> Iterator[Box]:
    """What happens between the embedding and the first block."""
    if config.embedding_scale:
        yield _box("scale", "× √d", "embedding", "scale")
    if config.embedding_norm:
        yield _norm(config, "embedding_norm", "Norm of the embedding")
    if config.position in _ADDED:
        name = "position" if POSITION[config.position].has_table else "waves"
        yield _box(name, _ADDED[config.position], "position", config.position)


def _has(config: ModelConfig, part: str) -> bool:
    return {"attention": config.has_attention, "feed_forward": config.has_feed_forward}[part]


# Where things stand.


def _columns(n: int) -> list[tuple[float, float]]:
    """Centre and width of each of n columns, as shares of the panel's width."""
    return [((i + 0.5) / n, 0.92 / n) for i in range(n)]


_WHOLE = [(0.5, 0.8)]
_BESIDE = {0: [], 1: _WHOLE, 2: [(0.32, 0.4), (0.76, 0.4)]}
"""Columns that leave room for the residual stream on the left."""
_TWO_OF_THREE = [(1 / 3, 0.6)]


class _Drawing:
    """A panel that is being drawn, from the top down."""

    def __init__(self, config: ModelConfig, sizes: Mapping[str, int], prefix: str = "") -> None:
        self.config, self.sizes, self.prefix = config, sizes, prefix
        self.shapes = parameter_shapes(replace(config, n_layers=min(config.n_layers, 1)))
        self.boxes: dict[str, Box] = {}
        self.wires: list[Wire] = []
        self.y = float(MARGIN)
        self.last = ""

    def put(self, *boxes: Box, columns: Sequence[tuple[float, float]] = _WHOLE) -> None:
        """Set a row of boxes under the last one."""
        height = max(box.height for box in boxes)
        for box, (centre, share) in zip(boxes, columns, strict=True):
            width = {"round": ROUND, "pill": 0.6 * WIDTH}.get(box.kind, share * WIDTH)
            self.boxes[box.name] = replace(
                box,
                x=centre * WIDTH - width / 2,
                y=self.y,
                width=width,
                weights=self._weights(box.name),
            )
            self.last = box.name
        self.y += height + GAP

    def then(
        self,
        box: Box,
        path: str,
        axes: str,
        *,
        columns: Sequence[tuple[float, float]] = _WHOLE,
    ) -> None:
        """Set a box under the last one, with a wire from there."""
        start = self.last
        self.put(box, columns=columns)
        self.wire(start, box.name, path, axes)

    def wire(
        self, start: str, end: str, path: str, axes: str, *, column: int | None = None
    ) -> None:
        """Lead a tensor down from one box to another; of three columns, in the one given."""
        points = self._way(self.boxes[start], self.boxes[end], column)
        self._add(start, end, path, axes, points, self._label(points))

    def bypass(self, start: str, end: str) -> None:
        """Lead the residual stream around what stands between."""
        first, last = self.boxes[start], self.boxes[end]
        top, side = first.y + first.height + 4, 0.04 * WIDTH
        middle = last.y + last.height / 2
        points = ((first.centre, top), (side, top), (side, middle), (last.x, middle))
        self._add(start, end, "", "t d", points, None)

    def _add(
        self,
        start: str,
        end: str,
        path: str,
        axes: str,
        points: tuple[Point, ...],
        label: Point | None,
    ) -> None:
        shape = tuple(self.sizes[letter] for letter in axes.split())
        full = (f"{self.prefix}{path}" if path else "").rstrip(".")
        self.wires.append(
            Wire(
                start=start, end=end, path=full, axes=axes, shape=shape, points=points, label=label
            )
        )

    def _way(self, start: Box, end: Box, column: int | None) -> tuple[Point, ...]:
        """Straight down where the boxes stand over one another, else with two corners."""
        top, bottom = start.y + start.height, end.y
        if column is not None:
            x = _columns(3)[column][0] * WIDTH
            return (x, top), (x, bottom)
        a, b = start.centre, end.centre
        if end.kind == "round" and abs(a - b) > 1:
            b += -4 if a < b else 4
            return (a, top), (a, bottom - 10), (b, bottom - 10), (b, bottom)
        if end.x <= a <= end.x + end.width:
            return (a, top), (a, bottom)
        if start.x <= b <= start.x + start.width:
            return (b, top), (b, bottom)
        return (a, top), (a, top + 6), (b, top + 6), (b, bottom)

    def _label(self, points: tuple[Point, ...]) -> Point:
        """In the first gap that the line goes down, beside no box."""
        (x, top), (_, bottom) = points[:2]
        if bottom - top < GAP / 2:  # it goes aside first
            (x, top), (_, bottom) = points[-2:]
        return x, (top + min(bottom, top + GAP)) / 2

    def panel(self, name: str, title: str) -> Panel:
        """What has been drawn."""
        return Panel(
            name=name,
            title=title,
            boxes=tuple(self.boxes.values()),
            wires=tuple(self.wires),
            height=self.y - GAP + MARGIN,
        )

    def _weights(self, name: str) -> dict[str, Shape]:
        """What a box learns; of a block, the first one stands for all."""
        prefix = "blocks.0." if name == "blocks" else f"{self._first_prefix}{name}."
        return {
            path.removeprefix(self._first_prefix): shape
            for path, shape in self.shapes.items()
            if path.startswith(prefix)
        }

    @property
    def _first_prefix(self) -> str:
        return re.sub(r"\d+", "0", self.prefix)


def _sizes(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    return {
        "t": n_tokens,
        "s": n_tokens,
        "d": config.d_model,
        "h": config.n_heads,
        "g": config.kv_heads,
        "e": config.head_width,
        "f": config.hidden_width,
        "n": config.n_experts,
        "k": config.n_active_experts,
        "v": config.vocab_size,
    }


_PARTS = ("attention", "feed_forward")
_BLOCKS: Mapping[str, Callable[[_Drawing], None]] = {
    "sequential": _sequential,
    "parallel": _parallel,
    "parallel_two_norms": _parallel,
}
_FEED_FORWARDS: Mapping[tuple[bool, bool], Callable[[_Drawing], None]] = {
    (False, False): _plain,
    (False, True): _gated,
    (True, True): _experts,
}
"""By whether there are experts, and a gate."""
_ACTIVATIONS = {
    "swiglu": "silu",
    "geglu": "gelu",
    "reglu": "relu",
    "gelu": "gelu",
    "gelu_exact": "exact_gelu",
    "relu": "relu",
    "relu_squared": "squared_relu",
}
_ADDED = {"learned": "+ learned positions", "sinusoidal": "+ waves"}
