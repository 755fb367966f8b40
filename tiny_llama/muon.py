"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before each step."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from tiny_llama.optimizers import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's a, b, c of a X + b (X X^T) X + c (X X^T)^2 X, which draws singular values towards 1."""


class Muon(Optimizer):
    """The update is U V^T of the momentum U S V^T, nearly: every direction counts alike.

    Scaled as in Liu et al. 2025 (arXiv:2502.16982), so that learning rate and weight decay mean
    what they mean for AdamW. `torch.optim.Muon` is the same, one matrix after another and always
    in bfloat16, for which processors without instructions for it take twelve times as long; here
    matrices of a shape go together, and in bfloat16 only where the processor has it.

    Args:
        matrices: what to move.
        lr: length of a step.
        weight_decay: share of the weights, times `lr`, that each step takes away.
        momentum: how long gradients are remembered.
    """

    def __init__(
        self, matrices: Iterable[Tensor], *, lr: float, weight_decay: float, momentum: float
    ) -> None:
        group = {"params": matrices, "weight_decay": weight_decay}
        super().__init__([group], lr=lr, momentum=momentum)

    def move(self, parameters: list[Tensor], group: Mapping[str, Any]) -> None:
        """Move matrices, those of a shape together."""
        for shape, alike in groupby(sorted(parameters, key=_shape), key=_shape):
            matrices = list(alike)
            updates = [self._remember(p, group["momentum"]) for p in matrices]
            length = 0.2 * max(shape) ** 0.5 * group["lr"]
            for p, update in zip(matrices, orthogonal(torch.stack(updates)), strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-length)

    def _remember(self, p: Tensor, momentum: float) -> Tensor:
        """Take a gradient into the average of all so far, and look one step ahead (Nesterov)."""
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        average: Tensor = state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(average, momentum)


def orthogonal(matrices: Tensor, n_rounds: int = 5) -> Tensor:
    """Draw all singular values of matrices, `n d f`, to about 1, by Newton and Schulz's method."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if is_tall else matrices).to(_number_type(matrices))
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(n_rounds):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if is_tall else x).to(matrices.dtype)


def _shape(matrix: Tensor) -> tuple[int, ...]:
    return tuple(matrix.shape)


def _number_type(matrices: Tensor) -> torch.dtype:
    """Choose what to multiply in: the method forgives rounding."""
    has_it = torch.cpu.get_capabilities().get("avx512_bf16", False)
    uses_it = has_it and torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.bfloat16 if uses_it or not matrices.is_cpu else matrices.dtype
