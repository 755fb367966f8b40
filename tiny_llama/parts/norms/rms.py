"""RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), the norm of LLaMA."""

import torch
from torch import Tensor, nn
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
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
