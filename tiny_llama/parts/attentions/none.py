"""No attention: every token is on its own."""

import torch
from torch import Tensor, nn

from tiny_llama.parts.attentions.cache import LayerCache
from tiny_llama.parts.positions.base import Position


class NoAttention(nn.Module):
    """Adds nothing to the residual stream; takes an attention's numbers to stand in its place."""

    def __init__(self, **numbers: object) -> None:
        super().__init__()

    def forward(
        self, x: Tensor, position: Position, start: int = 0, cache: LayerCache | None = None
    ) -> Tensor:
        """Return zeros like `x`."""
        return torch.zeros_like(x)
