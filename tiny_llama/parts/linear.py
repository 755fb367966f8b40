"""The linear layer of every part: PyTorch's, with a faster matrix product where there is one."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

FEWEST_ROWS = 512
"""Fewer rows keep PyTorch's product: the other costs 10 us more a call and half a millisecond for
each new number of rows, which a text that grows token by token would pay again and again."""


class Linear(nn.Linear):
    """y = x W^T + b, as `nn.Linear` has it, at about twice the speed on the newest AMD processors.

    PyTorch multiplies float32 matrices with Intel's MKL, which on other makers' processors works
    with half as wide vectors (AVX2) as they may have (AVX-512). oneDNN, which PyTorch carries too,
    uses the full width, so where that pays it takes over whatever reads many tokens at once,
    training above all. `torch.backends.mkldnn.enabled = False` switches it off.
    """

    __call__: Callable[..., Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """Map `... d` to `... f`."""
        if x.numel() >= FEWEST_ROWS * self.in_features and _suits_onednn(x, self.weight):
            return Product.apply(x, self.weight, self.bias)
        return super().forward(x)


class Product(torch.autograd.Function):
    """x W^T + b of `... d`, `f d` and `f`, with both backward products by oneDNN as well."""

    apply: ClassVar[Callable[..., Tensor]]

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute it."""
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Compute from the output's gradient those of x, W and b, each where it is wanted."""
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        rows, g_rows = x.flatten(0, -2), g.flatten(0, -2)
        return (
            _product(g, weight.mT) if for_x else None,
            _product_over_rows(g_rows, rows) if for_weight else None,
            g_rows.sum(0) if for_bias else None,
        )


def _product_over_rows(left: Tensor, right: Tensor) -> Tensor:
    """Compute left^T right; oneDNN copies its first factor, so the narrower one stands first."""
    if left.shape[1] <= right.shape[1]:
        return _product(left.mT, right.mT)
    return _product(right.mT, left.mT).mT


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.dtype == torch.float32:
        y: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
        return y
    return F.linear(x, weight, bias)


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.is_cpu
        and x.dtype == weight.dtype == torch.float32
        and _processor_gains_by_onednn()
        and bool(torch.backends.mkldnn.enabled)
    )


@cache
def _processor_gains_by_onednn() -> bool:
    """Tell whether oneDNN is far ahead of MKL, by a measurement of some 20 ms, once a process.

    Of AMD's processors with AVX-512 it takes half the time on Zen 5, and nearly all of it on Zen 4,
    which is half as wide inside; a few percent are less than Python's part in each product costs.
    Nothing lies between the two, so that a busy machine too comes to the same answer each time,
    and a run to the same numbers.
    """
    is_amd = "AMD" in torch.cpu.get_capabilities().get("cpu_name", "")
    is_wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    if not (is_amd and is_wide and torch.backends.mkldnn.is_available()):
        return False
    x, weight = torch.ones(FEWEST_ROWS, 256), torch.ones(256, 256)
    mkl, onednn = _quickest(lambda: F.linear(x, weight), lambda: _product(x, weight))
    return onednn < 0.7 * mkl


@torch.no_grad()
def _quickest(*ways: Callable[[], Tensor], n_rounds: int = 12) -> list[float]:
    """Measure the seconds of the quickest call of each, all taking turns."""
    seconds = [[_seconds(way) for way in ways] for _ in range(n_rounds)]
    return [min(each) for each in zip(*seconds, strict=True)]


def _seconds(way: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began
