"""Paired differences: what the same seeds and the same data say about two ways to build a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from scipy.special import stdtr, stdtrit


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What paired runs say: the first side's outcome less the second's, seed by seed."""

    n: int
    """Pairs."""
    n_diverged: tuple[int, int]
    """How many of these runs diverged on the first side, and on the second."""
    mean: float
    sd: float
    """Between the pairs, with n - 1; NaN for fewer than two."""
    low: float
    high: float
    """Ends of the 95% interval of the mean."""
    p_different: float
    """Chance of so large a difference, to either side, if there were none."""
    p_equal: float
    """Chance of so small a one, if it were as large as the margin; 1 without a margin."""
    is_first_better: bool
    """Which side is ahead, by however little."""
    margin: float | None


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    *,
    margin: float | None = None,
    lower_is_better: bool = True,
    n_diverged: tuple[int, int] = (0, 0),
) -> Difference:
    """Compare two sides of which each had the same seeds, in the same order.

    Two tests are made of the differences: whether their mean is other than zero (paired t-test,
    two-sided), and whether it is smaller than the margin (two one-sided t-tests, Schuirmann 1987).

    Args:
        first: what the runs of the first side came to.
        second: those of the second.
        margin: a smaller difference does not matter; None: each does.
        lower_is_better: whether the smaller number is the better one, as with a loss.
        n_diverged: how many of them diverged on each side, to be told with the result.

    Raises:
        ValueError: if one side has more runs than the other.
    """
    d = np.array([a - b for a, b in zip(first, second, strict=True)])
    mean, sd = _mean_and_sd(d)
    return Difference(
        n=len(d),
        n_diverged=n_diverged,
        mean=mean,
        sd=sd,
        low=mean - _half_width(sd, len(d)),
        high=mean + _half_width(sd, len(d)),
        p_different=_two_sided(mean, sd, len(d)),
        p_equal=_within(mean, sd, len(d), margin),
        is_first_better=(mean < 0) == lower_is_better,
        margin=margin,
    )


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Compute the mean of what runs came to, and the ends of its 95% interval.

    Returns:
        The ends are infinite for one run alone; for none, all is NaN.
    """
    mean, sd = _mean_and_sd(np.array(values))
    half = _half_width(sd, len(values))
    return mean, mean - half, mean + half


def _mean_and_sd(d: np.ndarray) -> tuple[float, float]:
    return (float(d.mean()) if len(d) else nan), (float(d.std(ddof=1)) if len(d) > 1 else nan)


def _half_width(sd: float, n: int) -> float:
    return float(stdtrit(n - 1, 0.975)) * sd / sqrt(n) if n > 1 else inf


def _two_sided(mean: float, sd: float, n: int) -> float:
    """Give the p-value of the mean being zero."""
    if n < 2:
        return 1.0
    return min(1.0, 2 * _upper_tail(abs(mean), sd, n))


def _within(mean: float, sd: float, n: int, margin: float | None) -> float:
    """Give the p-value of the mean being at least the margin away from zero."""
    if n < 2 or not margin:
        return 1.0
    return _upper_tail(margin - abs(mean), sd, n)


def _upper_tail(distance: float, sd: float, n: int) -> float:
    """Give the chance that a t-distributed mean lies by so much above what it is taken to be."""
    if sd == 0:
        return 0.0 if distance > 0 else 0.5 if distance == 0 else 1.0
    return float(stdtr(n - 1, -distance * sqrt(n) / sd))
