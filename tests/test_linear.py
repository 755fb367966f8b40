import pytest
import torch
from torch import nn

from tiny_llama.parts import linear
from tiny_llama.parts.linear import FEWEST_ROWS, Linear, Product

SIZES = [(8, 24), (24, 8), (8, 8), (1, 5), (5, 1)]


@pytest.fixture(params=[False, True], ids=["by PyTorch's product", "by oneDNN's"])
def either_product(request, monkeypatch):
    """Take both products, on whatever processor the tests run."""
    if request.param and not torch.backends.mkldnn.is_available():
        pytest.skip("this build of PyTorch carries no oneDNN")
    monkeypatch.setattr(linear, "_processor_gains_by_onednn", lambda: request.param)


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("d", "f"), SIZES)
def test_the_gradients_of_the_product_are_right(d, f, bias):
    torch.manual_seed(0)
    factors = double(2, 3, d), double(f, d), double(f) if bias else None
    assert torch.autograd.gradcheck(Product.apply, factors)


def outcome(layer, x, g):
    y = layer(x)
    return [y, *torch.autograd.grad(y, [x, *layer.parameters()], g)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("d", "f"), SIZES)
@pytest.mark.usefixtures("either_product")
@pytest.mark.parametrize("shape", [(FEWEST_ROWS,), (4, FEWEST_ROWS), (2, 3), (1,)], ids=str)
def test_a_layer_agrees_with_pytorchs_own_in_output_and_gradients(shape, d, f, bias):
    torch.manual_seed(0)
    ours, theirs = Linear(d, f, bias), nn.Linear(d, f, bias)
    theirs.load_state_dict(ours.state_dict())
    x, g = torch.randn(*shape, d, requires_grad=True), torch.randn(*shape, f)
    torch.testing.assert_close(outcome(ours, x, g), outcome(theirs, x, g), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("either_product")
@pytest.mark.parametrize("repeated", [False, True], ids=["scattered", "repeated"])
def test_memory_may_lie_in_any_order(repeated):
    torch.manual_seed(0)
    layer = Linear(8, 24)
    x = torch.randn(8, 4, FEWEST_ROWS).movedim(0, -1).requires_grad_()
    g = torch.randn(24, 4, FEWEST_ROWS).movedim(0, -1)
    if repeated:  # as the gradient of a sum is
        g = torch.randn(24).expand_as(g)
    odd = outcome(layer, x, g)
    neat = outcome(layer, x.detach().contiguous().requires_grad_(), g.contiguous())
    torch.testing.assert_close(odd, neat, rtol=1e-4, atol=1e-3)


@pytest.mark.usefixtures("either_product")
def test_only_the_gradients_that_are_wanted_are_computed():
    layer = Linear(8, 24).requires_grad_(False)
    x = torch.randn(FEWEST_ROWS, 8, requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    layer.requires_grad_()
    layer(x.detach()).sum().backward()
    assert layer.weight.grad is not None


def test_onednn_is_asked_only_where_it_gains_and_may_be_switched_off(monkeypatch):
    asked = []
    monkeypatch.setattr(linear, "_processor_gains_by_onednn", lambda: True)
    monkeypatch.setattr(Product, "apply", lambda *factors: asked.append(1) or torch.zeros(()))
    layer, x = Linear(8, 24), torch.randn(FEWEST_ROWS, 8)
    layer(x)
    assert asked == [1]
    layer(x[1:])
    layer.double()(x.double())
    layer.to("meta")(x.to("meta"))
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    Linear(8, 24)(x)
    assert asked == [1]


def test_onednn_must_be_far_ahead_and_both_ways_are_timed_on_the_same_work(monkeypatch):
    wide_amd = torch.backends.cpu.get_cpu_capability() == "AVX512"
    wide_amd &= "AMD" in torch.cpu.get_capabilities().get("cpu_name", "")
    for seconds, gains in [([1.0, 0.5], wide_amd), ([1.0, 0.95], False), ([0.5, 1.0], False)]:
        monkeypatch.setattr(linear, "_quickest", lambda *ways, found=seconds: found)
        assert linear._processor_gains_by_onednn.__wrapped__() == gains


def test_the_quickest_call_of_each_way_is_taken(monkeypatch):
    ticks = iter([0, 5, 10, 12, 20, 23, 30, 37])
    monkeypatch.setattr(linear.time, "perf_counter", lambda: next(ticks))
    assert linear._quickest(lambda: None, lambda: None, n_rounds=2) == [3, 2]


def test_a_layer_is_saved_and_loaded_like_pytorchs_own():
    assert Linear(3, 2).state_dict().keys() == nn.Linear(3, 2).state_dict().keys()
    assert isinstance(Linear(3, 2), nn.Linear)


def test_no_token_gives_no_output():
    assert Linear(3, 2)(torch.empty(0, 4, 3)).shape == (0, 4, 2)
