"""Parameters: how many numbers a model learns, and in which of its parts they stand."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import streamlit as st

from explorer import showing
from explorer.figures.amounts import in_words
from explorer.figures.costs import Box, parameter_map
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import COMPONENTS, Shape, active_parameters, parameter_kinds
from tiny_llama.setup import Setup

TITLES = {
    "embedding": "Embedding",
    "position": "Position table",
    "attention": "Attention",
    "feed_forward": "Feed-forward",
    "norm": "Norms",
    "unembedding": "Unembedding",
}
OUTSIDE_NORMS = {"norm": "last norm", "embedding_norm": "norm behind the embedding"}
ORDERS = {"component": "By component", "place": "By place"}
FEW_LAYERS = 8
"""So many are shown one by one; more as one box."""
WHOLE = "model"
IN_LAYER = "blocks.*."
"""What the path of a tensor that each layer has begins with."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A matrix or vector that stands in the model once or several times."""

    component: str
    place: str
    """The layer or layers; for what stands in no layer, its own name."""
    name: str
    shape: Shape
    times: int

    @property
    def n_parameters(self) -> int:
        """In all places together."""
        return self.times * prod(self.shape)

    @property
    def is_in_layer(self) -> bool:
        """Whether it stands in a layer."""
        return self.place != self.name


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show the parameters of a setup as a tree map, a table and a sum."""
    config = setup.model
    parts = list(parts_of(config))
    equal = list(parts_of(config, few_layers=0))
    counts = by_component(parts)
    with stage.controls:
        order = choose_named("Boxes", ORDERS, key="boxes", as_buttons=True)
        boxes = list(boxes_of(parts, order))
        opened = _choose_box(boxes)
    showing.in_one_line(_numbers(config, counts))
    showing.draw(parameter_map(boxes, opened), key="parameter_map")
    with stage.below:
        st.markdown(component_table(equal))
        with st.expander("Every matrix", icon=":material/table:"):
            st.markdown(matrix_table(equal))
    stage.explain(code="tiny_llama.cost:parameter_kinds")


def parts_of(config: ModelConfig, *, few_layers: int = FEW_LAYERS) -> Iterator[Part]:
    """Yield every learned tensor; a joined projection as the queries, keys and values it holds.

    Args:
        config: the model.
        few_layers: if there are more, they are counted together.
    """
    kinds = list(parameter_kinds(config))
    in_layers = [kind for kind in kinds if kind.path.startswith(IN_LAYER)]
    yield from (_outside(kind.path, kind.shape) for kind in kinds if kind not in in_layers)
    for place, n_layers in _places(config.n_layers, few_layers):
        for kind in in_layers:
            times = n_layers * kind.times // config.n_layers
            for name, shape in _pieces(config, kind.path.removeprefix(IN_LAYER), kind.shape):
                yield Part(
                    component=_component(name), place=place, name=name, shape=shape, times=times
                )


def by_component(parts: list[Part]) -> dict[str, int]:
    """Count the parameters of each component, in reading order."""
    counts = dict.fromkeys(COMPONENTS, 0)
    for part in parts:
        counts[part.component] += part.n_parameters
    return counts


def boxes_of(parts: list[Part], order: str) -> Iterator[Box]:
    """Yield a tree map's boxes: the whole, and in it by component, or by place, each matrix."""
    sums: Counter[tuple[str, ...]] = Counter()
    kinds: dict[tuple[str, ...], set[int]] = {}
    for part in sorted(parts, key=lambda part: COMPONENTS.index(part.component)):
        path = _path(part, order)
        for depth in range(len(path) + 1):
            sums[path[:depth]] += part.n_parameters
            kinds.setdefault(path[:depth], set()).add(COMPONENTS.index(part.component))
    for path, n_parameters in sums.items():
        yield Box(
            id="/".join((WHOLE, *path)),
            inside="/".join((WHOLE, *path[:-1])) if path else "",
            label=path[-1] if path else "The whole model",
            kind=kinds[path].pop() if len(kinds[path]) == 1 else -1,
            n_parameters=n_parameters,
        )


def component_table(parts: list[Part]) -> str:
    """Count each component's parameters with the sum written out, in Markdown."""
    counts = by_component(parts)
    whole = sum(counts.values())
    rows = [["Component", "Parameters", "Share", "Sum"]]
    for component, n in counts.items():
        if n:
            share = f"{n / whole:.1%}" if n / whole >= 5e-4 else f"{100 * n / whole:.1g}%"
            rows.append([TITLES[component], f"{n:,}", share, written_out(parts, component)])
    if not counts["unembedding"]:
        rows.append([TITLES["unembedding"], "0", "–", "tied: the embedding's matrix"])
    rows.append(["**All**", f"**{whole:,}**", "100%", ""])
    return showing.markdown_table(rows, "lrrl")


def written_out(parts: list[Part], component: str) -> str:
    """Write a component's sum with the numbers in it, such as `80 × (8,192 × 8,192 + …)`."""
    by_times: dict[int, Counter[Shape]] = {}
    for part in parts:
        if part.component == component:
            by_times.setdefault(part.times, Counter())[part.shape] += 1
    sums = []
    for times, shapes in by_times.items():
        terms = [_term(shape, count) for shape, count in shapes.items()]
        joined = " + ".join(terms)
        bracketed = f"({joined})" if len(terms) > 1 else joined
        sums.append(f"{times:,} × {bracketed}" if times > 1 else joined)
    return " + ".join(sums)


def matrix_table(parts: list[Part]) -> str:
    """List every matrix with its shape and how often it stands in the model, in Markdown."""
    rows = [["What", "Shape", "Times", "Parameters"]]
    for part in parts:
        shape = " × ".join(f"{side:,}" for side in part.shape)
        name = f"`{part.name}`" if part.is_in_layer else part.name
        rows.append([name, shape, f"{part.times:,}", f"{part.n_parameters:,}"])
    return showing.markdown_table(rows, "lrrr")


def _numbers(config: ModelConfig, counts: Mapping[str, int]) -> dict[str, str]:
    whole = sum(counts.values())
    inside = counts["attention"] + counts["feed_forward"]
    tied = "tied, one matrix" if config.tied_unembedding else "untied, two matrices"
    short = {"In short": in_words(whole)} if whole >= 10**6 else {}
    active = {"Active for a token": in_words(active_parameters(config))}
    return {
        "Parameters": f"{whole:,}",
        **short,
        **(active if config.has_experts else {}),
        "In attention and feed-forward": f"{inside / whole:.1%}",
        "Embedding and unembedding": tied,
    }


def _choose_box(boxes: list[Box]) -> str:
    """Let the student walk the map without a mouse; the opened box is in the link by its name."""
    holding = {box.inside for box in boxes}
    titles = {
        box.id: " › ".join(box.id.split("/")[1:]) or box.label for box in boxes if box.id in holding
    }
    return choose_named("Open", titles, key="box", usual=WHOLE)


def _outside(path: str, shape: Shape) -> Part:
    component = _component(path)
    name = OUTSIDE_NORMS.get(path.split(".", maxsplit=1)[0], TITLES[component].lower())
    return Part(component=component, place=name, name=name, shape=shape, times=1)


def _pieces(config: ModelConfig, name: str, shape: Shape) -> list[tuple[str, Shape]]:
    """Give a tensor by its name, or the three that a joined projection holds."""
    if "to_qkv" not in name:
        return [(name, shape)]
    kept = config.kv_heads * config.head_width
    rows = {"queries": config.n_heads * config.head_width, "keys": kept, "values": kept}
    return [(f"{name}: {piece}", (n, *shape[1:])) for piece, n in rows.items()]


def _places(n_layers: int, few_layers: int) -> Iterator[tuple[str, int]]:
    """Yield layers by title, and how many of them: one by one if they are few, else all together.

    What layers learn is alike in all of them, whatever they read.
    """
    if n_layers <= few_layers:
        yield from ((f"layer {number}", 1) for number in range(n_layers))
        return
    yield (f"{n_layers:,} layers" if n_layers > 1 else "1 layer"), n_layers


def _component(path: str) -> str:
    first = path.split(".", maxsplit=1)[0]
    return "norm" if first.endswith("norm") else first


def _path(part: Part, order: str) -> tuple[str, ...]:
    title = TITLES[part.component]
    if not part.is_in_layer:
        return (title, part.name) if part.component == "norm" and order == "component" else (title,)
    matrix = part.name.replace(".weight", "").removeprefix(f"{part.component}.")
    matrix = matrix.replace("experts.*.", "experts: ")
    return {
        "component": (title, part.place, matrix),
        "place": (part.place, title, matrix),
    }[order]


def _term(shape: Shape, count: int) -> str:
    sides = " × ".join(f"{side:,}" for side in shape)
    return f"{count} × {sides}" if count > 1 else sides
