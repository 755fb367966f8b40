"""What can be chosen in each slot, readable without importing PyTorch.

The config check, the widgets, the URL, the command line and the tests all read these tables, so a
new option is one code file, one line here and one content card. A line also states the few facts
that counting needs (how many matrices or vectors an option learns), so that `cost` can count a
70B model without building it.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Option:
    """One choice in a slot: where its code lives, how it is called, and the paper it comes from."""

    where: str
    title: str
    paper: str = ""
    """arXiv number, or a short reference where there is none."""

    def load(self) -> Any:
        """Import and return the class or function behind this option."""
        return pkgutil.resolve_name(self.where)


@dataclass(frozen=True, kw_only=True)
class NormOption(Option):
    """A norm: how many vectors of the model's width it learns, and what its gradient needs."""

    n_vectors: int
    n_statistics: int
    """Numbers a token that training keeps for the gradient, besides the token's vector."""


@dataclass(frozen=True, kw_only=True)
class PositionOption(Option):
    """A position scheme: where order comes in, and whether it learns a row a position."""

    has_table: bool = False
    turns: bool = False
    """Whether queries and keys are turned, so that training keeps copies of them."""
    adds_bias: bool = False
    """Whether scores get a bias for each head, reader and source."""


@dataclass(frozen=True, kw_only=True)
class AttentionOption(Option):
    """An attention, and which layers read through a window."""

    pattern: tuple[bool, ...] = (False,)
    """Whether there is a window, layer by layer, over and over again from the first layer on."""
    is_present: bool = True


@dataclass(frozen=True, kw_only=True)
class FeedForwardOption(Option):
    """A feed-forward network: 3 matrices with a gate, 2 without, and what its gradient needs."""

    n_matrices: int
    n_kept: int
    """Activations of the hidden width that training keeps for the gradient."""
    has_experts: bool = False
    """Whether there are several networks of which a router picks a few for each token."""


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
    "none": NormOption(where=f"{_NORMS}.none:NoNorm", title="No norm", n_vectors=0, n_statistics=0),
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
        has_table=True,
    ),
    "sinusoidal": PositionOption(
        where=f"{_POSITIONS}.sinusoidal:Sinusoidal",
        title="Sinusoidal positions",
        paper="1706.03762",
    ),
    "alibi": PositionOption(
        where=f"{_POSITIONS}.alibi:Alibi", title="ALiBi", paper="2108.12409", adds_bias=True
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
        title="Dense and banded layers in turn",
        paper="2005.14165",
        pattern=(False, True),
    ),
    "local_global": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Banded and dense layers in turn",
        paper="2408.00118",
        pattern=(True, False),
    ),
    "five_local": AttentionOption(
        where=f"{_ATTENTIONS}.attention:Attention",
        title="Five banded layers, then a dense one",
        paper="2503.19786",
        pattern=(True,) * 5 + (False,),
    ),
    "none": AttentionOption(
        where=f"{_ATTENTIONS}.none:NoAttention", title="No attention", is_present=False
    ),
}

FEED_FORWARD: Mapping[str, FeedForwardOption] = {
    name: FeedForwardOption(
        where=f"{_FEED_FORWARDS}.{where}",
        title=title,
        paper=paper,
        n_matrices=n_matrices,
        n_kept=n_kept,
        has_experts=has_experts,
    )
    for name, where, title, paper, n_matrices, n_kept, has_experts in (
        ("swiglu", "gated:SwiGLU", "SwiGLU", "2002.05202", 3, 4, False),
        ("geglu", "gated:GeGLU", "GeGLU", "2002.05202", 3, 4, False),
        ("reglu", "gated:ReGLU", "ReGLU", "2002.05202", 3, 3, False),
        (
            "moe_swiglu",
            "experts:SwiGLUExperts",
            "Mixture of SwiGLU experts",
            "2401.04088",
            3,
            4,
            True,
        ),
        ("gelu", "plain:GELU", "GELU", "1606.08415", 2, 2, False),
        ("gelu_exact", "plain:ExactGELU", "Exact GELU", "1606.08415", 2, 2, False),
        ("relu", "plain:ReLU", "ReLU", "1706.03762", 2, 1, False),
        ("relu_squared", "plain:ReLUSquared", "Squared ReLU", "2109.08668", 2, 2, False),
        ("none", "none:NoFeedForward", "No feed-forward", "", 0, 0, False),
    )
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
    "muon": "Muon on matrices, AdamW on the rest (2502.16982)",
}

SCHEDULE: Mapping[str, str] = {
    "cosine": "Cosine decay to a tenth (1608.03983)",
    "linear": "Linear decay to a tenth",
    "constant": "Constant after warm-up",
}

TRAINING_CHOICES: dict[str, Mapping[str, str]] = {"optimizer": OPTIMIZER, "schedule": SCHEDULE}
