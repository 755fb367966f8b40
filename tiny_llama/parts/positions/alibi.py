"""ALiBi, attention with linear biases (Press et al. 2021, arXiv:2108.12409)."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from tiny_llama.parts.positions.base import Position


class Alibi(Position):
    """Lowers each score by slope * distance; every head has its own fixed slope."""

    slopes: Tensor

    def prepare(self) -> None:
        """Make the heads' slopes."""
        self.register_buffer("slopes", torch.tensor(head_slopes(self.n_heads)), persistent=False)

    def bias(self, n_readers: int, start: int = 0) -> Tensor:
        """Return -slope * distance, `h t s`."""
        return -self.slopes[:, None, None] * _distances(n_readers, start, self.slopes.device)


def head_slopes(n_heads: int) -> list[float]:
    """Compute the paper's slopes: a geometric series from 2^(-8/n) down to 2^-8.

    For a number of heads that is no power of two, the series of the next lower power, then every
    other slope of the next higher one, as in the authors' code.
    """
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * (n_heads - power), 2)]


@lru_cache(maxsize=8)
def _distances(n_readers: int, start: int, device: torch.device) -> Tensor:
    """Compute how far back each source stands from each reader, `t s`; 0 for the future."""
    reader = torch.arange(start, start + n_readers, device=device)[:, None]
    source = torch.arange(start + n_readers, device=device)
    return (reader - source).clamp(min=0)
