"""Sinusoidal positions of the first transformer (Vaswani et al. 2017, arXiv:1706.03762)."""

import torch
from torch import Tensor

from tiny_llama.parts.positions.base import Position


class Sinusoidal(Position):
    """Adds a fixed pattern of sines and cosines, from fast to slow, to each position.

    Coordinate 2i gets sin(position / 10000^(2i/d)), coordinate 2i + 1 the cosine of the same.
    """

    waves: Tensor

    def prepare(self) -> None:
        """Make the table of waves."""
        self._fill_table(self.context, torch.get_default_device())

    def embed(self, x: Tensor, start: int = 0) -> Tensor:
        """Add the waves at each position to `b t d`."""
        end = start + x.shape[1]
        if end > len(self.waves):
            self._fill_table(end, x.device)
        return x + self.waves[start:end]

    def _fill_table(self, n_positions: int, device: torch.device) -> None:
        pair = torch.arange(0, self.d_model, 2, dtype=torch.float64, device="cpu")
        position = torch.arange(n_positions, dtype=torch.float64, device="cpu")
        angle = torch.outer(position, 10_000.0 ** (-pair / self.d_model))
        waves = torch.stack([angle.sin(), angle.cos()], -1).flatten(1).float()
        self.register_buffer("waves", waves.to(device), persistent=False)
