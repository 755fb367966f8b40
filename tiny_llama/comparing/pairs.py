"""Paired differences: what the same seeds and the same data say about two ways to build a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, inf, nan, sqrt

import numpy as np
from scipy.special import stdtr, stdtrit

Outcome = float | None
"""What a run came to; None: it diverged."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What paired runs say: the first side's outcome less the second's, seed by seed."""

    n_pairs: int
    n: int
    """Pairs of which both runs came to an end."""
    n_diverged: tuple[int, int]
    """How many runs diverged on the first side, and on the second."""
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

    @property
    def has_divergence(self) -> bool:
        """Whether a run diverged, so that pairs were compared by their signs alone."""
        return any(self.n_diverged)


def paired_difference(
    first: Sequence[Outcome],
    second: Sequence[Outcome],
    *,
    margin: float | None = None,
    lower_is_better: bool = True,
) -> Difference:
    """Compare two sides of which each had the same seeds, in the same order.

    Two tests are made of the differences: whether their mean is other than zero (paired t-test,
    two-sided), and whether it is smaller than the margin (two one-sided t-tests, Schuirmann 1987).
    A run that diverged has no loss to subtract. Where there are any, a pair counts by its sign
    alone, the run that diverged as the worse one (sign test), and no equality is claimed.

    Raises:
        ValueError: if one side has more runs than the other.
    """
    pairs = list(zip(first, second, strict=True))
    whole = np.array([(a, b) for a, b in pairs if a is not None and b is not None])
    d = whole[:, 0] - whole[:, 1] if len(whole) else np.zeros(0)
    mean, sd = _mean_and_sd(d)
    diverged = (first.count(None), second.count(None))
    signs = [_sign(a, b, lower_is_better) for a, b in pairs]
    return Difference(
        n_pairs=len(pairs),
        n=len(d),
        n_diverged=diverged,
        mean=mean,
        sd=sd,
        low=mean - _half_width(sd, len(d)),
        high=mean + _half_width(sd, len(d)),
        p_different=_sign_test(signs) if any(diverged) else _two_sided(mean, sd, len(d)),
        p_equal=1.0 if any(diverged) else _within(mean, sd, len(d), margin),
        is_first_better=sum(signs) > 0 if any(diverged) else (mean < 0) == lower_is_better,
        margin=margin,
    )


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


def _sign(a: Outcome, b: Outcome, lower_is_better: bool) -> int:
    """Say which of a pair is better: 1 the first, -1 the second, 0 neither."""
    if a is None or b is None:
        return (a is not None) - (b is not None)
    ahead = int(a < b) - int(a > b)
    return ahead if lower_is_better else -ahead


def _sign_test(signs: Sequence[int]) -> float:
    """Give the two-sided p-value of so many pairs being of one sign; ties are left out."""
    n, most = sum(map(abs, signs)), max(signs.count(1), signs.count(-1))
    as_many = sum(comb(n, k) for k in range(most, n + 1))
    return min(1.0, 2 * as_many / float(2**n))
