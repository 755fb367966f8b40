from math import erf, pi, sqrt

import pytest
import torch
from torch.nn.functional import linear

from tiny_llama.menu import FEED_FORWARD
from tiny_llama.tap import record

D_MODEL, D_HIDDEN = 6, 10


def gelu(x):
    """The tanh form of GPT-2."""
    return 0.5 * x * (1 + ((2 / pi) ** 0.5 * (x + 0.044715 * x**3)).tanh())


def relu(x):
    return x * (x > 0)


GATES = {"swiglu": lambda x: x / (1 + (-x).exp()), "geglu": gelu, "reglu": relu}
ACTIVATIONS = {"gelu": gelu, "relu": relu, "relu_squared": lambda x: relu(x) ** 2}


def build(name, bias):
    torch.manual_seed(0)
    part = FEED_FORWARD[name].load()(d_model=D_MODEL, d_hidden=D_HIDDEN, bias=bias).double()
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter)
    return part


def reference(name, part, x):
    def through(layer, z):
        return linear(z, layer.weight, layer.bias)

    if name == "none":
        return torch.zeros_like(x)
    if name in GATES:
        hidden = GATES[name](through(part.to_gate, x)) * through(part.to_up, x)
    else:
        hidden = ACTIVATIONS[name](through(part.to_up, x))
    return through(part.to_down, hidden)


def test_every_feed_forward_has_its_reference():
    assert GATES.keys() | ACTIVATIONS.keys() | {"none"} == FEED_FORWARD.keys()


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "biases"])
@pytest.mark.parametrize("name", FEED_FORWARD)
def test_a_feed_forward_is_its_reference_equation(name, bias):
    part = build(name, bias)
    x = torch.randn(2, 3, D_MODEL, dtype=torch.float64)
    torch.testing.assert_close(part(x), reference(name, part, x))


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_a_feed_forward_has_as_many_matrices_as_the_menu_says(name):
    matrices = [p for p in build(name, bias=True).parameters() if p.dim() == 2]
    assert len(matrices) == FEED_FORWARD[name].n_matrices


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_gradients_are_right(name):
    x = torch.randn(2, 3, D_MODEL, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(build(name, bias=True), (x,))


@pytest.mark.parametrize("name", GATES)
@torch.no_grad()
def test_what_is_recorded_multiplies_up_to_the_hidden_layer(name):
    part = build(name, bias=False)
    x = torch.randn(2, 3, D_MODEL, dtype=torch.float64)
    with record(part) as seen:
        part(x)
    torch.testing.assert_close(seen["gate"], GATES[name](part.to_gate(x)))
    torch.testing.assert_close(seen["gate"] * seen["up"], seen["hidden"])


@pytest.mark.parametrize("tap", ["gate", "up", "hidden"])
@torch.no_grad()
def test_shutting_a_tap_shuts_the_part(tap):
    part = build("swiglu", bias=False)
    getattr(part, tap).register_forward_hook(lambda module, inputs, z: torch.zeros_like(z))
    assert not part(torch.randn(2, 3, D_MODEL, dtype=torch.float64)).any()


def test_the_tanh_form_of_gelu_stays_close_to_the_exact_one():
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    exact = torch.tensor([v * (1 + erf(v / sqrt(2))) / 2 for v in x.tolist()], dtype=torch.float64)
    assert (gelu(x) - exact).abs().max() < 1e-3
