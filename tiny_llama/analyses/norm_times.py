"""How long the two norms take, measured."""

import time
from collections.abc import Iterator
from statistics import median

import torch
from torch import nn

from tiny_llama.analyses import Found
from tiny_llama.analyses.norms import COMPARED
from tiny_llama.menu import NORM

REPEATS = 15


def norm_times(*, width: int, n_tokens: int) -> Iterator[Found | None]:
    """Run RMSNorm and LayerNorm in turn, as training does (forward, backward), and take medians.

    Args:
        width: of a token's vector.
        n_tokens: how many are normed at once.

    Yields:
        Nothing after each run, then `names`, `forward` and `both`: seconds by norm, in that order.
    """
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(n_tokens, width, generator=draw, requires_grad=True)
    norms = {name: NORM[name].load()(width, 1e-5) for name in COMPARED}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMPARED}
    for _ in range(REPEATS + 1):
        for name, norm in norms.items():
            times[name].append(_time(norm, x))
            yield None
    measured = [[median(each) for each in zip(*times[name][1:], strict=True)] for name in COMPARED]
    yield {
        "names": list(COMPARED),
        "forward": [forward for forward, _ in measured],
        "both": [both for _, both in measured],
    }


@torch.enable_grad()
def _time(norm: nn.Module, x: torch.Tensor) -> tuple[float, float]:
    began = time.perf_counter()
    y = norm(x)
    forward = time.perf_counter() - began
    torch.autograd.grad(y, [x, *norm.parameters()], torch.ones_like(y))
    return forward, time.perf_counter() - began
