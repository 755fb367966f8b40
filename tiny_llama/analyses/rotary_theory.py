"""Rotary embeddings in NumPy (Su et al. 2021, arXiv:2104.09864): turns, wavelengths, stretching.

What the running model does is in `tiny_llama.parts.positions.rope`; this is the theory beside it,
for whoever holds no tensors. Coordinates of a query or key of width e are paired as (i, i + e/2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor, log, pi

import numpy as np

FEWEST_TURNS, MOST_TURNS = 1, 32
"""YaRN's alpha and beta, in turns over the context, as the paper recommends for LLaMA."""


def frequencies(d_head: int, theta: float) -> np.ndarray:
    """Give the radians that each pair turns a position, `e/2`, fastest first: theta^(-2i/e)."""
    return theta ** (-np.arange(0, d_head, 2) / d_head)


def wavelengths(turns: np.ndarray) -> np.ndarray:
    """Say after how many positions pairs of these frequencies are back where they were."""
    return 2 * pi / turns


def turned(x: np.ndarray, positions: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turn vectors by their positions, pairs being (i, i + e/2): "rotate-half".

    Args:
        x: `... t e`.
        positions: `t`.
        turns: the frequencies, `e/2`.
    """
    spun = as_planes(x) * np.exp(1j * np.outer(positions, turns))
    return np.concatenate([spun.real, spun.imag], -1)


def turned_interleaved(x: np.ndarray, positions: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turn vectors in the same way, pairs being (2i, 2i + 1): "interleaved"."""
    spun = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * np.outer(positions, turns))
    return np.stack([spun.real, spun.imag], -1).reshape(x.shape)


def to_interleaved(d_head: int) -> np.ndarray:
    """Give the order in which rotate-half's coordinates stand in the interleaved layout, `e`.

    `x[..., order]` is interleaved; `np.argsort(order)` leads back.
    """
    return np.arange(d_head).reshape(2, -1).T.ravel()


def as_planes(x: np.ndarray) -> np.ndarray:
    """Write each pair (i, i + e/2) of `... e` as a complex number, `... e/2`."""
    first, second = np.split(x, 2, -1)
    return first + 1j * second


def pair_scores(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Compute what each pair adds to the scaled score of each turned query and key, `t s e/2`.

    Args:
        q: turned queries, `t e`.
        k: turned keys, `s e`.
    """
    scores: np.ndarray = (as_planes(q)[:, None] * as_planes(k).conj()[None]).real
    scores /= q.shape[-1] ** 0.5
    return scores


def average_scores(
    q: np.ndarray, k: np.ndarray, distances: np.ndarray, turns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of scaled scores when keys stand so far behind queries.

    Args:
        q: queries before they are turned, `n e`.
        k: the key of each, before it is turned, `n e`.
        distances: `d`.
        turns: the frequencies, `e/2`.

    Returns:
        Two arrays, `d`.
    """
    return _moments(as_planes(q) * as_planes(k).conj(), distances, turns, q.shape[-1])


def average_scores_of_all(
    q: np.ndarray, k: np.ndarray, distances: np.ndarray, turns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the same for every query, `t e`, with every key, `s e`."""
    products = as_planes(q)[:, None] * as_planes(k).conj()[None]
    return _moments(products.reshape(-1, len(turns)), distances, turns, q.shape[-1])


def score_bound(distances: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Compute how large a score can be at most, as far as the distance decides it, `d`.

    The mean length of the partial sums of e^(i distance turns), section 3.4.3 of the paper: of a
    bound in which the vectors themselves are another factor.
    """
    sums = np.cumsum(np.exp(1j * np.outer(distances, turns)), -1)
    means: np.ndarray = np.abs(sums).mean(-1)
    return means


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Frequencies for longer texts than a model was trained on."""

    turns: np.ndarray
    """`e/2`."""
    score_scale: float = 1.0
    """What all scores are multiplied by."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A way to make a trained model read longer texts."""

    title: str
    tune: Callable[[int, float, float, int], Tuned]
    """Takes the width of a head, theta, the factor and the context in training."""
    paper: str


def as_trained(d_head: int, theta: float, factor: float = 1, context: int = 1) -> Tuned:
    """Change nothing: the model meets angles that it has never seen."""
    return Tuned(turns=frequencies(d_head, theta))


def position_interpolation(d_head: int, theta: float, factor: float, context: int = 1) -> Tuned:
    """Squeeze all positions into the context: every pair turns slower by the factor."""
    return Tuned(turns=frequencies(d_head, theta) / factor)


def ntk_aware(d_head: int, theta: float, factor: float, context: int = 1) -> Tuned:
    """Enlarge theta: the slowest pair turns slower by the factor, the fastest as ever."""
    if d_head == 2:  # its one pair is both
        return as_trained(d_head, theta)
    return Tuned(turns=frequencies(d_head, theta * factor ** (d_head / (d_head - 2))))


def yarn(d_head: int, theta: float, factor: float, context: int) -> Tuned:
    """Keep pairs that turn often, squeeze those that never come round, and sharpen scores.

    The ramp between is linear in how often a pair turns over the context, as in the paper.
    """
    turns = frequencies(d_head, theta)
    n_turns = context / wavelengths(turns)
    stays = np.clip((n_turns - FEWEST_TURNS) / (MOST_TURNS - FEWEST_TURNS), 0, 1)
    return _by_parts(turns, stays, factor)


def yarn_by_pair(d_head: int, theta: float, factor: float, context: int) -> Tuned:
    """Do the same with a ramp that is linear in the pair's number, as the authors' code has it.

    So do Hugging Face's `transformers`; the ends of the ramp are rounded to whole pairs.
    """

    def pair_of(n_turns: float) -> float:
        return d_head * log(context / (n_turns * 2 * pi)) / (2 * log(max(theta, 1 + 1e-9)))

    first = max(floor(pair_of(MOST_TURNS)), 0)
    last = max(min(ceil(pair_of(FEWEST_TURNS)), d_head - 1), first)
    width = last - first or 0.001
    stays = 1 - np.clip((np.arange(d_head // 2) - first) / width, 0, 1)
    return _by_parts(frequencies(d_head, theta), stays, factor)


STRETCHES: Mapping[str, Stretch] = {
    "interpolation": Stretch(
        title="Position interpolation",
        tune=position_interpolation,
        paper="Chen et al. 2023, arXiv:2306.15595",
    ),
    "ntk": Stretch(title="NTK-aware", tune=ntk_aware, paper="bloc97 2023, r/LocalLLaMA"),
    "yarn": Stretch(title="YaRN", tune=yarn, paper="Peng et al. 2023, arXiv:2309.00071"),
    "yarn-by-pair": Stretch(
        title="YaRN, ramp by pair", tune=yarn_by_pair, paper="Peng et al. 2023, the authors' code"
    ),
}


def _by_parts(turns: np.ndarray, stays: np.ndarray, factor: float) -> Tuned:
    """Keep some pairs as they are, squeeze some, and enlarge scores by (0.1 ln s + 1)^2."""
    scale = (0.1 * log(factor) + 1) ** 2 if factor > 1 else 1.0
    return Tuned(turns=(1 - stays) * turns / factor + stays * turns, score_scale=scale)


def _moments(
    products: np.ndarray, distances: np.ndarray, turns: np.ndarray, d_head: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and spread of Re(sum of products times e^(i distance turns)) / sqrt(e).

    The score is linear in the products, so their mean and their second moments are enough.
    """
    angles = np.outer(distances, turns)
    weights = np.concatenate([np.cos(angles), -np.sin(angles)], -1) / d_head**0.5
    parts = np.concatenate([products.real, products.imag], -1).astype(np.float64)
    mean = weights @ parts.mean(0)
    centred = parts - parts.mean(0)
    variance = ((weights @ (centred.T @ centred / len(parts))) * weights).sum(-1)
    return mean, np.sqrt(np.maximum(variance, 0))
