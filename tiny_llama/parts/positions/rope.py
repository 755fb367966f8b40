"""Rotary position embeddings (Su et al. 2021, arXiv:2104.09864), the positions of LLaMA."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

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
    sin_of_first: Tensor
    sin_of_second: Tensor

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
        tables = (z[start:end] for z in (self.cos, self.sin_of_first, self.sin_of_second))
        half = self.d_turned // 2
        q, k = Turn.apply(q.transpose(1, 2), k.transpose(1, 2), half, *tables)
        return q.transpose(1, 2), k.transpose(1, 2)

    def frequencies(self) -> Tensor:
        """Give the radians that each pair turns a position, `e/2`, fastest first."""
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
        """Precompute the angles' cos and sin, `t (h e)`, for all heads of a token in one row.

        Each head has numbers of its own, though all are alike: a product of tables as wide as the
        queries is three times as fast as one that repeats a narrow table head by head. There is
        one sin for the first coordinate of each pair and one for the second, each 0 at the other;
        coordinates that do not turn have cos 1 and sin 0.
        """
        angle = torch.outer(
            torch.arange(n_positions, dtype=torch.float64, device="cpu"), self.frequencies()
        )
        length = self._score_scale**0.5
        cos, sin, zeros = length * angle.cos(), length * angle.sin(), torch.zeros_like(angle)
        tables = {
            "cos": torch.cat([cos, cos], -1),
            "sin_of_first": torch.cat([sin, zeros], -1),
            "sin_of_second": torch.cat([zeros, sin], -1),
        }
        n_still = self.d_head - self.d_turned
        for name, table in tables.items():
            head = F.pad(table, (0, n_still), value=float(name == "cos")).float()
            self.register_buffer(name, head.to(device).repeat(1, self.n_heads), persistent=False)


class Turn(torch.autograd.Function):
    """The rotation of queries and keys `b t h e`, the order in which a projection lies in memory.

    Its gradient is the rotation back; autograd, which does not know that, takes half as long again.
    """

    apply: ClassVar[Callable[..., tuple[Tensor, Tensor]]]

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, half: int, *tables: Tensor) -> tuple[Tensor, ...]:
        """Turn by the tables' angles; `half` is how far apart the coordinates of a pair lie."""
        ctx.half = half
        ctx.save_for_backward(*tables)
        return _turn(q, half, tables), _turn(k, half, tables)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, for_q: Tensor, for_k: Tensor) -> tuple[Tensor | None, ...]:
        """Turn by minus those angles."""
        back = (_turn(g, ctx.half, ctx.saved_tensors, sign=-1) for g in (for_q, for_k))
        return *back, None, None, None, None


def _turn(x: Tensor, half: int, tables: tuple[Tensor, ...], sign: int = 1) -> Tensor:
    """Rotate the pairs (i, i + half) in each head of `b t h e`; sign -1 turns them back.

    A pair (a, b) becomes (a cos - b sin, b cos + a sin). All heads of a token lie in one row, so
    every coordinate meets the other one of its pair where the row is moved by `half`.
    """
    cos, sin_of_first, sin_of_second = tables
    rows = x.flatten(2)
    width = rows.shape[-1]
    turned = rows * cos[:, :width]
    first, second = turned[..., :-half], turned[..., half:]
    first.addcmul_(rows[..., half:], sin_of_first[:, : width - half], value=-sign)
    second.addcmul_(rows[..., :-half], sin_of_second[:, half:width], value=sign)
    return turned.view_as(x)
