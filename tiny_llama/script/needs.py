"""What a setup needs of a script: which marked lines stay."""

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.menu import NORM, POSITION, SCHEDULE
from tiny_llama.setup import Setup


def marks(setup: Setup) -> dict[str, bool]:
    """Say of each mark whether its lines stay."""
    model, training = setup.model, setup.training
    return {
        "always": True,
        **_norm_marks(model),
        **_layer_marks(model),
        **_initial_marks(model),
        **{f"position={name}": name == model.position for name in POSITION},
        **{f"schedule={name}": name == training.schedule for name in SCHEDULE},
        "two_parts": model.has_attention and model.has_feed_forward,
        "attention": model.has_attention,
        "feed_forward": model.has_feed_forward,
        "heads_odd": model.n_heads & (model.n_heads - 1) > 0,
        "grouped": model.kv_heads < model.n_heads,
        "attention_softcap": model.attention_softcap is not None,
        "logit_softcap": model.logit_softcap is not None,
        "dropout": model.dropout > 0,
        "embedding_scale": model.embedding_scale,
        "tied": model.tied_unembedding,
        "muon": training.optimizer == "muon" and _has_block_matrices(model),
        "gradient_clip": training.gradient_clip > 0,
        "smooths": training.label_smoothing > 0,
        "noise": training.text_noise > 0,
        "bytes": reads_bytes(setup),
    }


def active_norms(model: ModelConfig) -> frozenset[str]:
    """Name the norms of a block that do something."""
    return frozenset(model.block_norms) if _has_norm(model) else frozenset()


def reads_bytes(setup: Setup) -> bool:
    """Tell whether a token is a byte; tasks are always written in characters."""
    return setup.tokenizer == "bytes" and not isinstance(CORPORA.get(setup.corpus), Task)


def turning_thetas(model: ModelConfig) -> list[float]:
    """List the thetas by which layers turn queries and keys, each once."""
    found = {model.theta_of(layer) for layer in _layers(model)}
    return sorted(theta for theta in found if theta is not None)


def _norm_marks(model: ModelConfig) -> dict[str, bool]:
    norms, n_vectors = active_norms(model), NORM[model.norm].n_vectors
    at_block = ("attention", "feed_forward")
    names = [f"{part}{kind}" for part in at_block for kind in ("_norm", "_output_norm")]
    return {
        **{name: name in norms for name in names},
        "block_norm": bool(norms),
        "last_norm": model.has_last_norm and _has_norm(model),
        "embedding_norm": model.embedding_norm and _has_norm(model),
        "norms_head": model.qk_norm == "head" and _has_norm(model),
        "norms_all": model.qk_norm == "all" and _has_norm(model),
        "norm_weight": n_vectors > 0,
        "norm_bias": n_vectors > 1,
    }


def _layer_marks(model: ModelConfig) -> dict[str, bool]:
    """Say what is the same in all layers, and what is not."""
    windows = {model.window_of(layer) for layer in _layers(model)}
    turning = turning_thetas(model)
    turn = [model.theta_of(layer) is not None for layer in _layers(model)]
    some = {
        "some_windowed": len(windows) > 1,
        "some_turn": len(set(turn)) > 1,
        "two_thetas": len(turning) > 1,
    }
    return {
        **some,
        "per_layer": any(some.values()) and model.has_attention,
        "windowed": windows != {None},
        "turns": any(turn) and model.has_attention,
        "still": model.turned_width < model.head_width,
    }


def _initial_marks(model: ModelConfig) -> dict[str, bool]:
    """Say how the weights start."""
    places = ("qkv", "output", "feed_forward")
    biases = model.unembedding_bias or any(map(model.has_bias, places))
    scaled = model.scaled_residual_init
    stds = scaled or not model.tied_unembedding
    return {"scaled": scaled, "stds": stds, "biases": biases, "paths": stds or biases}


def _has_norm(model: ModelConfig) -> bool:
    return NORM[model.norm].is_present


def _has_block_matrices(model: ModelConfig) -> bool:
    return model.n_layers > 0 and (model.has_attention or model.has_feed_forward)


def _layers(model: ModelConfig) -> range:
    """Number the layers; a model without any is taken to have its first one."""
    return range(max(1, model.n_layers))
