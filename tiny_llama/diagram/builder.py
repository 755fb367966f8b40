"""A panel is put together box by box and wire by wire."""

import re
from collections.abc import Mapping
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.cost import Shape, parameter_shapes
from tiny_llama.diagram.records import Box, Panel, Wire

WHOLE = "."
"""The path of what the panel's part gives as a whole."""


class Builder:
    """Takes boxes and wires in the order in which they compute, and knows what they learn.

    Args:
        config: the model's.
        sizes: how long each axis is, by its letter.
        prefix: what paths of tensors begin with in this panel.
        branches: what runs side by side in it, from left to right.
    """

    def __init__(
        self,
        config: ModelConfig,
        sizes: Mapping[str, int],
        prefix: str = "",
        branches: tuple[str, ...] = (),
    ) -> None:
        self.config, self.sizes, self.prefix = config, sizes, prefix
        self.branches = branches
        self.shapes = parameter_shapes(replace(config, n_layers=min(config.n_layers, 1)))
        self.boxes: dict[str, Box] = {}
        self.wires: list[Wire] = []
        self.last = ""

    def put(self, box: Box) -> None:
        """Add a box that wires will lead to."""
        self.boxes[box.name] = replace(box, weights=self._weights(box.name))
        self.last = box.name

    def then(self, box: Box, path: str, axes: str) -> None:
        """Add a box behind the last one, with a wire from there."""
        start = self.last
        self.put(box)
        self.wire(start, box.name, path, axes)

    def wire(self, start: str, end: str, path: str, axes: str, *, branch: str = "") -> None:
        """Lead a tensor from one box to another."""
        self._add(start, end, path, axes, branch=branch)

    def bypass(self, start: str, end: str) -> None:
        """Lead the residual stream around what stands between."""
        self._add(start, end, "", "t d", goes_around=True)

    def panel(self, name: str, title: str) -> Panel:
        """Give what has been put together."""
        return Panel(
            name=name,
            title=title,
            branches=self.branches,
            boxes=tuple(self.boxes.values()),
            wires=tuple(self.wires),
        )

    def _add(
        self,
        start: str,
        end: str,
        path: str,
        axes: str,
        *,
        branch: str = "",
        goes_around: bool = False,
    ) -> None:
        self.wires.append(
            Wire(
                start=start,
                end=end,
                path=f"{self.prefix}{path}".rstrip(".") if path else "",
                axes=axes,
                shape=tuple(self.sizes[letter] for letter in axes.split()),
                branch=branch,
                goes_around=goes_around,
            )
        )

    def _weights(self, name: str) -> dict[str, Shape]:
        """Find what a box learns; of a block, the first one stands for all."""
        of_first = re.sub(r"\d+", "0", self.prefix)
        prefix = "blocks.0." if name == "blocks" else f"{of_first}{name}."
        return {
            path.removeprefix(of_first): shape
            for path, shape in self.shapes.items()
            if path.startswith(prefix)
        }
