"""RoPE's theory against its equations, and against `transformers`."""

import subprocess
import sys
from math import cos, log, pi, sin

import numpy as np
import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from tiny_llama.analyses import rotary_theory as theory

D_HEAD = 16
RANDOM = np.random.default_rng(0)


def hugging_face(kind, factor, *, d_head=D_HEAD, theta=10_000.0, context=128, seq_len=None):
    parameters = {"rope_type": kind, "rope_theta": theta, "factor": factor}
    if kind == "yarn":
        parameters["original_max_position_embeddings"] = context
    config = LlamaConfig(
        hidden_size=4 * d_head,
        num_attention_heads=4,
        head_dim=d_head,
        max_position_embeddings=context if kind != "yarn" else int(factor * context),
        rope_parameters=parameters,
    )
    found, scale = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=seq_len)
    return found.numpy(), scale


CASES = [
    (2, D_HEAD, 1e4, 128),
    (4, D_HEAD, 1e4, 128),
    (8, 128, 1e4, 4096),
    (4, 64, 5e5, 8192),
    (1.5, 8, 50.0, 64),
]


def test_the_theory_needs_no_pytorch():
    code = "import sys, tiny_llama.analyses.rotary_theory; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(("factor", "d_head", "theta", "context"), CASES)
def test_position_interpolation_is_the_linear_scaling_of_hugging_face(
    factor, d_head, theta, context
):
    found = theory.position_interpolation(d_head, theta, factor, context)
    wanted, scale = hugging_face("linear", factor, d_head=d_head, theta=theta, context=context)
    np.testing.assert_allclose(found.turns, wanted, rtol=2e-5)
    assert found.score_scale == scale == 1.0


@pytest.mark.parametrize(("factor", "d_head", "theta", "context"), CASES)
def test_ntk_aware_scaling_is_the_dynamic_one_of_hugging_face_at_its_full_length(
    factor, d_head, theta, context
):
    length = int(factor * context)
    wanted, _ = hugging_face(
        "dynamic", 1.0, d_head=d_head, theta=theta, context=context, seq_len=length
    )
    found = theory.ntk_aware(d_head, theta, factor, context)
    np.testing.assert_allclose(found.turns, wanted, rtol=2e-5)


@pytest.mark.parametrize(("factor", "d_head", "theta", "context"), CASES)
def test_yarn_by_pair_is_that_of_hugging_face(factor, d_head, theta, context):
    found = theory.yarn_by_pair(d_head, theta, factor, context)
    wanted, scale = hugging_face("yarn", factor, d_head=d_head, theta=theta, context=context)
    np.testing.assert_allclose(found.turns, wanted, rtol=2e-5)
    assert found.score_scale == pytest.approx(scale**2)  # theirs lengthens queries and keys


@pytest.mark.parametrize(("factor", "d_head", "theta", "context"), CASES)
def test_yarn_is_the_papers_equation_pair_by_pair(factor, d_head, theta, context):
    found = theory.yarn(d_head, theta, factor, context)
    for i, turn in enumerate(found.turns):
        plain = theta ** (-2 * i / d_head)
        r = context * plain / (2 * pi)
        ramp = 0 if r < 1 else 1 if r > 32 else (r - 1) / 31
        assert turn == pytest.approx((1 - ramp) * plain / factor + ramp * plain)
    assert found.score_scale == pytest.approx((0.1 * log(factor) + 1) ** 2)


@pytest.mark.parametrize("name", list(theory.STRETCHES))
def test_a_stretch_by_one_changes_nothing_and_more_never_speeds_up(name):
    tune = theory.STRETCHES[name].tune
    plain = theory.frequencies(D_HEAD, 1e4)
    one = tune(D_HEAD, 1e4, 1, 128)
    np.testing.assert_allclose(one.turns, plain)
    assert one.score_scale == 1
    assert (tune(D_HEAD, 1e4, 4, 128).turns <= plain + 1e-12).all()
    assert tune(D_HEAD, 1e4, 4, 128).turns[-1] == pytest.approx(plain[-1] / 4)


@pytest.mark.parametrize("name", list(theory.STRETCHES))
@pytest.mark.parametrize(("d_head", "theta", "context"), [(2, 1e4, 128), (4, 1.0, 2), (8, 1e12, 1)])
def test_odd_models_are_stretched_too(name, d_head, theta, context):
    tuned = theory.STRETCHES[name].tune(d_head, theta, 4, context)
    assert np.isfinite(tuned.turns).all()


def test_the_slowest_pair_of_ntk_aware_is_interpolated_and_the_fastest_stays():
    found, plain = theory.ntk_aware(D_HEAD, 1e4, 4).turns, theory.frequencies(D_HEAD, 1e4)
    assert found[0] == plain[0] == 1
    assert found[-1] == pytest.approx(plain[-1] / 4)


def test_turning_is_its_equation_in_both_conventions():
    x, turns = RANDOM.normal(size=(5, D_HEAD)), theory.frequencies(D_HEAD, 100.0)
    half = theory.turned(x, np.arange(5), turns)
    interleaved = theory.turned_interleaved(x, np.arange(5), turns)
    for t in range(5):
        for i, turn in enumerate(turns):
            c, s = cos(t * turn), sin(t * turn)
            for found, first, second in (
                (half, i, i + D_HEAD // 2),
                (interleaved, 2 * i, 2 * i + 1),
            ):
                a, b = x[t, first], x[t, second]
                assert found[t, first] == pytest.approx(a * c - b * s)
                assert found[t, second] == pytest.approx(a * s + b * c)


def test_the_permutation_turns_one_convention_into_the_other():
    x, turns = RANDOM.normal(size=(7, D_HEAD)), theory.frequencies(D_HEAD, 1e4)
    order, places = theory.to_interleaved(D_HEAD), np.arange(7)
    assert sorted(order) == list(range(D_HEAD))
    there = theory.turned_interleaved(x[:, order], places, turns)
    np.testing.assert_allclose(there[:, np.argsort(order)], theory.turned(x, places, turns))
    mixed = theory.turned(x[:, order], places, turns)[:, np.argsort(order)]
    assert np.abs(mixed - theory.turned(x, places, turns)).max() > 0.1


def test_a_score_depends_on_the_distance_only_and_lengths_stay():
    q, k = RANDOM.normal(size=(2, 1, D_HEAD))
    turns = theory.frequencies(D_HEAD, 1e4)

    def score(m, n):
        (a,), (b,) = (theory.turned(x, np.array([p]), turns) for x, p in ((q, m), (k, n)))
        return a @ b

    assert score(9, 4) == pytest.approx(score(1009, 1004))
    assert score(9, 4) != pytest.approx(score(9, 5))
    turned = theory.turned(q, np.array([77]), turns)
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(q))


def test_what_pairs_add_sums_to_the_score():
    q, k = RANDOM.normal(size=(2, 6, D_HEAD))
    added = theory.pair_scores(q, k)
    np.testing.assert_allclose(added.sum(-1), q @ k.T / D_HEAD**0.5)
    i = 3
    one = q[2, i] * k[1, i] + q[2, i + 8] * k[1, i + 8]
    assert added[2, 1, i] == pytest.approx(one / 4)


def test_mean_and_spread_of_scores_are_those_of_a_loop():
    q, k = RANDOM.normal(size=(2, 9, D_HEAD)) + 0.3
    turns, distances = theory.frequencies(D_HEAD, 1e4), np.array([0, 3, 50])
    means, spreads = theory.average_scores_of_all(q, k, distances, turns)
    pair_means, _ = theory.average_scores(q, k, distances, turns)
    for at, distance in enumerate(distances):
        turned = theory.turned(q[:, None], np.array([distance]), turns)[:, 0]
        scores = turned @ k.T / 4
        assert means[at] == pytest.approx(scores.mean())
        assert spreads[at] == pytest.approx(scores.std())
        assert pair_means[at] == pytest.approx(scores.diagonal().mean())


def test_the_bound_is_the_mean_of_partial_sums():
    turns = theory.frequencies(8, 1e4)
    sums = [abs(sum(np.exp(1j * 5 * turn) for turn in turns[:n])) for n in range(1, 5)]
    assert theory.score_bound(np.array([5]), turns)[0] == pytest.approx(np.mean(sums))
    assert theory.score_bound(np.array([0]), turns)[0] == pytest.approx(2.5)


def test_wavelengths_are_where_a_pair_is_back():
    turns = theory.frequencies(D_HEAD, 1e4)
    np.testing.assert_allclose(np.exp(1j * theory.wavelengths(turns) * turns), 1)
