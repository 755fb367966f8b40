"""What can be chosen in each slot, readable without importing PyTorch.

The config check, the widgets, the URL, the command line and the tests all read these tables, so a
new option is one code file, one line here and one content card. A line also states the few facts
that counting needs (how many matrices or vectors an option learns), so that `cost` can count a
70B model without building it.
"""

import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Option:
    """One choice in a slot: where its code lives, how it is called, and the paper it comes from."""

    where: str
    title: str
    paper: str = ""
    """arXiv number, or a short reference where there is none."""

    @property
    def short_title(self) -> str:
        """Give the title as it stands within a line; where it has an abbreviation, that alone."""
        if abbreviation := re.search(r"\((.+)\)$", self.title):
            return abbreviation[1]
        is_name = self.title[1:] != self.title[1:].lower()
        return self.title if is_name else self.title[0].lower() + self.title[1:]

    def load(self) -> Any:
        """Import and return the class or function behind this option."""
        return pkgutil.resolve_name(self.where)


@dataclass(frozen=True, kw_only=True)
class NormOption(Option):
    """A norm: how many vectors of the model's width it learns, and what its gradient needs."""

    n_vectors: int
    n_statistics: int
    """Numbers a token that training keeps for the gradient, besides the token's vector."""
    is_present: bool = True


@dataclass(frozen=True, kw_only=True)
class PositionOption(Option):
    """A position scheme: where order comes in, and whether it learns a row a position."""

    adds: str = ""
    """What it adds to each embedded token, in a word or two; empty: nothing."""
    has_table: bool = False
    """Whether what it adds is a learned row a position."""
    needs_even_width: bool = False
    """Whether the model's width must be even for it."""
    turns: bool = False
    """Whether queries and keys are turned, so that training keeps copies of them."""
    bias: str = ""
    """What it does to each score by a number for each head, reader and source, as a formula of
    a few signs, such as "− slope · distance"; empty: nothing."""

    @property
    def tells_order(self) -> bool:
        """Tell whether order comes in anywhere but through the mask."""
        return bool(self.adds or self.turns or self.bias)


@dataclass(frozen=True, kw_only=True)
class AttentionOption(Option):
    """An attention, and which layers read through a window."""

    pattern: tuple[bool, ...] = (False,)
    """Whether there is a window, layer by layer, over and over again from the first layer on."""
    is_present: bool = True


@dataclass(frozen=True, kw_only=True)
class FeedForwardOption(Option):
    """A feed-forward network: its layout, its activation, and what its gradient needs.

    With 3 matrices it has a gate and is laid out as `Gated` of `tiny_llama.parts.feed_forwards` is,
    with 2 as `Plain`, under the same names; with none it is not there.
    """

    n_matrices: Literal[0, 2, 3]
    n_kept: int
    """Activations of the hidden width that training keeps for the gradient."""
    activation: str = ""
    """What its `activate` is called, such as "squared_relu"; empty: it has none."""
    has_experts: bool = False
    """Whether there are several networks of which a router picks a few for each token."""

    def __post_init__(self) -> None:
        if self.n_matrices not in (0, 2, 3):
            raise ValueError(f"{self.title} must have 3 matrices with a gate, 2 without, or none.")


_NORMS, _POSITIONS = "tiny_llama.parts.norms", "tiny_llama.parts.positions"
_ATTENTIONS, _FEED_FORWARDS = "tiny_llama.parts.attentions", "tiny_llama.parts.feed_forwards"

NORM: Mapping[str, NormOption] = {
    "rmsnorm": NormOption(
        where=f"{_NORMS}.rms:RMSNorm",
        title="RMSNorm",
        paper="1910.07467",
        n_vectors=1,
        n_statistics=1,
    ),
    "layernorm": NormOption(
        where=f"{_NORMS}.layer:LayerNorm",
        title="LayerNorm",
        paper="1607.06450",
        n_vectors=2,
        n_statistics=2,
    ),
    "layernorm_no_bias": NormOption(
        where=f"{_NORMS}.layer:LayerNormNoBias",
        title="LayerNorm without bias",
        paper="2204.02311",
        n_vectors=1,
        n_statistics=2,
    ),
    "layernorm_plain": NormOption(
        where=f"{_NORMS}.layer:LayerNormPlain",
        title="Bare LayerNorm",
        paper="2402.00838",
        n_vectors=0,
        n_statistics=2,
    ),
    "none": NormOption(
        where=f"{_NORMS}.none:NoNorm",
        title="No norm",
        n_vectors=0,
        n_statistics=0,
        is_present=False,
    ),
}

POSITION: Mapping[str, PositionOption] = {
    "rope": PositionOption(
        where=f"{_POSITIONS}.rope:Rope",
        title="Rotary embeddings (RoPE)",
        paper="2104.09864",
        turns=True,
    ),
    "learned": PositionOption(
        where=f"{_POSITIONS}.learned:Learned",
        title="Learned positions",
        paper="1705.03122",
        adds="learned positions",
        has_table=True,
    ),
    "sinusoidal": PositionOption(
        where=f"{_POSITIONS}.sinusoidal:Sinusoidal",
        title="Sinusoidal positions",
        paper="1706.03762",
        adds="waves",
        needs_even_width=True,
    ),
    "alibi": PositionOption(
        where=f"{_POSITIONS}.alibi:Alibi",
        title="ALiBi",
        paper="2108.12409",
        bias="− slope · distance",
    ),
    "none": PositionOption(
        where=f"{_POSITIONS}.base:Position", title="No positions", paper="2203.16634"
    ),
}

ATTENTION: Mapping[str, AttentionOption] = {
    "causal": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention", title="Causal attention", paper="1706.03762"
    ),
    "sliding": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Sliding window",
        paper="2310.06825",
        pattern=(True,),
    ),
    "alternating": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Full and windowed layers in turn",
        paper="2005.14165",
        pattern=(False, True),
    ),
    "local_global": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Windowed and full layers in turn",
        paper="2408.00118",
        pattern=(True, False),
    ),
    "five_local": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Five windowed layers, then a full one",
        paper="2503.19786",
        pattern=(True,) * 5 + (False,),
    ),
    "none": AttentionOption(
        where=f"{_ATTENTIONS}.none:NoAttention", title="No attention", is_present=False
    ),
}

FEED_FORWARD: Mapping[str, FeedForwardOption] = {
    "swiglu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.gated:SwiGLU",
        title="SwiGLU",
        paper="2002.05202",
        n_matrices=3,
        n_kept=4,
        activation="silu",
    ),
    "geglu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.gated:GeGLU",
        title="GeGLU",
        paper="2002.05202",
        n_matrices=3,
        n_kept=4,
        activation="gelu",
    ),
    "reglu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.gated:ReGLU",
        title="ReGLU",
        paper="2002.05202",
        n_matrices=3,
        n_kept=3,
        activation="relu",
    ),
    "moe_swiglu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.experts:SwiGLUExperts",
        title="Mixture of SwiGLU experts",
        paper="2401.04088",
        n_matrices=3,
        n_kept=4,
        activation="silu",
        has_experts=True,
    ),
    "gelu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.plain:GELU",
        title="GELU",
        paper="1606.08415",
        n_matrices=2,
        n_kept=2,
        activation="gelu",
    ),
    "gelu_exact": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.plain:ExactGELU",
        title="Exact GELU",
        paper="1606.08415",
        n_matrices=2,
        n_kept=2,
        activation="exact_gelu",
    ),
    "relu": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.plain:ReLU",
        title="ReLU",
        paper="1706.03762",
        n_matrices=2,
        n_kept=1,
        activation="relu",
    ),
    "relu_squared": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.plain:ReLUSquared",
        title="Squared ReLU",
        paper="2109.08668",
        n_matrices=2,
        n_kept=2,
        activation="squared_relu",
    ),
    "none": FeedForwardOption(
        where=f"{_FEED_FORWARDS}.none:NoFeedForward",
        title="No feed-forward",
        n_matrices=0,
        n_kept=0,
    ),
}

MENU: dict[str, Mapping[str, Option]] = {
    "norm": NORM,
    "position": POSITION,
    "attention": ATTENTION,
    "feed_forward": FEED_FORWARD,
}
"""The slots of a model that hold a part of their own."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where norms stand around a part of a block."""

    title: str
    before: bool = False
    """On what the part reads."""
    output: bool = False
    """On what the part gives, before it is added to the residual stream."""
    after: bool = False
    """On the sum; the residual stream then ends normed, and no further norm follows."""


NORM_PLACEMENT: Mapping[str, Placement] = {
    "pre": Placement(title="Norm before each part, as in LLaMA (2002.04745)", before=True),
    "post": Placement(title="Norm after each part is added, as in 2017 (1706.03762)", after=True),
    "both": Placement(
        title="Norm before each part and on its output, as in Gemma 2 (2408.00118)",
        before=True,
        output=True,
    ),
    "output": Placement(
        title="Norm on each part's output alone, as in OLMo 2 (2501.00656)", output=True
    ),
}

BIASED: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "qkv": frozenset({"qkv"}),
    "feed_forward": frozenset({"feed_forward"}),
    "all": frozenset({"qkv", "output", "feed_forward"}),
}
"""Which linear layers of a block have a bias: attention's two, and those of the feed-forward."""

CHOICES: dict[str, Mapping[str, str]] = {
    "norm_placement": {name: placement.title for name, placement in NORM_PLACEMENT.items()},
    "bias": {
        "none": "No biases, as in LLaMA",
        "qkv": "Biases on queries, keys and values only, as in Qwen2",
        "feed_forward": "Biases in the feed-forward only, as in GPT-J",
        "all": "Biases on every linear layer of a block, as in GPT-3",
    },
    "block": {
        "sequential": "Attention, then feed-forward, as in LLaMA (1706.03762)",
        "parallel": "Both side by side on one shared norm, as in PaLM (2204.02311)",
        "parallel_two_norms": "Both side by side, a norm for each, as in GPT-NeoX (2204.06745)",
    },
    "qk_norm": {
        "none": "No norm on queries and keys, as in LLaMA",
        "head": "A norm on each head's queries and keys, as in Qwen3 (2302.05442)",
        "all": "A norm on all heads' queries and keys at once, as in OLMo 2 (2501.00656)",
    },
}
"""Settings of a model that are one word out of a few, without a part of their own."""

OPTIMIZER: Mapping[str, str] = {
    "adamw": "AdamW (1711.05101)",
    "sgd": "SGD with momentum",
    "muon": "Muon on the blocks' matrices, AdamW on the rest (2502.16982)",
}

SCHEDULE: Mapping[str, str] = {
    "cosine": "Cosine decay to a tenth (1608.03983)",
    "linear": "Linear decay to a tenth",
    "constant": "Constant after warm-up",
}

TRAINING_CHOICES: dict[str, Mapping[str, str]] = {"optimizer": OPTIMIZER, "schedule": SCHEDULE}
