"""Feed-forward networks with a gate (Shazeer 2020, arXiv:2002.05202); LLaMA's is SwiGLU."""

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.parts.linear import Linear
from tiny_llama.tap import Tap


class Gated(nn.Module):
    """Two projections up, one of them through an activation as a gate on the other, one down.

    y = to_down(act(to_gate x) * to_up x).
    """

    linear: type[nn.Linear] = Linear
    """What its three layers are made of."""

    def __init__(self, *, d_model: int, d_hidden: int, bias: bool, **more: object) -> None:
        super().__init__()
        self.to_gate = self.linear(d_model, d_hidden, bias=bias)
        self.to_up = self.linear(d_model, d_hidden, bias=bias)
        self.to_down = self.linear(d_hidden, d_model, bias=bias)
        self.gate, self.up, self.hidden = Tap(), Tap(), Tap()

    def forward(self, x: Tensor) -> Tensor:
        """Map `b t d` to `b t d`; the hidden layer is `b t f`."""
        gate = self.gate(self.activate(self.to_gate(x)))
        up = self.up(self.to_up(x))
        y: Tensor = self.to_down(self.hidden(gate * up))
        return y

    def activate(self, x: Tensor) -> Tensor:
        """Turn the gate's projection into the gate."""
        raise NotImplementedError


class SwiGLU(Gated):
    """The gate of LLaMA: silu(x) = x * sigmoid(x)."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply silu."""
        return F.silu(x)


class GeGLU(Gated):
    """The gate of Gemma: GELU in its tanh form."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply GELU (tanh form)."""
        return F.gelu(x, approximate="tanh")


class ReGLU(Gated):
    """A gate that is either shut or linear: max(x, 0)."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply ReLU."""
        return F.relu(x)
