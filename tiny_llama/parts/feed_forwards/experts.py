"""A mixture of experts (Shazeer et al. 2017, arXiv:1701.06538), as Mixtral has it (2401.04088)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from tiny_llama.parts.feed_forwards.gated import SwiGLU
from tiny_llama.tap import Tap


class Expert(SwiGLU):
    """A SwiGLU that reads another number of tokens each time, which PyTorch's own product suits."""

    linear = nn.Linear


class SwiGLUExperts(nn.Module):
    """Several SwiGLUs; for each token a router picks a few, and their outputs are mixed.

    y = sum over the chosen of p_i expert_i(x), where p is the softmax of the scores of the chosen.
    Nothing keeps the router from favouring some experts: the loss that Mixtral adds to its own for
    the sake of balance is left out.
    """

    def __init__(
        self,
        *,
        d_model: int,
        d_hidden: int,
        bias: bool,
        n_experts: int,
        n_active_experts: int,
    ) -> None:
        super().__init__()
        self.n_active = n_active_experts
        self.router = nn.Linear(d_model, n_experts, bias=False)
        self.experts = nn.ModuleList(
            Expert(d_model=d_model, d_hidden=d_hidden, bias=bias) for _ in range(n_experts)
        )
        self.routing = Tap()

    def forward(self, x: Tensor) -> Tensor:
        """Map `b t d` to `b t d`; the router's scores are `b t n` for n experts."""
        scores, chosen = self.routing(self.router(x)).topk(self.n_active, dim=-1)
        chosen, order = chosen.flatten().sort(stable=True)  # the tokens of each expert together
        rows = x.flatten(0, 1)[order // self.n_active].unsqueeze(0)  # as one text, for who watches
        pieces = rows.split(self._shares(chosen), dim=1)
        given = torch.cat([each(z) for each, z in zip(self.experts, pieces, strict=True)], 1)
        given = given[0, order.argsort()].view(*scores.shape, -1)  # b t k d for k chosen experts
        return (scores.softmax(-1)[..., None] * given).sum(-2)

    def _shares(self, chosen: Tensor) -> list[int]:
        """Count each expert's tokens; where nothing is computed, each has as many as another."""
        n_experts = len(self.experts)
        if chosen.is_meta:
            ends = [len(chosen) * i // n_experts for i in range(n_experts + 1)]
            return [end - start for start, end in pairwise(ends)]
        shares: list[int] = torch.bincount(chosen, minlength=n_experts).tolist()
        return shares
