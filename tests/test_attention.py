from dataclasses import dataclass, replace
from itertools import product

import pytest
import torch
from torch import Tensor

from tiny_llama.config import ModelConfig
from tiny_llama.menu import POSITION
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.attention import Attention
from tiny_llama.parts.attentions.cache import LayerCache
from tiny_llama.parts.norms.none import NoNorm
from tiny_llama.parts.norms.rms import RMSNorm
from tiny_llama.parts.positions.base import Position
from tiny_llama.tap import record

D_MODEL, N_HEADS, D_HEAD, N_TOKENS = 20, 4, 6, 9


@dataclass(frozen=True)
class Case:
    n_kv_heads: int = 4
    window: int | None = None
    position: str = "rope"
    softcap: float | None = None
    qk_norm: str = "none"

    def attention(self, dtype: torch.dtype = torch.float64) -> Attention:
        torch.manual_seed(0)
        return Attention(
            d_model=D_MODEL,
            n_heads=N_HEADS,
            n_kv_heads=self.n_kv_heads,
            d_head=D_HEAD,
            window=self.window,
            softcap=self.softcap,
            qkv_bias=True,
            output_bias=True,
            dropout=0.0,
            make_norm=NoNorm if self.qk_norm == "none" else lambda width: RMSNorm(width, 1e-5),
            norms_all_heads=self.qk_norm == "all",
        ).to(dtype)

    def order(self, dtype: torch.dtype = torch.float64) -> Position:
        return (
            POSITION[self.position]
            .load()(d_model=D_MODEL, n_heads=N_HEADS, d_head=D_HEAD, context=N_TOKENS, theta=100.0)
            .to(dtype)
        )


WAYS = [
    Case(n_kv_heads, window, position)
    for n_kv_heads, window, position in product((4, 2, 1), (None, 1, 3, 99), ("rope", "alibi"))
]
ODD_ONES = [Case(2, softcap=0.7), Case(2, 3, "alibi", softcap=0.7), Case(2, 3, qk_norm="head")]
ODD_ONES += [Case(2, 3, qk_norm="all")]


def tokens(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2, N_TOKENS, D_MODEL, dtype=dtype, generator=torch.manual_seed(1))


def watch(attention: Attention) -> None:
    attention.pattern.register_forward_hook(lambda module, inputs, output: None)


def normed(case: Case, norm: torch.nn.Module, z: Tensor) -> Tensor:
    """Normalise queries or keys `b h t e`, one head or one token at a time."""
    if case.qk_norm != "all":
        return norm(z)
    result = torch.empty_like(z)
    for text, t in product(range(len(z)), range(N_TOKENS)):
        result[text, :, t] = norm(z[text, :, t].flatten()).unflatten(0, (-1, D_HEAD))
    return result


def by_the_book(case: Case, attention: Attention, order: Position, x: Tensor) -> Tensor:
    """Attend for one reader, one head, one source at a time."""
    q, k, v = attention.to_qkv(x).split(
        [n * D_HEAD for n in (4, case.n_kv_heads, case.n_kv_heads)], -1
    )
    q, k, v = (z.unflatten(-1, (-1, D_HEAD)).transpose(1, 2) for z in (q, k, v))
    q, k = order.rotate(normed(case, attention.query_norm, q), normed(case, attention.key_norm, k))
    bias = order.bias(N_TOKENS)
    heads = torch.zeros_like(q)
    for text, head, reader in product(range(len(x)), range(N_HEADS), range(N_TOKENS)):
        group = head * case.n_kv_heads // N_HEADS
        first = 0 if case.window is None else max(0, reader - case.window + 1)
        scores = []
        for source in range(first, reader + 1):
            score = q[text, head, reader] @ k[text, group, source] / D_HEAD**0.5
            if case.softcap is not None:
                score = case.softcap * torch.tanh(score / case.softcap)
            scores.append(score if bias is None else score + bias[head, reader, source])
        weights = torch.stack(scores).exp()
        values = v[text, group, first : reader + 1]
        heads[text, head, reader] = weights @ values / weights.sum()
    return attention.to_output(heads.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("case", WAYS + ODD_ONES, ids=str)
@torch.no_grad()
def test_attention_is_what_the_book_says(case):
    attention, order, x = case.attention(), case.order(), tokens()
    expected = by_the_book(case, attention, order, x)
    torch.testing.assert_close(attention(x, order), expected)
    watch(attention)
    torch.testing.assert_close(attention(x, order), expected)


def outcome(attention: Attention, order: Position, x: Tensor) -> list[Tensor]:
    """Give the output, and the gradients of a number made of it."""
    x = x.clone().requires_grad_()
    output = attention(x, order)
    total = (output * torch.linspace(-1, 2, output.numel()).view_as(output)).sum()
    return [output, *torch.autograd.grad(total, [x, *attention.parameters()])]


@pytest.mark.parametrize("case", WAYS + ODD_ONES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_watched_and_fused_attention_agree_in_outputs_and_gradients(case, dtype):
    attention, order, x = case.attention(dtype), case.order(dtype), tokens(dtype)
    fused = outcome(attention, order, x)
    watch(attention)
    torch.testing.assert_close(outcome(attention, order, x), fused, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("watched", [False, True], ids=["fused", "watched"])
@pytest.mark.parametrize("pieces", [[4, 5], [1, 1, 7], [8, 1], [3, 1, 3, 2]], ids=str)
@pytest.mark.parametrize("case", WAYS + ODD_ONES, ids=str)
@torch.no_grad()
def test_reading_on_from_a_cache_is_reading_at_once(case, pieces, watched):
    attention, order, x = case.attention(), case.order(), tokens()
    whole = attention(x, order)
    if watched:
        watch(attention)
    cache, start, outputs = LayerCache(N_TOKENS), 0, []
    for piece in x.split(pieces, dim=1):
        outputs.append(attention(piece, order, start, cache))
        start += piece.shape[1]
    torch.testing.assert_close(torch.cat(outputs, 1), whole)


TAPS = ["query", "key", "value", "rotated_query", "rotated_key"]
TAPS += ["scores", "masked_scores", "pattern", "heads"]


@pytest.mark.parametrize("tap", TAPS)
@torch.no_grad()
def test_what_a_hook_puts_in_place_of_an_activation_is_used(tap):
    case = Case(n_kv_heads=2)
    attention, order, x = case.attention(), case.order(), tokens()
    before = attention(x, order)
    handle = getattr(attention, tap).register_forward_hook(lambda module, inputs, z: z.flip(1))
    assert (attention(x, order) - before).abs().max() > 1e-3
    handle.remove()
    assert torch.equal(attention(x, order), before)


@torch.no_grad()
def test_each_activation_has_the_axes_that_its_name_promises():
    case = Case(n_kv_heads=2, window=3)
    attention, order = case.attention(), case.order()
    with record(attention) as seen:
        attention(tokens(), order)
    readers, sources = (2, 4, N_TOKENS, D_HEAD), (2, 2, N_TOKENS, D_HEAD)
    square = (2, 4, N_TOKENS, N_TOKENS)
    shapes = [readers, sources, sources, readers, sources, square, square, square, readers]
    assert {tap: tuple(seen[tap].shape) for tap in TAPS} == dict(zip(TAPS, shapes, strict=True))


@torch.no_grad()
def test_a_pattern_hides_the_future_and_what_lies_before_the_window():
    case = Case(window=3, position="alibi")
    attention = case.attention()
    with record(attention, "pattern", "masked_scores") as seen:
        attention(tokens(), case.order())
    distance = torch.arange(N_TOKENS)[:, None] - torch.arange(N_TOKENS)
    visible = (distance >= 0) & (distance < 3)
    assert torch.equal((seen["pattern"] > 0).all(1).all(0), visible)
    assert torch.equal(seen["masked_scores"].isfinite().all(1).all(0), visible)


def test_dropout_acts_on_both_ways_of_reading_while_training_only():
    case = Case(n_kv_heads=2)
    attention, order, x = case.attention(), case.order(), tokens()
    without = attention(x, order)
    attention.dropout = 0.5
    for _ in range(2):  # fused, then watched
        assert not torch.equal(attention.train()(x, order), attention(x, order))
        torch.testing.assert_close(attention.eval()(x, order), without)
        watch(attention)


def test_generating_first_does_not_keep_a_model_from_training():
    model = TinyLlama(ModelConfig(context=8, n_layers=1, attention="sliding", window=5))
    long = torch.zeros(1, 20, dtype=torch.long)
    with torch.inference_mode():  # fills tables and masks that training then meets
        model(long)
    model(long).sum().backward()


def test_the_same_batch_gives_the_same_numbers_to_the_last_bit():
    model = TinyLlama(ModelConfig())
    batch = torch.randint(64, (16, 64), generator=torch.manual_seed(0))
    runs = []
    for _ in range(2):
        model.zero_grad()
        model(batch).logsumexp(-1).mean().backward()
        runs.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.equal(*gradients) for gradients in zip(*runs, strict=True))


def test_a_real_model_is_laid_out_without_memory():
    config = ModelConfig(d_model=4096, n_heads=32, n_kv_heads=8, n_layers=2, context=4096)
    with torch.device("meta"):
        model = TinyLlama(replace(config, window=1024, attention="sliding"))
    logits = model(torch.zeros(1, 4096, dtype=torch.long, device="meta"))
    assert logits.device.type == "meta"
    assert logits.shape == (1, 4096, config.vocab_size)
