"""Verdicts on made data: false alarms at the stated rate, known differences at the stated power."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from tiny_llama.comparing.pairs import paired_difference
from tiny_llama.comparing.power import ALPHA, USUAL_POWER, detectable, power, seeds_needed
from tiny_llama.comparing.verdicts import Verdict, holm, judge
from tiny_llama.comparing.worth import worth_in_steps

N_EXPERIMENTS = 3000


def draw(seed, shape, effect=0.0):
    """Draw pairs of losses whose differences have a standard deviation of 1, and this mean."""
    chance = np.random.default_rng(seed)
    common = chance.normal(size=shape)  # what the seed does to both sides alike
    first = common + chance.normal(scale=sqrt(0.5), size=shape) + effect
    return first, common + chance.normal(scale=sqrt(0.5), size=shape)


def difference(first, second, **more):
    return paired_difference(list(first), list(second), **more)


def verdict(first, second, **more):
    return judge({"one": difference(first, second, **more)})["one"].verdict


def is_near(share, wanted, n=N_EXPERIMENTS):
    """Tell whether a share out of so many tries is what chance allows, to 3.5 deviations."""
    return abs(share - wanted) < 3.5 * sqrt(wanted * (1 - wanted) / n)


@pytest.mark.parametrize("n_seeds", [3, 6])
def test_without_a_difference_there_are_false_alarms_at_the_stated_rate(n_seeds):
    pairs = zip(*draw(1, (N_EXPERIMENTS, n_seeds)), strict=True)
    found = [verdict(*pair) for pair in pairs]
    assert is_near(1 - found.count(Verdict.UNCLEAR) / len(found), ALPHA)
    assert is_near(found.count(Verdict.BETTER) / len(found), ALPHA / 2)


def test_over_a_ladder_any_false_alarm_is_as_rare_as_one():
    first, second = draw(2, (N_EXPERIMENTS, 5, 6))
    alarms = sum(
        any(
            each.verdict is not Verdict.UNCLEAR
            for each in judge(
                {str(rung): difference(a[rung], b[rung]) for rung in range(5)}
            ).values()
        )
        for a, b in zip(first, second, strict=True)
    )
    assert is_near(alarms / N_EXPERIMENTS, 1 - (1 - ALPHA / 5) ** 5)


@pytest.mark.parametrize("n_seeds", [2, 3, 6, 10])
def test_known_differences_are_found_at_the_stated_power(n_seeds):
    pairs = zip(*draw(3, (N_EXPERIMENTS, n_seeds), -detectable(n_seeds)), strict=True)
    found = [verdict(*pair) for pair in pairs]
    assert is_near(found.count(Verdict.BETTER) / len(found), USUAL_POWER)
    assert Verdict.WORSE not in found


@pytest.mark.parametrize("n_comparisons", [1, 2, 6, 20])
def test_more_seeds_find_smaller_differences(n_comparisons):
    least = [detectable(n, n_comparisons=n_comparisons) for n in range(2, 30)]
    assert least == sorted(least, reverse=True)
    effects = np.linspace(0, least[0], 500)
    chances = [power(2, effect, alpha=ALPHA / n_comparisons) for effect in effects]
    assert np.all(np.isfinite(chances))
    assert np.all(np.diff(chances) >= -1e-6)


def test_a_difference_as_large_as_the_margin_is_called_equal_at_the_stated_rate():
    pairs = zip(*draw(4, (N_EXPERIMENTS, 6), 4.0), strict=True)
    found = [verdict(*pair, margin=4.0) for pair in pairs]
    assert is_near(found.count(Verdict.EQUAL) / len(found), ALPHA)
    pairs = zip(*draw(5, (200, 6), 0.1), strict=True)
    assert {verdict(*pair, margin=4.0) for pair in pairs} == {Verdict.EQUAL}


@pytest.mark.parametrize(("n", "half_width", "least"), [
    (3, 2.48, 3.26),
    (5, 1.24, 1.68),
    (6, 1.05, 1.43),
    (10, 0.72, 1.00),
])  # fmt: skip
def test_what_seeds_can_tell_is_as_it_was_computed_elsewhere(n, half_width, least):
    first, second = draw(6, n)
    found = difference(first, second)
    assert (found.high - found.mean) / found.sd == pytest.approx(half_width, abs=0.005)
    assert detectable(n) == pytest.approx(least, abs=0.005)
    assert power(n, detectable(n)) == pytest.approx(USUAL_POWER)
    assert power(n, 0.0) == pytest.approx(ALPHA)
    assert seeds_needed(detectable(n)) == n
    assert detectable(n, n_comparisons=6) > detectable(n)


def test_no_number_of_seeds_below_two_tells_anything():
    assert detectable(1) == float("inf")
    assert seeds_needed(0.001) is None
    found = difference([1.0], [2.0], margin=5.0)
    assert verdict([1.0], [2.0], margin=5.0) is Verdict.UNCLEAR
    assert (found.p_different, found.p_equal) == (1.0, 1.0)
    assert verdict([], []) is Verdict.UNCLEAR


@pytest.mark.parametrize("seed", range(5))
def test_p_and_interval_are_those_of_scipys_own_test(seed):
    first, second = draw(seed, 7, 0.5)
    theirs = stats.ttest_rel(first, second)
    interval = theirs.confidence_interval()
    found = difference(first, second, margin=1.0)
    assert found.p_different == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    below = stats.ttest_1samp(first - second, 1.0, alternative="less").pvalue
    above = stats.ttest_1samp(first - second, -1.0, alternative="greater").pvalue
    assert found.p_equal == pytest.approx(max(below, above))


def test_holms_adjustment_is_that_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_runs_that_diverged_are_told_with_the_result():
    found = paired_difference([4.2, 4.2, 1.0], [1.1, 1.0, 0.9], n_diverged=(2, 0))
    said = judge({"one": found})["one"].sentence()
    assert "3 seeds; 2 of its runs and 0 of the other's diverged, and count as they began)" in said


def test_more_is_better_where_accuracy_counts():
    low, high = [0.1, 0.12, 0.11, 0.1], [0.9, 0.88, 0.91, 0.92]
    assert verdict(low, high) is Verdict.BETTER
    assert verdict(low, high, lower_is_better=False) is Verdict.WORSE


def test_the_same_numbers_on_both_sides_are_equal_within_any_margin():
    assert verdict([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) is Verdict.UNCLEAR
    assert verdict([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], margin=1e-9) is Verdict.EQUAL
    assert verdict([1.5, 2.5, 3.5], [1.0, 2.0, 3.0]) is Verdict.WORSE


def test_a_verdict_is_one_sentence_with_its_interval():
    first, second = draw(7, 6, -3.0)
    found = judge({"a": difference(first, second), "b": difference(second, second, margin=0.1)})
    said = found["a"].sentence("held-out loss")
    assert said.startswith("better: its held-out loss differs by -")
    assert "6 seeds" in said
    assert "by Holm over 2 comparisons" in said
    equal = found["b"].sentence()
    assert equal.startswith("equal within the margin: ")
    assert "less than the margin of 0.1, p below 0.001" in equal
    assert "margin" not in said
    unclear = judge({"a": difference(*draw(8, 6))})["a"].sentence()
    assert "is found in 8 of 10 cases" in unclear
    assert unclear.startswith("not enough seeds to tell: ")


# Worth in steps.

STEPS = [100, 200, 400, 800]


def curves(scale, n_seeds=3):
    """Give losses that fall as one over the steps, each seed a little off, alike at both ends."""
    off = np.linspace(-0.01, 0.01, n_seeds)[:, None]
    return 1.0 + scale / np.array(STEPS) + off


def test_a_difference_is_worth_the_steps_that_the_other_side_took_for_it():
    found = worth_in_steps(STEPS, curves(50.0), curves(100.0))
    assert found.is_first_better
    assert (found.step, found.share) == (400, 1.0)
    assert "Worth at least 100% more steps: it was at step 400" in found.sentence
    turned = worth_in_steps(STEPS, curves(100.0), curves(50.0))
    assert not turned.is_first_better
    assert turned.step == 400
    assert "the other was at step 400 where it ended after 800." in turned.sentence


def test_between_two_looks_the_step_is_read_off_the_line():
    found = worth_in_steps([10, 20], np.array([[3.0, 1.0]]), np.array([[3.0, 2.0]]))
    assert (found.step, found.share) == (15, pytest.approx(1 / 3))


def test_a_curve_that_crosses_twice_counts_from_the_last_time():
    first = np.array([[1.0, 3.0, 1.0, 0.5]])
    found = worth_in_steps(STEPS, first, np.array([[5.0, 4.0, 3.0, 1.0]]))
    assert found.step == 400


def test_accuracy_is_worth_steps_too_and_alike_ends_are_worth_none():
    more = np.array([[0.2, 0.6]])
    found = worth_in_steps([10, 20], more, np.array([[0.1, 0.4]]), lower_is_better=False)
    assert found.is_first_better
    assert found.step == 15
    assert worth_in_steps([10, 20], more, more) is None
    assert worth_in_steps([20], more[:, 1:], more[:, :1]) is None
