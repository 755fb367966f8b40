"""No feed-forward network: a model of attention alone."""

import torch
from torch import Tensor, nn


class NoFeedForward(nn.Module):
    """Adds nothing to the residual stream."""

    def __init__(self, *, d_model: int, d_hidden: int, bias: bool) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros like `x`."""
        return torch.zeros_like(x)
