"""Learned positions (Gehring et al. 2017, arXiv:1705.03122), the positions of GPT-2 and GPT-3."""

import torch
from torch import Tensor, nn

from tiny_llama.parts.positions.base import Position


class Learned(Position):
    """Adds a learned vector for each position; positions past the table do not exist."""

    def prepare(self) -> None:
        """Make the table that is learned."""
        self.longest = self.context
        self.table = nn.Parameter(torch.empty(self.context, self.d_model))

    def embed(self, x: Tensor, start: int = 0) -> Tensor:
        """Add the rows of the table to `b t d`."""
        return x + self.table[start : start + x.shape[1]]
