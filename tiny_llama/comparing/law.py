"""The law L(N, D) = E + A / N^alpha + B / D^beta, fitted to the losses of many runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tiny_llama.cost import FLOPS_A_TRAINED_TOKEN
from tiny_llama.errors import ConfigError

FEWEST_RUNS, FEWEST_SIZES = 6, 3
"""Five constants take more than five runs; a power and a floor take three sizes."""
LOWEST, HIGHEST = 0.01, 4.0
"""Exponents that are looked through; published ones lie between 0.05 and 0.6."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """What runs came to, each array `n`."""

    parameters: np.ndarray
    """N: the parameters that multiply, with the unembedding and without the embedding."""
    tokens: np.ndarray
    """D: tokens trained on."""
    losses: np.ndarray
    """In nats a token, on held-out text."""

    def __len__(self) -> int:
        """Count the runs."""
        return len(self.losses)

    @property
    def flops(self) -> np.ndarray:
        """The operations of each one's training, 6 N D."""
        return np.asarray(FLOPS_A_TRAINED_TOKEN * self.parameters * self.tokens)

    @property
    def mean_flops(self) -> float:
        """Their geometric mean, by which runs of one budget stand for it."""
        return float(np.exp(np.log(self.flops).mean()))

    def some(self, places: np.ndarray) -> "Points":
        """Pick runs by their places, which may be said more than once."""
        return Points(
            parameters=self.parameters[places],
            tokens=self.tokens[places],
            losses=self.losses[places],
        )


def points_of(runs: Iterable[tuple[float, float, float]]) -> Points:
    """Put runs together, each its parameters, its tokens and its loss."""
    parameters, tokens, losses = np.array(list(runs), dtype=float).reshape(-1, 3).T
    return Points(parameters=parameters, tokens=tokens, losses=losses)


@dataclass(frozen=True, kw_only=True)
class Law:
    """The law's five constants; see Hoffmann et al. 2022 (arXiv:2203.15556), approach 3."""

    e: float
    """The loss that no size and no data bring down."""
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, parameters: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray:
        """Predict the loss, in nats a token."""
        of_size = self.a / np.power(parameters, self.alpha)
        return np.asarray(self.e + of_size + self.b / np.power(tokens, self.beta))

    @property
    def size_exponent(self) -> float:
        """By which power of the compute the best size grows: beta / (alpha + beta)."""
        return self.beta / (self.alpha + self.beta)

    def best_size(self, flops: float) -> float:
        """Compute the size that gives the lowest loss for 6 N D operations (their equation 4).

        Infinite or zero where the fit has no price for tokens, or for size.
        """
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        return float(g * (flops / FLOPS_A_TRAINED_TOKEN) ** self.size_exponent)


@dataclass(frozen=True, kw_only=True)
class LawFit:
    """A law, and how sure it is."""

    law: Law
    points: Points
    residuals: np.ndarray
    """Loss less what the law says, `n`, in nats."""
    resampled: tuple[Law, ...]
    """The law fitted again to runs drawn from these with replacement."""

    def interval(self, name: str, *, level: float = 0.9) -> tuple[float, float]:
        """Give the bootstrap's interval of one of the law's numbers, by its name there."""
        return _interval(np.array([getattr(law, name) for law in self.resampled]), level)

    def predict(
        self, parameters: float, tokens: float, *, level: float = 0.9
    ) -> tuple[float, float, float]:
        """Predict a loss, with the bootstrap's interval: the value, its low and its high end.

        The interval is that of the law; a single run scatters around it besides.
        """
        losses = np.array([float(law.loss(parameters, tokens)) for law in self.resampled])
        return (float(self.law.loss(parameters, tokens)), *_interval(losses, level))


def fit_law(points: Points, *, n_resamples: int = 200, seed: int = 0) -> LawFit:
    """Fit the law by variable projection, with a bootstrap.

    For every alpha and beta of a grid, the best E, A and B that are not negative follow from linear
    least squares, so only two numbers are searched for and no start has to be guessed (Golub and
    Pereyra 1973; for this law arXiv:2603.22339). Residuals count as shares of the loss, large ones
    less than by their square (Huber 1964), so that a run that went wrong does not bend the law.

    Args:
        points: the runs.
        n_resamples: how often the fit is done again, for the intervals.
        seed: draws the resamples.

    Raises:
        ConfigError: if there are too few runs, sizes or lengths to tell five constants apart.
    """
    _check(points)
    law = _fitted(points)
    draw = np.random.default_rng(seed)
    resamples = (_resample(points, draw) for _ in range(n_resamples))
    return LawFit(
        law=law,
        points=points,
        residuals=points.losses - law.loss(points.parameters, points.tokens),
        resampled=tuple(_fitted(each, near=law) for each in resamples),
    )


def _check(points: Points) -> None:
    n_sizes, n_lengths = (len(np.unique(each)) for each in (points.parameters, points.tokens))
    if len(points) < FEWEST_RUNS or min(n_sizes, n_lengths) < FEWEST_SIZES:
        raise ConfigError(
            f"{len(points)} runs of {n_sizes} sizes and {n_lengths} lengths are too few to fit a "
            f"law's five constants; train at least {FEWEST_RUNS}, of {FEWEST_SIZES} sizes and "
            f"{FEWEST_SIZES} lengths."
        )


def _resample(points: Points, draw: np.random.Generator) -> Points:
    """Draw as many runs with replacement, again where too few different ones came."""
    for _ in range(1000):
        some = points.some(draw.integers(len(points), size=len(points)))
        if min(len(np.unique(some.parameters)), len(np.unique(some.tokens))) >= FEWEST_SIZES:
            return some
    return points


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# Variable projection.

N_ROBUST = 3
"""How often large residuals are weighed again."""
N_SIDE, MOST_ZOOMS = 7, 30
"""Exponents a side of the grid, and how often it is moved or made half as wide at most."""
FINEST, FINE = 1e-6, 3e-3
"""When the grid is narrow enough: how exactly exponents are known, as a share, of the fit and of
each fit to resampled runs."""
HUBER = 1.345
"""Standard deviations beyond which a residual counts less than by its square: with it, the fit
keeps 95% of its precision where the noise is normal."""


def _fitted(points: Points, near: Law | None = None) -> Law:
    """Fit the law, weighing large residuals anew a few times.

    Args:
        points: the runs.
        near: a law of most of them, so that the search may begin there; None: anywhere.
    """
    reach = np.log(HIGHEST / LOWEST) / 2 if near is None else 1.0
    centre = np.log([HIGHEST * LOWEST] * 2) / 2
    if near is not None:
        centre = np.log([near.alpha, near.beta])
    weights = np.ones(len(points))
    for _ in range(N_ROBUST):
        narrowest = FINEST if near is None else FINE
        law = _searched(points, weights / points.losses, centre, reach, narrowest)
        centre, reach = np.log([law.alpha, law.beta]), 0.3  # it moves on where that is too near
        share = 1 - law.loss(points.parameters, points.tokens) / points.losses
        weights = np.sqrt(_huber_weights(share))
    return law


def _huber_weights(residuals: np.ndarray) -> np.ndarray:
    """Weigh residuals by Huber's rule; their spread is taken from the median of their sizes."""
    sizes = np.abs(residuals)
    limit = HUBER * float(np.median(sizes)) / 0.6745  # the median size of a normal one is 0.6745 sd
    return np.minimum(1.0, limit / np.maximum(sizes, limit)) if limit else np.ones(len(sizes))


def _searched(
    points: Points, weights: np.ndarray, centre: np.ndarray, reach: float, narrowest: float
) -> Law:
    """Search alpha and beta on a grid that moves to the best place and narrows around it.

    Args:
        points: the runs.
        weights: of each run's residual, `n`.
        centre: where to begin: the exponents' logarithms.
        reach: half the grid's width, in the same.
        narrowest: how narrow it becomes.
    """
    steps, (low, high) = np.linspace(-1, 1, N_SIDE), np.log([LOWEST, HIGHEST])
    for _ in range(MOST_ZOOMS):
        sides = [np.clip(c + reach * steps, low, high) for c in centre]
        grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
        errors, constants = _solved(points, weights, np.exp(grid))
        best = int(errors.argmin())
        at_border = any(i in (0, N_SIDE - 1) for i in divmod(best, N_SIDE))
        stays = bool(np.allclose(centre, grid[best], rtol=0, atol=reach / N_SIDE))
        centre = grid[best]
        reach *= 1.0 if at_border and not stays else 0.5
        if reach < narrowest:
            break
    (alpha, beta), (e, a, b) = np.exp(centre).tolist(), constants[best].tolist()
    return Law(e=e, a=a, b=b, alpha=alpha, beta=beta)


def _solved(
    points: Points, weights: np.ndarray, exponents: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve for E, A and B, none negative, at each pair of exponents, `g 2`.

    Returns:
        The squared errors, `g`, and the constants, `g 3`.
    """
    middles = np.array([np.exp(np.log(n).mean()) for n in (points.parameters, points.tokens)])
    of_size = np.power(points.parameters / middles[0], -exponents[:, :1])  # near 1, so well scaled
    of_data = np.power(points.tokens / middles[1], -exponents[:, 1:])
    columns = np.stack([np.ones_like(of_size), of_size, of_data], -1) * weights[:, None]
    errors, constants = _non_negative(columns, points.losses * weights)
    constants[:, 1:] *= np.power(middles, exponents)
    return errors, constants


def _non_negative(columns: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve least squares without negative coefficients, for many matrices at once.

    Where all three coefficients come out without a minus, that is the answer. Elsewhere it is the
    best of those that do with one or two of them alone, or with none.

    Args:
        columns: `g n 3`.
        target: `n`.

    Returns:
        The squared errors, `g`, and the coefficients, `g 3`.
    """
    products = np.einsum("gnj,gnk->gjk", columns, columns)
    sums = np.einsum("gnk,n->gk", columns, target)
    coefficients = _minimum(products, sums)
    left = np.flatnonzero((coefficients < 0).any(-1))
    if len(left):
        coefficients[left] = _non_negative_by_sets(products[left], sums[left])
    misses = target - np.einsum("gnk,gk->gn", columns, coefficients)
    return np.einsum("gn,gn->g", misses, misses), coefficients


def _non_negative_by_sets(products: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Try all sets of one and two coefficients, and keep the best without a negative one."""
    best, least = np.zeros_like(sums), np.zeros(len(sums))
    for free in [*combinations(range(3), 2), *combinations(range(3), 1)]:
        found = np.zeros_like(sums)
        found[:, free] = _minimum(products[:, free][:, :, free], sums[:, free])
        error = np.einsum("gj,gjk,gk->g", found, products, found) - 2 * (found * sums).sum(-1)
        is_better = (found >= 0).all(-1) & (error < least)
        best[is_better], least[is_better] = found[is_better], error[is_better]
    return best


def _minimum(products: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Solve the normal equations `g k k`, `g k`; their columns are well scaled.

    Columns that are alike, as those of runs of one size, have no one answer: any will do.
    """
    n = products.shape[-1]
    least = 1e-14 * np.trace(products, axis1=1, axis2=2)[:, None, None] * np.eye(n)
    return np.asarray(np.linalg.solve(products + least, sums[..., None])[..., 0])
