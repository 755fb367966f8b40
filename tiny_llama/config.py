"""ModelConfig: everything that decides a model's shape."""

from collections.abc import Iterator
from dataclasses import dataclass

from tiny_llama.errors import ConfigError
from tiny_llama.fields import field_problems
from tiny_llama.menu import (
    ATTENTION,
    BIASED,
    CHOICES,
    FEED_FORWARD,
    MENU,
    NORM_PLACEMENT,
    POSITION,
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that decides a model's shape, in plain values.

    Vary with `dataclasses.replace`, save with `dataclasses.asdict`. A field that is None is
    derived; the property beside it (`kv_heads`, `head_width`, `hidden_width`) always gives the
    number.

    Raises:
        ConfigError: lists every problem at once, each with its value and the rule.
    """

    vocab_size: int = 512
    """Number of tokens; the tokenizer decides it when a model is trained."""
    context: int = 128
    """Longest text in tokens that the model is trained on."""
    n_layers: int = 3
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
    block: str = "sequential"
    """Whether the feed-forward reads after attention or beside it."""
    embedding_scale: bool = False
    """Whether embedded tokens are multiplied by sqrt(d_model) (Gemma)."""
    embedding_norm: bool = False
    """Whether a norm stands right behind the embedding (BLOOM)."""
    position: str = "rope"
    rope_theta: float = 10_000.0
    rope_theta_local: float | None = None
    """Theta in layers with a window (Gemma 3: 10,000 beside 1,000,000); None: the same."""
    rope_fraction: float = 1.0
    """Share of each head's width that is turned, its first coordinates (GPT-NeoX: a quarter)."""
    nope_every: int | None = None
    """Every n-th layer turns nothing (SmolLM3: 4; 2501.18795); None: all turn."""
    attention: str = "causal"
    window: int = 32
    """How many tokens, itself included, a token reads in a windowed layer."""
    qk_norm: str = "none"
    """Norm on queries and keys before rotation, for each head alone or over all at once."""
    attention_softcap: float | None = None
    """Squashes attention scores into ±this by tanh (Gemma 2: 50); None: off."""
    feed_forward: str = "swiglu"
    n_experts: int = 8
    """Networks that a mixture of experts has in each layer."""
    n_active_experts: int = 2
    """How many of them work on a token."""
    bias: str = "none"
    tied_unembedding: bool = False
    """Whether the embedding matrix also turns the last residual into logits."""
    unembedding_bias: bool = False
    """Whether each logit has a bias (GPT-J)."""
    logit_softcap: float | None = None
    """Squashes logits into ±this by tanh (Gemma 2: 30); None: off."""
    dropout: float = 0.0
    init_std: float = 0.08
    """GPT-2's 0.02 suits wide models; narrow ones learn faster from larger weights."""
    embedding_std: float = 1.0
    """Of the starting embedding, which at 1 is not drowned by what the first layers write; so do
    PyTorch's authors train Llama 3 (torchtitan). Where it is tied, `init_std` counts.
    """
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
    def turned_width(self) -> int:
        """How many coordinates of a head RoPE turns: the first ones."""
        return int(self.head_width * self.rope_fraction)

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

    @property
    def has_experts(self) -> bool:
        """Whether the feed-forward is a mixture of experts."""
        return FEED_FORWARD[self.feed_forward].has_experts

    @property
    def block_norms(self) -> tuple[str, ...]:
        """Which norms of the model's width each block has, by their names there."""
        place, shares = NORM_PLACEMENT[self.norm_placement], self.block == "parallel"
        at_part = place.before or place.after
        attends, feeds = self.has_attention, self.has_feed_forward
        has = {
            "attention_norm": at_part and (attends or (shares and feeds)),
            "attention_output_norm": place.output and attends,
            "feed_forward_norm": at_part and feeds and not shares,
            "feed_forward_output_norm": place.output and feeds,
        }
        return tuple(name for name, is_there in has.items() if is_there)

    @property
    def has_last_norm(self) -> bool:
        """Whether a norm stands before the unembedding."""
        return not NORM_PLACEMENT[self.norm_placement].after

    def has_bias(self, where: str) -> bool:
        """Tell whether a block's linear layers have biases at "qkv", "output" or "feed_forward"."""
        return where in BIASED[self.bias]

    def window_of(self, layer: int) -> int | None:
        """Say how many tokens a token reads in this layer (counted from 0); None: all earlier."""
        pattern = ATTENTION[self.attention].pattern
        return self.window if pattern[layer % len(pattern)] else None

    def theta_of(self, layer: int) -> float | None:
        """Say by which theta a layer (from 0) turns queries and keys; None: it does not."""
        skips = self.nope_every is not None and (layer + 1) % self.nope_every == 0
        if skips or not POSITION[self.position].turns:
            return None
        has_own = self.rope_theta_local is not None and self.window_of(layer) is not None
        return self.rope_theta_local if has_own else self.rope_theta

    @property
    def n_windowed_layers(self) -> int:
        """How many layers read a window alone."""
        pattern = ATTENTION[self.attention].pattern
        rounds, more = divmod(self.n_layers, len(pattern))
        return rounds * sum(pattern) + sum(pattern[:more])

    @property
    def n_turning_layers(self) -> int:
        """How many layers turn their queries and keys."""
        n_skipped = self.n_layers // self.nope_every if self.nope_every else 0
        return POSITION[self.position].turns * (self.n_layers - n_skipped)

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ConfigError("This model cannot be built: " + "; ".join(problems) + ".")

    def _problems(self) -> Iterator[str]:
        if single := list(field_problems(self, bounds=BOUNDS, choices={**MENU, **CHOICES})):
            yield from single
            return
        if self.d_head is None and self.d_model % self.n_heads:
            yield f"d_model={self.d_model} must be a multiple of n_heads={self.n_heads}"
        elif POSITION[self.position].turns and (self.turned_width % 2 or not self.turned_width):
            yield (
                f"rope_fraction={self.rope_fraction:g} of head width {self.head_width} turns "
                f"{self.turned_width} coordinates; for position={self.position!r} it must be an "
                f"even number of at least 2 (it turns pairs)"
            )
        if self.n_heads % self.kv_heads:
            yield f"n_heads={self.n_heads} must be a multiple of n_kv_heads={self.n_kv_heads}"
        if POSITION[self.position].needs_even_width and self.d_model % 2:
            yield f"d_model={self.d_model} must be even for position={self.position!r}"
        if self.has_experts and self.n_active_experts > self.n_experts:
            yield (
                f"n_active_experts={self.n_active_experts} must be at most "
                f"n_experts={self.n_experts}"
            )
        if self.block == "parallel" and self.norm_placement == "post":
            yield (
                "norm_placement='post' must be another one for block='parallel', whose parts share "
                "the norm before them"
            )


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
    "rope_theta_local": (1, 1e12),
    "rope_fraction": (0, 1),
    "nope_every": (1, 10_000),
    "window": (1, 10_000_000),
    "attention_softcap": (1e-3, 1e6),
    "n_experts": (1, 512),
    "n_active_experts": (1, 512),
    "logit_softcap": (1e-3, 1e6),
    "dropout": (0, 0.99),
    "init_std": (0, 10),
    "embedding_std": (0, 10),
}
"""What makes sense at all; what a machine can carry is for whoever runs it to say."""
