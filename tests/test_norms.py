import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tiny_llama.menu import NORM
from tiny_llama.parts.norms.rms import Normalize, RMSNorm

SHAPES = [(5,), (3, 5), (2, 3, 5), (2, 4, 3, 5)]


def rms_norm(x, weight, bias, eps):
    return weight * x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt()


def layer_norm(x, weight, bias, eps):
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).pow(2).mean(-1, keepdim=True)
    return weight * (x - mean) / (variance + eps).sqrt() + bias


REFERENCE = {
    "rmsnorm": rms_norm,
    "layernorm": layer_norm,
    "layernorm_no_bias": lambda x, weight, bias, eps: layer_norm(x, weight, 0, eps),
    "layernorm_plain": lambda x, weight, bias, eps: layer_norm(x, 1, 0, eps),
    "none": lambda x, *rest: x,
}


def test_every_norm_has_its_reference():
    assert REFERENCE.keys() == NORM.keys()


@pytest.mark.parametrize("trains", [True, False], ids=["training", "reading"])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NORM)
def test_a_norm_is_its_reference_equation(name, shape, eps, trains):
    torch.manual_seed(0)
    norm = NORM[name].load()(5, eps).double()
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    x = 3 * torch.randn(shape, dtype=torch.float64) + 1
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    with torch.set_grad_enabled(trains):
        torch.testing.assert_close(norm(x), REFERENCE[name](x, weight, bias, eps))


@pytest.mark.parametrize("name", NORM)
def test_a_norm_learns_as_many_vectors_as_the_menu_says(name):
    assert len(list(NORM[name].load()(5, 1e-5).parameters())) == NORM[name].n_vectors


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gradient_of_rmsnorm_is_right(shape):
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Normalize.apply, (x, weight, 1e-3))


def test_rmsnorm_agrees_with_pytorchs_own_in_output_and_gradients():
    torch.manual_seed(0)
    norm = RMSNorm(64, 1e-5)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(4, 9, 64, requires_grad=True)
    ours, theirs = norm(x), F.rms_norm(x, (64,), norm.weight, 1e-5)
    torch.testing.assert_close(ours, theirs)
    g = torch.randn_like(x)
    torch.testing.assert_close(
        torch.autograd.grad(ours, (x, norm.weight), g),
        torch.autograd.grad(theirs, (x, norm.weight), g),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_vector_of_zeros_stays_zero_and_has_a_finite_gradient():
    x = torch.zeros(2, 5, requires_grad=True)
    y = RMSNorm(5, 1e-5)(x)
    y.sum().backward()
    assert not y.any()
    assert x.grad.isfinite().all()


def test_differentiating_rmsnorm_twice_is_refused_rather_than_wrong():
    x = torch.randn(2, 5, requires_grad=True)
    (slope,) = torch.autograd.grad(RMSNorm(5, 1e-5)(x).pow(2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
