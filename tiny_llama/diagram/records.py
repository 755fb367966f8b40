"""A diagram consists of panels of boxes, and of the wires between these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from tiny_llama.cost import Shape

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

Kind = Literal["box", "pill", "round", "fold"]
"""A box computes, a pill is a tensor, a round is an addition or a product, and a fold is several
things in one, which another panel opens."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something that computes, or a tensor by itself."""

    name: str
    """Unlike any other in its panel."""
    title: str
    detail: str = ""
    """A second line, such as a window's width."""
    part: str
    """What it belongs to: a slot of the menu, or a few words beside it, such as "embedding"."""
    step: str
    """Which piece of the part: an option of the slot, or a step such as "scores"."""
    kind: Kind = "box"
    branches: tuple[str, ...] = ()
    """On which of its panel's branches it stands; none: on all."""
    weights: Mapping[str, Shape] = field(default_factory=dict)
    """Shapes of what it learns, by path."""

    @property
    def n_parameters(self) -> int:
        """Count the numbers that one of it learns."""
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
    branch: str = ""
    """The branch that it runs along, where neither of its boxes stands on that one alone."""
    goes_around: bool = False
    """Whether it is the residual stream, which passes by what stands between, unchanged."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the diagram: the whole model, or one of its parts opened."""

    name: str
    title: str
    branches: tuple[str, ...]
    """What runs side by side in it, from left to right."""
    boxes: tuple[Box, ...]
    """In the order in which they compute."""
    wires: tuple[Wire, ...]
