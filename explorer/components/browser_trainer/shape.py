"""A setup as the engine in the browser reads it: plain numbers, or why it cannot."""

from dataclasses import dataclass

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.menu import FEED_FORWARD, NORM_PLACEMENT, POSITION
from tiny_llama.setup import Setup

ACTIVATIONS = ("", "silu", "gelu", "exact_gelu", "relu", "squared_relu")
"""In the engine's order, by what the menu calls them; the first: no feed-forward."""
POSITIONS = ("none", "rope", "learned", "sinusoidal", "alibi")
READS = ("sequential", "parallel", "parallel_two_norms")
QK_NORMS = ("none", "head", "all")
_NORMS = {
    "none": (0, 0, 0, 0),
    "rmsnorm": (1, 0, 1, 0),
    "layernorm": (1, 1, 1, 1),
    "layernorm_no_bias": (1, 1, 1, 0),
    "layernorm_plain": (1, 1, 0, 0),
}
"""Of each norm: whether it is there, subtracts the mean, scales, shifts."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the engine's `set_up` is given, in the order of its structs."""

    sizes: tuple[int, ...]
    """`Sizes` in `engine.h`."""
    reals: tuple[float, ...]
    """`Reals` there."""
    windows: tuple[int, ...]
    """A number a layer; 0: none."""
    thetas: tuple[float, ...]
    """A number a layer; 0: nothing turns."""


def not_covered(setup: Setup) -> str:
    """Name the first setting of a run that the engine has not, as in `dropout=0.1`; "": it has all.

    It is for options that the library has and the engine has not learned yet, and for tasks, whose
    exercises are made in Python.
    """
    model, training = setup.model, setup.training
    has = {
        "norm": model.norm in _NORMS,
        "position": model.position in POSITIONS,
        "block": model.block in READS,
        "qk_norm": model.qk_norm in QK_NORMS,
        "feed_forward": not model.has_experts
        and FEED_FORWARD[model.feed_forward].activation in ACTIVATIONS,
        "dropout": not model.dropout,
        "optimizer": training.optimizer == "adamw",
        "corpus": not isinstance(CORPORA.get(setup.corpus), Task),
    }
    missing = (name for name, is_there in has.items() if not is_there)
    return next((f"{name}={setup.setting(name)}" for name in missing), "")


def shape(config: ModelConfig, *, n_texts: int) -> Shape:
    """Write a model down for the engine, which is to read so many texts at once."""
    place = NORM_PLACEMENT[config.norm_placement]
    biased = map(config.has_bias, ("qkv", "output", "feed_forward"))
    sizes = (
        *(config.vocab_size, config.context, config.n_layers, config.d_model),
        *(config.n_heads, config.kv_heads, config.head_width, config.hidden_width),
        config.turned_width if POSITION[config.position].turns else 0,
        *_NORMS[config.norm],
        *(place.before, place.output, place.after),
        READS.index(config.block),
        QK_NORMS.index(config.qk_norm),
        POSITIONS.index(config.position),
        config.has_attention,
        ACTIVATIONS.index(FEED_FORWARD[config.feed_forward].activation),
        config.has_gate,
        *biased,
        config.unembedding_bias,
        config.tied_unembedding,
        config.embedding_norm,
        n_texts,
    )
    layers = range(config.n_layers)
    return Shape(
        sizes=tuple(map(int, sizes)),
        reals=(
            config.norm_eps,
            config.d_model**0.5 if config.embedding_scale else 1.0,
            config.attention_softcap or 0.0,
            config.logit_softcap or 0.0,
        ),
        windows=tuple(config.window_of(layer) or 0 for layer in layers),
        thetas=tuple(config.theta_of(layer) or 0.0 for layer in layers),
    )
