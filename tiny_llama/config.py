"""ModelConfig: everything that decides a model's shape."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiny_llama.errors import ConfigError
from tiny_llama.fields import field_problems
from tiny_llama.menu import ATTENTION, CHOICES, FEED_FORWARD, MENU


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that decides a model's shape, in plain values.

    Vary with `dataclasses.replace`, save with `dataclasses.asdict`. A field that is None is
    derived; the property beside it (`kv_heads`, `head_width`, `hidden_width`) always gives the
    number.

    Raises:
        ConfigError: lists every problem at once, each with its value and the rule.
    """

    vocab_size: int = 64
    """Number of tokens; the tokenizer decides it when a model is trained."""
    context: int = 128
    """Longest text in tokens that the model is trained on."""
    n_layers: int = 4
    d_model: int = 64
    n_heads: int = 4
    n_kv_heads: int | None = None
    """None: one a query head (multi-head); 1: multi-query; between: grouped-query (2305.13245)."""
    d_head: int | None = None
    """None: d_model / n_heads."""
    d_hidden: int | None = None
    """None: 2/3 of 4 d_model rounded up to `hidden_multiple` with a gate, 4 d_model without."""
    hidden_multiple: int = 16
    """LLaMA 7B to 65B: 256."""
    norm: str = "rmsnorm"
    norm_placement: str = "pre"
    norm_eps: float = 1e-5
    position: str = "rope"
    rope_theta: float = 10_000.0
    attention: str = "causal"
    window: int = 32
    """How many tokens, itself included, a token reads in a windowed layer."""
    qk_norm: bool = False
    """Norm on each head's queries and keys before rotation (2302.05442)."""
    attention_softcap: float | None = None
    """Squashes attention scores into ±this by tanh (Gemma 2: 50); None: off."""
    feed_forward: str = "swiglu"
    bias: str = "none"
    tied_unembedding: bool = False
    """Whether the embedding matrix also turns the last residual into logits."""
    logit_softcap: float | None = None
    """Squashes logits into ±this by tanh (Gemma 2: 30); None: off."""
    dropout: float = 0.0
    init_std: float = 0.08
    """GPT-2's 0.02 suits wide models; narrow ones learn faster from larger weights."""
    scaled_residual_init: bool = True
    """Whether projections into the residual stream start smaller by 1/sqrt(2 n_layers) (GPT-2)."""

    @property
    def kv_heads(self) -> int:
        """Number of key/value heads."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads if self.d_head is None else self.d_head

    @property
    def hidden_width(self) -> int:
        """Width of the feed-forward's hidden layer, by LLaMA's rule unless given."""
        if self.d_hidden is not None:
            return self.d_hidden
        if not self.has_gate:
            return 4 * self.d_model
        two_thirds = 2 * 4 * self.d_model // 3
        return -(-two_thirds // self.hidden_multiple) * self.hidden_multiple

    @property
    def has_attention(self) -> bool:
        """Whether tokens read from one another at all."""
        return ATTENTION[self.attention].is_present

    @property
    def has_feed_forward(self) -> bool:
        """Whether there is a feed-forward network."""
        return FEED_FORWARD[self.feed_forward].n_matrices > 0

    @property
    def has_gate(self) -> bool:
        """Whether the feed-forward has a gate, hence three matrices."""
        return FEED_FORWARD[self.feed_forward].n_matrices == 3

    def window_of(self, layer: int) -> int | None:
        """How many tokens a token reads in this layer (counted from 0); None: all earlier ones."""
        every = ATTENTION[self.attention].window_every
        return self.window if every and layer % every == every - 1 else None

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigError("This model cannot be built: " + "; ".join(problems) + ".")

    def _problems(self) -> Iterator[str]:
        if single := list(field_problems(self, bounds=BOUNDS, choices={**MENU, **CHOICES})):
            yield from single
            return
        if self.d_head is None and self.d_model % self.n_heads:
            yield f"d_model={self.d_model} must be a multiple of n_heads={self.n_heads}"
        elif self.position == "rope" and self.head_width % 2:
            yield f"head width {self.head_width} must be even for position='rope' (it turns pairs)"
        if self.n_heads % self.kv_heads:
            yield f"n_heads={self.n_heads} must be a multiple of n_kv_heads={self.n_kv_heads}"
        if self.position == "sinusoidal" and self.d_model % 2:
            yield f"d_model={self.d_model} must be even for position='sinusoidal'"


BOUNDS = {
    "vocab_size": (2, 10_000_000),
    "context": (2, 10_000_000),
    "n_layers": (0, 10_000),
    "d_model": (1, 1_000_000),
    "n_heads": (1, 10_000),
    "n_kv_heads": (1, 10_000),
    "d_head": (1, 100_000),
    "d_hidden": (1, 10_000_000),
    "hidden_multiple": (1, 100_000),
    "norm_eps": (0, 1),
    "rope_theta": (1, 1e12),
    "window": (1, 10_000_000),
    "attention_softcap": (1e-3, 1e6),
    "logit_softcap": (1e-3, 1e6),
    "dropout": (0, 0.99),
    "init_std": (0, 10),
}
"""What makes sense at all; what a machine can carry is for whoever runs it to say."""
