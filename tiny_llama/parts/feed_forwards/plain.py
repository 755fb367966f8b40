"""Feed-forward networks without a gate: up, activation, down."""

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.parts.linear import Linear
from tiny_llama.tap import Tap


class Plain(nn.Module):
    """One projection up, an activation, one projection down: y = to_down(act(to_up x))."""

    def __init__(self, *, d_model: int, d_hidden: int, bias: bool, **more: object) -> None:
        super().__init__()
        self.to_up = Linear(d_model, d_hidden, bias=bias)
        self.to_down = Linear(d_hidden, d_model, bias=bias)
        self.up, self.hidden = Tap(), Tap()

    def forward(self, x: Tensor) -> Tensor:
        """Map `b t d` to `b t d`; the hidden layer is `b t f`."""
        return self.to_down(self.hidden(self.activate(self.up(self.to_up(x)))))

    def activate(self, x: Tensor) -> Tensor:
        """Bend the hidden layer."""
        raise NotImplementedError


class GELU(Plain):
    """x * P(a standard normal is below x), in the tanh form of GPT-2 and GPT-3 (1606.08415)."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply GELU (tanh form)."""
        return F.gelu(x, approximate="tanh")


class ExactGELU(Plain):
    """x * P(a standard normal is below x), by the error function: Pythia, Falcon and MPT."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply GELU (exact form)."""
        return F.gelu(x)


class ReLU(Plain):
    """max(x, 0), the activation of the first transformer (1706.03762)."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply ReLU."""
        return F.relu(x)


class ReLUSquared(Plain):
    """max(x, 0)^2, found by search in Primer (So et al. 2021, arXiv:2109.08668)."""

    def activate(self, x: Tensor) -> Tensor:
        """Apply squared ReLU."""
        return F.relu(x).square()
