from itertools import product
from math import erf, exp, pi, sqrt

import pytest
import torch
from torch.nn.functional import linear

from tiny_llama.menu import FEED_FORWARD
from tiny_llama.tap import record

D_MODEL, D_HIDDEN = 6, 10


def gelu(x):
    """Compute the tanh form of GPT-2."""
    return 0.5 * x * (1 + ((2 / pi) ** 0.5 * (x + 0.044715 * x**3)).tanh())


def exact_gelu(x):
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def relu(x):
    return x * (x > 0)


GATES = {"swiglu": lambda x: x / (1 + (-x).exp()), "geglu": gelu, "reglu": relu}
ACTIVATIONS = {
    "gelu": gelu,
    "gelu_exact": exact_gelu,
    "relu": relu,
    "relu_squared": lambda x: relu(x) ** 2,
}


MIXTURES = ["moe_swiglu"]
N_EXPERTS, N_ACTIVE = 5, 2


def build(name, bias):
    torch.manual_seed(0)
    sizes = {"d_model": D_MODEL, "d_hidden": D_HIDDEN, "n_experts": N_EXPERTS}
    part = FEED_FORWARD[name].load()(**sizes, n_active_experts=N_ACTIVE, bias=bias).double()
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter)
    return part


def reference(name, part, x):
    def through(layer, z):
        return linear(z, layer.weight, layer.bias)

    if name == "none":
        return torch.zeros_like(x)
    if name in MIXTURES:
        return mixed_by_the_book(part, x)
    if name in GATES:
        hidden = GATES[name](through(part.to_gate, x)) * through(part.to_up, x)
    else:
        hidden = ACTIVATIONS[name](through(part.to_up, x))
    return through(part.to_down, hidden)


def mixed_by_the_book(part, x):
    """Mix one token at a time: the experts of the highest scores, weighted by their softmax."""
    result = torch.zeros_like(x)
    for text, t in product(range(x.shape[0]), range(x.shape[1])):
        scores = (part.router.weight @ x[text, t]).tolist()
        best = sorted(range(N_EXPERTS), key=lambda i: -scores[i])[:N_ACTIVE]
        whole = sum(exp(scores[i]) for i in best)
        for i in best:
            result[text, t] += exp(scores[i]) / whole * part.experts[i](x[text, t])
    return result


def test_every_feed_forward_has_its_reference():
    assert GATES.keys() | ACTIVATIONS.keys() | {*MIXTURES, "none"} == FEED_FORWARD.keys()


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "biases"])
@pytest.mark.parametrize("name", FEED_FORWARD)
def test_a_feed_forward_is_its_reference_equation(name, bias):
    part = build(name, bias)
    x = torch.randn(2, 3, D_MODEL, dtype=torch.float64)
    torch.testing.assert_close(part(x), reference(name, part, x))


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_a_feed_forward_has_as_many_matrices_as_the_menu_says(name):
    part = build(name, bias=True)
    a_network = part.experts[0] if FEED_FORWARD[name].has_experts else part
    matrices = [p for p in a_network.parameters() if p.dim() == 2]
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


@torch.no_grad()
def test_where_all_experts_work_their_weights_are_the_softmax_of_all_scores():
    torch.manual_seed(0)
    sizes = {"d_model": D_MODEL, "d_hidden": D_HIDDEN, "n_experts": 3, "n_active_experts": 3}
    part = FEED_FORWARD["moe_swiglu"].load()(**sizes, bias=False).double()
    x = torch.randn(2, 4, D_MODEL, dtype=torch.float64)
    weights = part.router(x).softmax(-1)
    expected = sum(weights[..., i : i + 1] * part.experts[i](x) for i in range(3))
    torch.testing.assert_close(part(x), expected)


@torch.no_grad()
def test_an_expert_that_nobody_chooses_is_never_asked():
    part = build("moe_swiglu", bias=False)
    part.router.weight.zero_()
    part.router.weight[1:3, 0] = 5.0
    x = torch.rand(2, 3, D_MODEL, dtype=torch.float64) + 0.1
    with record(part, "experts.*.hidden") as seen:
        part(x)
    assert [seen[f"experts.{i}.hidden"].shape[1] for i in range(N_EXPERTS)] == [0, 6, 6, 0, 0]
