"""The activations of all feed-forward networks, each with its derivative."""

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.menu import FEED_FORWARD

STEPS = 120
"""From 0 to 6, and as many from -6 to 0, of 1/20 each."""
CURVES = tuple(
    name for name, option in FEED_FORWARD.items() if option.n_matrices and not option.has_experts
)
"""The feed-forward networks that have an activation of their own, in the order of the menu."""


@torch.enable_grad()
def activations() -> Found:
    """Compute the very functions that the feed-forward networks run, and their derivatives.

    Returns:
        `names`, `CURVES`; `z`, from -6 to 6 in steps of 1/20, `n`; `values`, act(z), and `slopes`,
        act'(z) as training computes it, both `c n`.
    """
    z = torch.arange(-STEPS, STEPS + 1, dtype=torch.float64) / 20
    values, slopes = [], []
    for name in CURVES:
        part = FEED_FORWARD[name].load()(d_model=1, d_hidden=1, bias=False)
        at = z.clone().requires_grad_()
        value = part.activate(at)
        (slope,) = torch.autograd.grad(value.sum(), at)
        values.append(value.detach().numpy())
        slopes.append(slope.numpy())
    return {
        "names": list(CURVES),
        "z": z.numpy(),
        "values": np.stack(values),
        "slopes": np.stack(slopes),
    }
