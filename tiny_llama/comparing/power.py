"""What a number of seeds can tell, said before any run: power of the paired t-test."""

from math import inf, isnan, sqrt

from scipy.special import nctdtr, stdtrit

ALPHA = 0.05
"""How often a difference may be found where there is none: over a whole family of comparisons."""
USUAL_POWER = 0.8
"""In which share of the cases a difference of the stated size is to be found."""
MOST_SEEDS = 1000


def power(n: int, effect: float, *, alpha: float = ALPHA) -> float:
    """Compute the chance that a paired t-test, two-sided, finds a difference.

    Args:
        n: pairs, that is seeds.
        effect: the difference, in standard deviations of the paired differences.
        alpha: the level of the test.
    """
    if n < 2:
        return 0.0
    critical, away = float(stdtrit(n - 1, 1 - alpha / 2)), abs(effect) * sqrt(n)
    other_way = nctdtr(n - 1, away, -critical)  # SciPy gives no number where there is hardly any
    return float(1 - nctdtr(n - 1, away, critical) + (0.0 if isnan(other_way) else other_way))


def detectable(n: int, *, n_comparisons: int = 1, alpha: float = ALPHA) -> float:
    """Compute the smallest difference that so many seeds find in 8 of 10 cases.

    Args:
        n: seeds; with fewer than two, no difference is large enough.
        n_comparisons: how many are judged together; the first of them has to pass alpha divided by
            their number (Holm 1979).
        alpha: how often any may be found where there is none.

    Returns:
        The difference in standard deviations of the paired differences.
    """
    if n < 2:
        return inf
    low, high = 0.0, 1.0
    while power(n, high, alpha=alpha / n_comparisons) < USUAL_POWER:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        enough = power(n, middle, alpha=alpha / n_comparisons) >= USUAL_POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def seeds_needed(effect: float, *, n_comparisons: int = 1, alpha: float = ALPHA) -> int | None:
    """Compute how many seeds find such a difference in 8 of 10 cases.

    Args:
        effect: in standard deviations of the paired differences.
        n_comparisons: how many are judged together.
        alpha: how often any may be found where there is none.

    Returns:
        The number, or None where it would be above `MOST_SEEDS`.
    """
    wanted = (n for n in range(2, MOST_SEEDS + 1) if _finds(n, effect, alpha / n_comparisons))
    return next(wanted, None)


def _finds(n: int, effect: float, alpha: float) -> bool:
    return power(n, effect, alpha=alpha) >= USUAL_POWER
