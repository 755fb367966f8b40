"""The IsoFLOP parabola (Hoffmann et al. 2022, arXiv:2203.15556, approach 2), as a contrast.

At each budget of compute, a parabola through the losses over the logarithm of the size has its
lowest place at the best size, and a line through these places gives the power by which it grows.
The valley is no parabola, and the wider the sizes lie apart, the further the place is off: the
power comes out wrong even without any noise (arXiv:2603.22339).
"""

from dataclasses import dataclass

import numpy as np

from tiny_llama.comparing.law import Points
from tiny_llama.errors import ConfigError

FEWEST_SIZES, FEWEST_BUDGETS = 3, 2
SAME_BUDGET = 0.1
"""Share by which computes may differ and still be one budget: runs have whole steps."""


@dataclass(frozen=True, kw_only=True)
class Valley:
    """The runs of one budget, and the parabola through them."""

    flops: float
    """6 N D, the mean of the runs."""
    points: Points
    curve: np.ndarray
    """The parabola's coefficients over log N, the square first."""
    best_size: float
    lowest_loss: float


@dataclass(frozen=True, kw_only=True)
class IsoFlop:
    """The valleys, and the power law through their lowest places."""

    valleys: tuple[Valley, ...]
    size_exponent: float
    """By which power of the compute the best size grows."""
    scale: float

    def best_size(self, flops: float) -> float:
        """Give the size that the line says is best for so many operations."""
        return float(self.scale * flops**self.size_exponent)


def fit_parabolas(points: Points) -> IsoFlop:
    """Fit a parabola to each budget that has enough sizes, and a line through their lowest places.

    A budget whose parabola has no lowest place within twice the range of its sizes is left out.

    Raises:
        ConfigError: if fewer than two budgets are left.
    """
    valleys = tuple(valley for each in budgets(points) if (valley := _valley(each)) is not None)
    if len(valleys) < FEWEST_BUDGETS:
        raise ConfigError(
            f"{len(valleys)} budgets of compute have {FEWEST_SIZES} sizes or more and a lowest "
            f"place among them; a line needs {FEWEST_BUDGETS}: train more sizes a budget."
        )
    flops, sizes = zip(*((each.flops, each.best_size) for each in valleys), strict=True)
    exponent, height = np.polyfit(np.log(flops), np.log(sizes), 1)
    return IsoFlop(valleys=valleys, size_exponent=float(exponent), scale=float(np.exp(height)))


def budgets(points: Points) -> list[Points]:
    """Sort runs into budgets, the smallest first: those whose computes are nearly the same."""
    order = np.argsort(points.flops, kind="stable")
    gaps = np.flatnonzero(np.diff(np.log(points.flops[order])) > np.log1p(SAME_BUDGET)) + 1
    return [points.some(places) for places in np.split(order, gaps)]


def _valley(points: Points) -> Valley | None:
    sizes = np.log(points.parameters)
    if len(np.unique(sizes)) < FEWEST_SIZES:
        return None
    curve = np.polyfit(sizes, points.losses, 2)
    if curve[0] <= 0:
        return None
    lowest = -curve[1] / (2 * curve[0])
    middle, reach = (sizes.max() + sizes.min()) / 2, sizes.max() - sizes.min()
    if abs(lowest - middle) > reach:
        return None
    return Valley(
        flops=points.mean_flops,
        points=points,
        curve=curve,
        best_size=float(np.exp(lowest)),
        lowest_loss=float(np.polyval(curve, lowest)),
    )
