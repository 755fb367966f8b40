"""What serving takes at least: bytes against loops, work against sums, bounds against examples."""

from dataclasses import replace
from itertools import combinations, product
from math import prod

import pytest
from conftest import EVERY_OPTION

from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    count_parameters,
    kv_cache_bytes,
    next_token_flops,
    parameter_shapes,
)
from tiny_llama.presets import PRESETS
from tiny_llama.serving import (
    PRECISIONS,
    SCALE_BYTES,
    Bound,
    Work,
    bound,
    decode_work,
    largest_batch,
    longest_text,
    prefill_work,
    share_of_experts_read,
    weight_bytes,
)

LLAMA_7B = PRESETS["llama-1-7b"].config


@pytest.mark.parametrize("name", PRESETS)
def test_unquantised_weights_are_bytes_times_parameters(name):
    config = PRESETS[name].config
    assert weight_bytes(config, "fp32") == 4 * count_parameters(config)
    assert weight_bytes(config, "fp16") == 2 * count_parameters(config)


@pytest.mark.parametrize(("precision", "bits"), [("int8", 8), ("int4", 4)])
@pytest.mark.parametrize("group_size", [1, 5, 16, 128, None])
def test_quantised_matrices_are_counted_row_by_row_with_their_scales(
    small, precision, bits, group_size
):
    config = replace(small, d_hidden=42, bias="all")
    wanted = 0
    for shape in parameter_shapes(config).values():
        if len(shape) == 1:
            wanted += 2 * shape[0]
            continue
        rows, width = shape
        n_groups = len(range(0, width, group_size)) if group_size else 1
        wanted += rows * (width * bits / 8 + n_groups * SCALE_BYTES)
    assert weight_bytes(config, precision, group_size=group_size) == wanted


def test_int4_in_groups_of_128_takes_4_and_an_eighth_bits():
    bits = 8 * weight_bytes(LLAMA_7B, "int4", group_size=128) / count_parameters(LLAMA_7B)
    assert bits == pytest.approx(4.125, rel=1e-3)
    llama_cpp = 8 * weight_bytes(LLAMA_7B, "int4", group_size=32) / count_parameters(LLAMA_7B)
    assert llama_cpp == pytest.approx(4.5, rel=1e-3)


@pytest.mark.parametrize(("slot", "option"), EVERY_OPTION)
def test_one_more_token_costs_what_is_counted_elsewhere_when_it_reads_all(small, slot, option):
    config = replace(small, window=12, **{slot: option})
    work = decode_work(config, n_tokens=12)
    assert work.flops == sum(next_token_flops(config, 12).values())
    assert decode_work(config, n_tokens=12, batch_size=7).flops == 7 * work.flops


def pairs_read(config: ModelConfig, reader: int) -> int:
    """Count the sources that a reader (from 0) reads from, over all layers, by looking at each."""
    windows = [config.window_of(layer) for layer in range(config.n_layers)]
    return sum(
        source > reader - (window or reader + 1)
        for window, source in product(windows, range(reader + 1))
    )


@pytest.mark.parametrize("attention", ["causal", "sliding", "alternating"])
def test_scores_are_those_of_the_pairs_that_may_meet(small, attention):
    config = replace(small, attention=attention, n_kv_heads=2, n_layers=3)
    a_pair = 4 * config.n_heads * config.head_width
    for n in (1, 2, 3, 4, 11):
        linear = decode_work(config, n_tokens=1).flops - 3 * a_pair
        found = decode_work(config, n_tokens=n)
        assert found.flops - linear == a_pair * pairs_read(config, n - 1)
        every = prefill_work(config, n_tokens=n)
        scores = a_pair * sum(pairs_read(config, reader) for reader in range(n))
        unembedding = 2 * config.d_model * config.vocab_size
        assert every.flops == n * linear - (n - 1) * unembedding + scores


def test_a_token_reads_all_weights_but_the_table_of_which_it_needs_a_row():
    work = decode_work(LLAMA_7B, n_tokens=100)
    table = LLAMA_7B.vocab_size * LLAMA_7B.d_model
    assert work.weight_bytes == 2 * (count_parameters(LLAMA_7B) - table + LLAMA_7B.d_model)
    tied = replace(LLAMA_7B, tied_unembedding=True)
    assert decode_work(tied, n_tokens=100).weight_bytes == 2 * count_parameters(tied)
    assert work.cache_bytes == kv_cache_bytes(LLAMA_7B, 100, bytes_per_number=2)
    many = decode_work(LLAMA_7B, n_tokens=100, batch_size=8)
    assert many.weight_bytes - work.weight_bytes == 7 * 2 * LLAMA_7B.d_model
    assert many.cache_bytes == 8 * work.cache_bytes


def test_no_pass_reads_more_than_all_weights(small):
    for precision in PRECISIONS:
        long = prefill_work(small, n_tokens=1000, precision=precision)
        assert long.weight_bytes == weight_bytes(small, precision)


def test_the_experts_that_a_batch_needs_are_those_of_even_choices(small):
    config = replace(small, feed_forward="moe_swiglu", n_experts=5, n_active_experts=2)
    choices = list(combinations(range(5), 2))
    unions = [len({*one, *other}) for one, other in product(choices, choices)]
    assert share_of_experts_read(config, 1) == pytest.approx(2 / 5)
    assert share_of_experts_read(config, 2) == pytest.approx(sum(unions) / len(unions) / 5)
    assert share_of_experts_read(config, 10_000) == 1
    assert share_of_experts_read(small, 1) == 1


def test_one_token_reads_the_active_experts_alone(small):
    config = replace(small, feed_forward="moe_swiglu", n_experts=5, n_active_experts=2)
    experts = sum(
        prod(shape) for path, shape in parameter_shapes(config).items() if ".experts." in path
    )
    assert experts
    table = config.vocab_size * config.d_model - config.d_model
    wanted = 2 * (count_parameters(config) - table - 3 / 5 * experts)
    assert decode_work(config, n_tokens=3).weight_bytes == pytest.approx(wanted)


def test_llama_7b_on_an_a100_writes_at_most_150_tokens_a_second():
    work = decode_work(LLAMA_7B, n_tokens=2048)
    limit = bound(work, peak_flops=312e12, bandwidth=2039e9)
    # (13.21 GB of weights + 1.07 GB of cache) / 2,039 GB/s
    assert limit.seconds == pytest.approx(7.008e-3, rel=1e-3)
    assert limit.is_bandwidth_bound
    assert work.intensity == pytest.approx(1, abs=0.02)


def test_reading_a_prompt_waits_for_arithmetic():
    work = prefill_work(LLAMA_7B, n_tokens=2048)
    limit = bound(work, peak_flops=312e12, bandwidth=2039e9)
    assert not limit.is_bandwidth_bound
    assert limit.seconds == limit.computing == work.flops / 312e12


def test_a_bound_is_the_longer_of_its_two_times():
    work = Work(flops=10, weight_bytes=2, cache_bytes=3)
    assert work.n_bytes == 5
    assert work.intensity == 2
    assert bound(work, peak_flops=2, bandwidth=5) == Bound(moving=1, computing=5)
    assert bound(work, peak_flops=2, bandwidth=0.5).seconds == 10


@pytest.mark.parametrize("is_rolling", [False, True])
@pytest.mark.parametrize("attention", ["causal", "sliding", "alternating"])
def test_the_longest_text_fits_and_one_token_more_does_not(small, attention, is_rolling):
    config = replace(small, attention=attention)
    how = {"bytes_per_number": 2, "is_rolling": is_rolling}
    for free in (0, 500, 12_345):
        longest = longest_text(config, free, batch_size=3, **how)
        if longest is None:
            assert attention == "sliding"
            assert is_rolling
            assert 3 * kv_cache_bytes(config, 10**12, **how) <= free
            continue
        assert 3 * kv_cache_bytes(config, longest, **how) <= free
        assert 3 * kv_cache_bytes(config, longest + 1, **how) > free


def test_a_model_that_keeps_nothing_has_room_for_any_text(small):
    config = replace(small, attention="none")
    assert longest_text(config, 0, batch_size=1, bytes_per_number=2) is None
    assert largest_batch(0, kv_cache_bytes(config, 9)) is None
    assert largest_batch(10, 4) == 2
    assert largest_batch(-10, 4) == 0
