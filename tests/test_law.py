"""The law of scaling: planted constants come back out of synthetic losses."""

import numpy as np
import pytest
from scipy.optimize import nnls

from tiny_llama.comparing.isoflop import budgets, fit_parabolas
from tiny_llama.comparing.law import Law, _non_negative, fit_law, points_of
from tiny_llama.errors import ConfigError

TINY = Law(e=0.6, a=60.0, b=900.0, alpha=0.45, beta=0.55)
"""As for models of ten to five hundred thousand parameters on some million tokens."""
CHINCHILLA = Law(e=1.69, a=406.4, b=410.7, alpha=0.34, beta=0.28)
LOPSIDED = Law(e=0.5, a=30.0, b=4000.0, alpha=0.35, beta=0.7)


def isoflops(law, *, noise=0.0, seed=0, flops=(3e11, 1e12, 3e12, 1e13), reach=8.0, n_sizes=7):
    """Make runs at several budgets, sizes around each one's best, with noise by shares of loss."""
    chance = np.random.default_rng(seed)
    runs = []
    for budget in flops:
        for size in law.best_size(budget) * np.geomspace(1 / reach, reach, n_sizes):
            tokens = budget / (6 * size)
            loss = float(law.loss(size, tokens)) * (1 + noise * chance.normal())
            runs.append((size, tokens, loss))
    return points_of(runs)


def sweep(law, *, noise=0.0, seed=0):
    """Make runs of the same sizes at each budget, as who does not know the law yet has to."""
    chance = np.random.default_rng(seed)
    runs = []
    for budget in (1e11, 1e12, 1e13):
        for size in np.geomspace(3e3, 3e6, 9):
            loss = float(law.loss(size, budget / (6 * size)))
            runs.append((size, budget / (6 * size), loss * (1 + noise * chance.normal())))
    return points_of(runs)


NUMBERS = ("e", "a", "b", "alpha", "beta")


@pytest.mark.parametrize("law", [TINY, CHINCHILLA, LOPSIDED])
def test_without_noise_the_planted_constants_come_back(law):
    found = fit_law(isoflops(law), n_resamples=0).law
    for name in NUMBERS:
        assert getattr(found, name) == pytest.approx(getattr(law, name), rel=0.01), name
    assert found.size_exponent == pytest.approx(law.size_exponent, abs=1e-4)


@pytest.mark.parametrize("law", [TINY, LOPSIDED])
def test_with_noise_the_law_is_nearer_to_the_truth_than_the_parabola(law):
    many = [sweep(law, noise=0.005, seed=seed) for seed in range(12)]
    found = {
        "law": [fit_law(points, n_resamples=0).law.size_exponent for points in many],
        "parabola": [fit_parabolas(points).size_exponent for points in many],
    }
    off = {name: np.array(each) - law.size_exponent for name, each in found.items()}
    missed = {name: np.sqrt(np.mean(each**2)) for name, each in off.items()}
    assert missed["law"] < 0.7 * missed["parabola"]


def test_the_parabola_is_off_even_without_noise():
    points = sweep(LOPSIDED)
    off = abs(fit_parabolas(points).size_exponent - LOPSIDED.size_exponent)
    assert off > 0.01
    assert fit_law(points, n_resamples=0).law.size_exponent == pytest.approx(
        LOPSIDED.size_exponent, abs=1e-4
    )


def test_a_run_that_went_wrong_does_not_bend_the_law():
    points = isoflops(TINY, noise=0.002)
    points.losses[3] *= 1.5
    found = fit_law(points, n_resamples=0).law
    assert found.size_exponent == pytest.approx(TINY.size_exponent, abs=0.05)
    assert float(found.loss(1e5, 1e7)) == pytest.approx(float(TINY.loss(1e5, 1e7)), rel=0.01)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(8):
        fit = fit_law(isoflops(TINY, noise=0.01, seed=seed, n_sizes=5), n_resamples=30)
        low, high = fit.interval("size_exponent")
        held += low <= TINY.size_exponent <= high
    assert held >= 5  # 9 in 10 is what is said; resampled points say a little too little


def test_a_loss_is_predicted_with_its_interval():
    fit = fit_law(isoflops(TINY, noise=0.003), n_resamples=40)
    loss, low, high = fit.predict(3e5, 1e8)
    assert low <= loss <= high
    assert loss == pytest.approx(float(TINY.loss(3e5, 1e8)), rel=0.05)
    assert fit.residuals.std() == pytest.approx(0.003 * fit.points.losses.mean(), rel=0.5)


def test_no_constant_is_ever_negative_even_where_size_does_not_matter():
    chance = np.random.default_rng(0)
    points = points_of(
        (n, d, 1.0 + 50 / d**0.5 + 0.01 * chance.random())
        for n in (1e3, 1e4, 1e5)
        for d in (1e4, 1e5, 1e6)
    )
    law = fit_law(points, n_resamples=0).law
    assert min(law.e, law.a, law.b) >= 0
    assert float(law.loss(1e4, 1e5)) == pytest.approx(1.16, abs=0.02)


def test_many_small_least_squares_are_those_of_scipy():
    chance = np.random.default_rng(1)
    columns, target = chance.normal(size=(200, 9, 3)), chance.normal(size=9)
    errors, found = _non_negative(columns, target)
    for one, error, matrix in zip(found, errors, columns, strict=True):
        theirs, length = nnls(matrix, target)
        assert one == pytest.approx(theirs, abs=1e-8)
        assert error == pytest.approx(length**2)


@pytest.mark.parametrize(
    ("runs", "word"),
    [
        ([], "0 runs of 0 sizes"),
        (
            [(n, 1e5, 2.0) for n in (1e3, 1e4, 1e5, 2e5, 3e5, 4e5)],
            "6 runs of 6 sizes and 1 lengths",
        ),
        ([(1e3, 1e4, 2.0), (1e4, 1e5, 1.5), (1e5, 1e6, 1.2)], "3 runs"),
    ],
)
def test_too_few_runs_for_a_law_are_said_in_a_sentence(runs, word):
    with pytest.raises(ConfigError, match=word) as error:
        fit_law(points_of(runs))
    assert str(error.value).endswith("lengths.")


def test_runs_are_sorted_into_budgets_although_steps_are_whole():
    points = isoflops(TINY, flops=(1e11, 2e11, 4e11))
    points.tokens[::2] *= 1.03
    assert [len(each) for each in budgets(points)] == [7, 7, 7]


def test_parabolas_need_two_budgets_with_a_lowest_place():
    with pytest.raises(ConfigError, match="1 budgets of compute have 3 sizes or more"):
        fit_parabolas(isoflops(TINY, flops=(1e12,)))
    only_falling = points_of(
        (n, c / n, 3 - np.log10(n) / 5) for c in (1e9, 1e10) for n in (1e3, 1e4, 1e5)
    )
    with pytest.raises(ConfigError, match="0 budgets"):
        fit_parabolas(only_falling)


def test_exact_parabolas_are_found():
    best = {1e10: 1e4, 1e12: 1e5}
    points = points_of(
        (n, c / (6 * n), 1 + 0.1 * np.log(n / best[c]) ** 2)
        for c in best
        for n in best[c] * np.array([0.3, 0.7, 1.5, 4.0])
    )
    found = fit_parabolas(points)
    assert found.size_exponent == pytest.approx(0.5)
    assert found.best_size(1e14) == pytest.approx(1e6)
    assert [valley.lowest_loss for valley in found.valleys] == pytest.approx([1.0, 1.0])
