"""RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), the norm of LLaMA."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812


class RMSNorm(nn.Module):
    """Divides each token's vector by its root mean square, then scales each coordinate.

    y = weight * x / sqrt(mean(x^2) + eps), over the last axis. Unlike LayerNorm it does not
    subtract the mean and has no bias.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `... d`."""
        if torch.is_grad_enabled():
            return Normalize.apply(x, self.weight, self.eps)
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Normalize(torch.autograd.Function):
    """y = weight * u with u = x * scale and scale = 1 / sqrt(mean(x^2) + eps).

    Its gradient is dx = scale * (g * weight - u * mean(g * weight * u)), dweight = sum of g * u.
    LayerNorm's has one term more, scale * mean(g * weight), by which it takes out a mean that
    RMSNorm leaves in. PyTorch computes LayerNorm's in one pass, so it is taken at mean 0 and that
    term given back: half the time of `F.rms_norm`'s, and only x and a number a token to keep.
    """

    apply: ClassVar[Callable[..., Tensor]]

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """Normalise and scale `... d`."""
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        """Give dx and dweight."""
        x, weight, scale = ctx.saved_tensors
        mean, wanted = torch.zeros_like(scale), [True, True, False]
        for_x, for_weight, _ = torch.ops.aten.native_layer_norm_backward.default(
            g, x, weight.shape, mean, scale, weight, None, wanted
        )
        taken_out = g.matmul(weight)[..., None].mul_(scale)
        return for_x.add_(taken_out, alpha=1 / len(weight)), for_weight, None
