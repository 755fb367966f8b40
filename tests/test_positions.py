from math import cos, pi, sin

import pytest
import torch

from tiny_llama.menu import POSITION
from tiny_llama.parts.positions.alibi import head_slopes
from tiny_llama.parts.positions.rope import Turn

N_HEADS, D_HEAD, CONTEXT, THETA = 4, 6, 12, 50.0
DOUBLE = {"dtype": torch.float64}


def build(name, n_heads=N_HEADS, context=CONTEXT):
    torch.manual_seed(0)
    numbers = {"d_model": n_heads * D_HEAD, "n_heads": n_heads, "d_head": D_HEAD}
    position = POSITION[name].load()(**numbers, context=context, theta=THETA)
    for parameter in position.parameters():
        torch.nn.init.normal_(parameter)
    return position


def queries_and_keys(n_tokens=CONTEXT, n_kv_heads=2):
    torch.manual_seed(1)
    q = torch.randn(3, N_HEADS, n_tokens, D_HEAD, **DOUBLE)
    return q, torch.randn(3, n_kv_heads, n_tokens, D_HEAD, **DOUBLE)


def turned_by_the_book(x):
    """Turn each pair (i, i + e/2) of `b h t e` as a plane, by position * theta^(-2i/e)."""
    result, half = torch.empty_like(x), D_HEAD // 2
    for t in range(x.shape[2]):
        for i in range(half):
            angle = t * THETA ** (-2 * i / D_HEAD)
            a, b = x[:, :, t, i], x[:, :, t, i + half]
            result[:, :, t, i] = a * cos(angle) - b * sin(angle)
            result[:, :, t, i + half] = a * sin(angle) + b * cos(angle)
    return result


@pytest.mark.parametrize("n_kv_heads", [4, 2, 1])
def test_rope_is_its_reference_equation(n_kv_heads):
    q, k = queries_and_keys(n_kv_heads=n_kv_heads)
    rotated_q, rotated_k = build("rope").rotate(q, k)
    torch.testing.assert_close(rotated_q, turned_by_the_book(q), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rotated_k, turned_by_the_book(k), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("d_turned", [2, 4])
def test_of_a_head_the_first_coordinates_turn_by_themselves_and_the_rest_stays(d_turned):
    q, k = queries_and_keys()
    numbers = {"d_model": N_HEADS * D_HEAD, "n_heads": N_HEADS, "context": CONTEXT, "theta": THETA}
    partly = POSITION["rope"].load()(**numbers, d_head=D_HEAD, d_turned=d_turned)
    narrow = POSITION["rope"].load()(**numbers, d_head=d_turned)
    narrow_pair = narrow.rotate(q[..., :d_turned], k[..., :d_turned])
    for whole, turned, found in zip((q, k), narrow_pair, partly.rotate(q, k), strict=True):
        assert torch.equal(found[..., :d_turned], turned)
        assert torch.equal(found[..., d_turned:], whole[..., d_turned:])


def test_rope_reads_queries_in_whatever_order_they_lie_in_memory():
    q, k = queries_and_keys()
    as_projected = q.transpose(1, 2).contiguous().transpose(1, 2)
    rope = build("rope")
    assert torch.equal(rope.rotate(q, k)[0], rope.rotate(as_projected, k)[0])


@pytest.mark.parametrize("score_scale", [1.0, 1.7])
def test_the_gradient_of_a_rotation_is_right(score_scale):
    rope = build("rope", context=3)
    rope.retune(rope.frequencies().tolist(), score_scale=score_scale)
    q = torch.randn(2, 3, N_HEADS, D_HEAD, **DOUBLE, requires_grad=True)
    k = torch.randn(2, 3, 2, D_HEAD, **DOUBLE, requires_grad=True)
    tables = (z.double() for z in (rope.cos, rope.sin_of_first, rope.sin_of_second))
    assert torch.autograd.gradcheck(Turn.apply, (q, k, D_HEAD // 2, *tables))


def test_ropes_scores_depend_on_distance_only():
    q, k = torch.randn(2, 1, 1, 1, D_HEAD, **DOUBLE)
    rope = build("rope", n_heads=1)
    q, k = rope.rotate(q.expand(1, 1, CONTEXT, -1), k.expand(1, 1, CONTEXT, -1))
    scores = (q @ k.mT)[0, 0]
    for distance in range(CONTEXT):
        along = scores.diagonal(-distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=1e-6, atol=1e-6)
    assert scores[:, 0].std() > 1e-2  # and on distance they do depend


def test_rope_keeps_lengths():
    q, k = queries_and_keys()
    rotated_q, rotated_k = build("rope").rotate(q, k)
    torch.testing.assert_close(rotated_q.norm(dim=-1), q.norm(dim=-1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rotated_k.norm(dim=-1), k.norm(dim=-1), rtol=1e-6, atol=1e-6)


def test_ropes_gradient_is_right():
    q, k = queries_and_keys()
    rope = build("rope").double()
    assert torch.autograd.gradcheck(rope.rotate, (q[:1].requires_grad_(), k[:1].requires_grad_()))


@pytest.mark.parametrize("context", [3, CONTEXT], ids=["grown", "given"])
def test_rope_goes_on_where_a_cache_ends_and_past_its_tables(context):
    q, k = queries_and_keys()
    rope = build("rope", context=context)
    whole_q, whole_k = build("rope").rotate(q, k)
    for start, end in [(0, 2), (2, 3), (3, 12)]:
        some_q, some_k = rope.rotate(q[:, :, start:end], k[:, :, start:end], start)
        torch.testing.assert_close(some_q, whole_q[:, :, start:end])
        torch.testing.assert_close(some_k, whole_k[:, :, start:end])


def test_alibis_slopes_for_eight_heads_are_those_of_the_paper():
    assert head_slopes(8) == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]


def test_alibis_slopes_for_other_numbers_of_heads():
    assert head_slopes(1) == [2**-8]
    assert head_slopes(16) == pytest.approx([2 ** (-(i + 1) / 2) for i in range(16)])
    assert head_slopes(12) == pytest.approx(head_slopes(8) + head_slopes(16)[0:8:2])


@pytest.mark.parametrize("start", [0, 5])
def test_alibi_lowers_a_score_by_slope_times_distance(start):
    bias = build("alibi").bias(4, start)
    assert bias.shape == (N_HEADS, 4, start + 4)
    for head, slope in enumerate(head_slopes(N_HEADS)):
        for reader in range(4):
            for source in range(start + reader + 1):
                expected = -slope * (start + reader - source)
                assert float(bias[head, reader, source]) == pytest.approx(expected)


def test_sinusoids_are_those_of_the_first_transformer():
    d = N_HEADS * D_HEAD
    added = build("sinusoidal").embed(torch.zeros(1, CONTEXT, d))[0]
    for t in range(CONTEXT):
        for i in range(d // 2):
            angle = t / 10_000 ** (2 * i / d)
            assert float(added[t, 2 * i]) == pytest.approx(sin(angle), abs=1e-6)
            assert float(added[t, 2 * i + 1]) == pytest.approx(cos(angle), abs=1e-6)


def test_learned_positions_add_their_rows():
    position = build("learned")
    x = torch.randn(2, 4, N_HEADS * D_HEAD)
    torch.testing.assert_close(position.embed(x, start=3), x + position.table[3:7])


@pytest.mark.parametrize("name", POSITION)
def test_a_scheme_acts_at_one_place_at_most(name):
    position, (q, k) = build(name), queries_and_keys()
    x = torch.randn(1, CONTEXT, N_HEADS * D_HEAD)
    acts = [
        not torch.equal(position.embed(x), x),
        not torch.equal(position.rotate(q, k)[0], q),
        position.bias(CONTEXT) is not None,
    ]
    assert sum(acts) == (name != "none")


def test_ropes_first_pair_turns_by_one_radian_a_position():
    frequencies = build("rope").frequencies()
    assert float(frequencies[0]) == 1.0
    assert 2 * pi / float(frequencies[-1]) > CONTEXT  # the slowest has not come round yet
