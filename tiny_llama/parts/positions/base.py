"""Where order can enter a transformer."""

from torch import Tensor, nn


class Position(nn.Module):
    """Order can enter a transformer at three places; an option overrides the one it uses.

    Used as it is, it adds no order at all: a causal model still learns some from the mask alone
    (Haviv et al. 2022, arXiv:2203.16634).

    `start` is the position of the first new token when a cache holds the earlier ones.
    """

    longest: int | None = None
    """The most positions that this scheme can tell apart; None: no end."""

    def __init__(
        self,
        *,
        d_model: int,
        n_heads: int,
        d_head: int,
        context: int,
        theta: float,
        d_turned: int | None = None,
    ) -> None:
        super().__init__()
        self.d_model, self.n_heads, self.d_head = d_model, n_heads, d_head
        self.context, self.theta = context, theta
        self.d_turned = d_head if d_turned is None else d_turned
        self.prepare()

    def prepare(self) -> None:
        """Make what the option needs, such as a table; called once its numbers are known."""

    def embed(self, x: Tensor, start: int = 0) -> Tensor:
        """Add order to the embedded tokens `b t d`, before the first block."""
        return x

    def rotate(self, q: Tensor, k: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
        """Turn order into queries `b h t e` and keys `b g t e`, in every attention."""
        return q, k

    def bias(self, n_readers: int, start: int = 0) -> Tensor | None:
        """Return what to add to the scaled scores, `h t s` with s = start + t; None: nothing."""
        return None
