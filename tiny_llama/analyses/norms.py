"""RMSNorm beside LayerNorm, on what the norms of a model really read."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.analyses import Found
from tiny_llama.analyses.places import BLOCK_NORMS, FACTORS, SHIFTS, norm_at, norm_places
from tiny_llama.analyses.stream import Stream, read_stream
from tiny_llama.analyses.subject import Subject
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import NORM, NORM_PLACEMENT

COMPARED = ("rmsnorm", "layernorm")


@torch.no_grad()
def norms(
    subject: Subject, *, text: str, place: int, token: int, factor: float, shift: float
) -> Found:
    """Send what one norm of the model reads through both norms, neither with a learned gain.

    Args:
        subject: the model.
        text: what it reads.
        place: one of `norm_places`.
        token: counted from 0; one that the text does not have counts as its last.
        factor: what the vectors are multiplied by, to see what that changes.
        shift: what is added to each of their numbers, likewise, in units of `unit`.

    Returns:
        `tokens`; of each token's vector, `t`: `means`, `stds`, `rms`, `mean_shares` (what the mean
        takes of its squared length) and `cosines` (between the two results); `read`, what is read,
        `t d`; `results`, of the chosen token by both norms, `2 d`, RMSNorm first, as everywhere
        below; the relative change of the results, |norm(x') - norm(x)| / |norm(x)|, the most over
        the tokens: `factor_change` and `shift_change`, `2`, and over `FACTORS` and `SHIFTS`, `2 n`:
        `factor_changes`, `shift_changes`; `unit`, the root mean square of all that is read; and
        `gain`, what the model's own norm has learned there, `d`, or empty.

    Raises:
        TextError: if the text has no token.
        ConfigError: if there is no such place.
    """
    places = norm_places(subject.model.config)
    if place not in places:
        raise ConfigError(
            f"place={place} has no norm in this model; choose one of {', '.join(map(str, places))}."
        )
    ids = subject.read(text)
    x = _read(subject.model.config, read_stream(subject, ids), place)
    plain = [_without_gain(name, subject) for name in COMPARED]
    rms, layer = (norm(x) for norm in plain)
    unit = x.square().mean().sqrt()
    return {
        "tokens": subject.labels(ids),
        **_statistics(x),
        "cosines": F.cosine_similarity(rms, layer, dim=-1).numpy(),
        "read": x.numpy().copy(),
        "results": torch.stack([rms, layer])[:, min(token, len(ids) - 1)].numpy(),
        "factor_change": _changes(plain, x, lambda c: c * x, [factor])[:, 0],
        "shift_change": _changes(plain, x, lambda c: x + c * unit, [shift])[:, 0],
        "factor_changes": _changes(plain, x, lambda c: c * x, FACTORS.tolist()),
        "shift_changes": _changes(plain, x, lambda c: x + c * unit, SHIFTS.tolist()),
        "unit": float(unit),
        "gain": _gain(subject, place),
    }


def _read(config: ModelConfig, stream: Stream, place: int) -> Tensor:
    """Give what the norm at a place reads, `t d`."""
    name, layer = norm_at(config, place)
    if layer is None:
        return stream.values[-1]
    part, is_on_output = BLOCK_NORMS[name]
    part += 2 * layer
    if is_on_output:
        return stream.given[part]
    if NORM_PLACEMENT[config.norm_placement].after:
        return stream.values[part] + stream.added[part]
    return stream.values[part if config.block == "sequential" else 2 * layer]


def _without_gain(name: str, subject: Subject) -> nn.Module:
    """Build a norm of the menu as it starts: gain 1, bias 0."""
    config = subject.model.config
    norm: nn.Module = NORM[name].load()(config.d_model, config.norm_eps)
    return norm


def _statistics(x: Tensor) -> dict[str, np.ndarray]:
    means, squares = x.mean(-1), x.square().mean(-1)
    return {
        "means": means.numpy(),
        "stds": x.std(-1, correction=0).numpy(),
        "rms": squares.sqrt().numpy(),
        "mean_shares": (means.square() / squares).numpy(),
    }


def _changes(
    plain: list[nn.Module], x: Tensor, change: Callable[[float], Tensor], by: list[float]
) -> np.ndarray:
    """Find the most by which each norm's result moves at any token, as a share of its length."""
    found = []
    for norm in plain:
        before = norm(x)
        moved = [(norm(change(c)) - before).norm(dim=-1) / before.norm(dim=-1) for c in by]
        found.append(torch.stack(moved).amax(-1))
    return torch.stack(found).numpy()


def _gain(subject: Subject, place: int) -> np.ndarray:
    """Give what the norm at a place multiplies by; empty where it is no norm that learns."""
    name, layer = norm_at(subject.model.config, place)
    path = name if layer is None else f"blocks.{layer}.{name}"
    weight = dict(subject.model.named_parameters()).get(f"{path}.weight")
    return np.zeros(0, np.float32) if weight is None else weight.detach().numpy().copy()
