"""Rotary position embeddings (Su et al. 2021, arXiv:2104.09864), the positions of LLaMA."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tiny_llama.parts.positions.base import Position


class Rope(Position):
    """Turns each pair of a query's and a key's coordinates by an angle that grows with position.

    Pair i turns by position * theta^(-2i / e), where e is the head's width. A score then depends
    only on how far apart query and key stand. The pairs are (i, i + e/2), "rotate-half", as Hugging
    Face lays the weights out; Meta's own code pairs (2i, 2i + 1), which is the same up to a fixed
    reordering. Where only the first `d_turned` coordinates of a head turn (GPT-NeoX,
    arXiv:2204.06745), e is their number.
    """

    cos: Tensor
    sin: Tensor

    def prepare(self) -> None:
        """Make the tables of angles."""
        pair = torch.arange(0, self.d_turned, 2, dtype=torch.float64, device="cpu")
        self._frequencies, self._score_scale = self.theta ** (-pair / self.d_turned), 1.0
        self._fill_tables(self.context, torch.get_default_device())

    def rotate(self, q: Tensor, k: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
        """Turn queries and keys `b h t e` by their positions."""
        end = start + q.shape[2]
        if end > len(self.cos):
            self._fill_tables(end, q.device)
        cos, sin = self.cos[start:end], self.sin[start:end]
        n_keys = k.shape[1]
        return _turn_heads(q, cos, sin), _turn_heads(k, cos[:, :n_keys], sin[:, :n_keys])

    def frequencies(self) -> Tensor:
        """Radians that each pair turns a position, `e/2`, fastest first."""
        return self._frequencies

    def retune(self, frequencies: Sequence[float], *, score_scale: float = 1.0) -> None:
        """Turn by other frequencies from now on, as schemes for longer contexts do after training.

        Args:
            frequencies: radians that each pair turns a position, `e/2`.
            score_scale: what all scores are multiplied by (YaRN, arXiv:2309.00071); queries and
                keys each become longer by its square root.
        """
        self._frequencies = torch.tensor(frequencies, dtype=torch.float64, device="cpu")
        self._score_scale = score_scale
        self._fill_tables(len(self.cos), self.cos.device)

    @torch.inference_mode(False)  # else what generation fills could never be trained with
    def _fill_tables(self, n_positions: int, device: torch.device) -> None:
        """Precompute cos and sin, `t h e`; sin carries the minus sign of a rotation's first half.

        Each head has a row of its own, though all are alike: a product of tables as wide as the
        queries is three times as fast as one that repeats a narrow table head by head.
        """
        angle = torch.outer(
            torch.arange(n_positions, dtype=torch.float64, device="cpu"), self.frequencies()
        )
        length = self._score_scale**0.5
        cos, sin = (length * angle.cos()).float(), (length * angle.sin()).float()
        tables = {"cos": torch.cat([cos, cos], -1), "sin": torch.cat([-sin, sin], -1)}
        for name, table in tables.items():
            for_every_head = table.to(device)[:, None].repeat(1, self.n_heads, 1)
            self.register_buffer(name, for_every_head, persistent=False)


def _turn_heads(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the first e coordinates of each head of `b h t _`, by tables `t h e`."""
    x, n_turned = x.transpose(1, 2), cos.shape[-1]
    if n_turned == x.shape[-1]:
        turned = Turn.apply(x, cos, sin)
    else:
        turned = torch.cat([Turn.apply(x[..., :n_turned], cos, sin), x[..., n_turned:]], -1)
    return turned.transpose(1, 2)


class Turn(torch.autograd.Function):
    """The rotation of `b t h e`, the order in which a projection lies in memory.

    Its gradient is the rotation back; autograd, which does not know that, takes half as long again.
    """

    apply: ClassVar[Callable[..., Tensor]]

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Turn by the tables' angles."""
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        """Turn by minus those angles."""
        cos, sin = ctx.saved_tensors
        return _turn(g, cos, sin, sign=-1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, sign: int = 1) -> Tensor:
    """Rotate the pairs (i, i + e/2) of `b t h e` by tables `t h e`; sign -1 turns them back.

    Each coordinate is mixed with the other one of its pair, row by row.
    """
    x = x.contiguous()
    first, second = x.chunk(2, -1)
    others = torch.cat((second, first), -1)
    return (x * cos).addcmul_(others, sin, value=sign)
