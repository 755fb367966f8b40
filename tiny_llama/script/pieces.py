"""What each option of the menu puts into a script: texts of this folder, and words for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tiny_llama import menu
from tiny_llama.errors import ConfigError
from tiny_llama.menu import Option
from tiny_llama.setup import Setup


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What one option puts into a script; without texts, the slot stays empty."""

    texts: tuple[str, ...] = ()
    """Files in `texts/`, in the order in which they stand in the script."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands in the texts for `$name`."""
    when: str = "always"
    """The mark without which the texts are left out."""


def piece_of(slot: str, option: str) -> Piece:
    """Find what an option puts into a script.

    Raises:
        ConfigError: if nobody has written it.
    """
    if option not in PIECES[slot]:
        raise ConfigError(
            f"{slot}={option!r} has no piece of a script, so this setup cannot be written as one; "
            f"choose {' or '.join(PIECES[slot])}."
        )
    return PIECES[slot][option]


def check_pieces(setup: Setup) -> None:
    """Refuse a setup of which no script can be written.

    Raises:
        ConfigError: if nobody has written what one of its options puts into a script.
    """
    for slot in PIECES:
        piece_of(slot, setup.setting(slot))


def cited(option: Option) -> str:
    """Give an option's title with its paper."""
    return f"{option.title} (arXiv:{option.paper})" if option.paper else option.title


def _norm(text: str, name: str, **words: str) -> Piece:
    return Piece(texts=(f"norm/{text}",), words={"Norm": name, **words})


def _layer_norm(says: str, result: str) -> Piece:
    return _norm("layer", "LayerNorm", norm_says=says, norm_result=result)


_CENTRED = "Subtract the mean, divide by the standard deviation"
NORM = {
    "rmsnorm": _norm("rms", "RMSNorm"),
    "layernorm": _layer_norm(f"{_CENTRED}, scale, shift", "self.weight * x + self.bias"),
    "layernorm_no_bias": _layer_norm(f"{_CENTRED}, scale", "self.weight * x"),
    "layernorm_plain": _layer_norm(
        _CENTRED, "x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS)"
    ),
    "none": Piece(),
}

POSITION = {
    "rope": Piece(texts=("position/rope",), when="turns"),
    "learned": Piece(texts=("position/learned",)),
    "sinusoidal": Piece(texts=("position/sinusoidal",)),
    "alibi": Piece(texts=("position/alibi",), when="attention"),
    "none": Piece(),
}


def _attention(windowed: str = "") -> Piece:
    """Give attention whose layers have a window where this holds of `layer`, counted from 0."""
    return Piece(texts=("attention",), words={"windowed": windowed})


ATTENTION = {
    "causal": _attention(),
    "sliding": _attention(),
    "alternating": _attention("layer % 2 == 1"),
    "local_global": _attention("layer % 2 == 0"),
    "five_local": _attention("layer % 6 < 5"),
    "none": Piece(),
}


def _gated(option: str, activate: str, name: str = "FeedForward") -> Piece:
    """Give a feed-forward whose gate goes through `activate`."""
    words = {
        "gated_name": name,
        "gated_title": cited(menu.FEED_FORWARD[option]),
        "activation": activate.format("self.to_gate(x)"),
    }
    return Piece(texts=("feed_forward/gated",), words=words)


def _plain(activate: str) -> Piece:
    words = {"activation": activate.format("self.to_up(x)")}
    return Piece(texts=("feed_forward/plain",), words=words)


_SWIGLU_EXPERT = _gated("swiglu", "F.silu({})", name="Expert")
FEED_FORWARD = {
    "swiglu": _gated("swiglu", "F.silu({})"),
    "geglu": _gated("geglu", 'F.gelu({}, approximate="tanh")'),
    "reglu": _gated("reglu", "F.relu({})"),
    "moe_swiglu": Piece(
        texts=(*_SWIGLU_EXPERT.texts, "feed_forward/experts"), words=_SWIGLU_EXPERT.words
    ),
    "gelu": _plain('F.gelu({}, approximate="tanh")'),
    "gelu_exact": _plain("F.gelu({})"),
    "relu": _plain("F.relu({})"),
    "relu_squared": _plain("F.relu({}).square()"),
    "none": Piece(),
}


def _says(slot: str, says: str, **words: str) -> Piece:
    return Piece(words={f"{slot}_says": says, **words})


BLOCK = {
    "sequential": _says("block", "attention, then feed-forward"),
    "parallel": _says("block", "attention beside feed-forward"),
    "parallel_two_norms": _says("block", "attention beside feed-forward"),
}
NORM_PLACEMENT = {
    "pre": _says("placement", "norms before (arXiv:2002.04745)"),
    "post": _says("placement", "norms on the sums (arXiv:1706.03762)"),
    "both": _says("placement", "norms before and behind (arXiv:2408.00118)"),
    "output": _says("placement", "norms behind (arXiv:2501.00656)"),
}


def _schedule(says: str, height: str) -> Piece:
    """Give a schedule from the top (`height` 1) down to a tenth of it (`height` 0)."""
    decayed = f"LEARNING_RATE * (0.1 + 0.9 * {height})"
    return _says("schedule", f"Warm up, then {says}", decayed=decayed)


SCHEDULE = {
    "cosine": _schedule("fall to a tenth along a cosine", "(1 + math.cos(math.pi * progress)) / 2"),
    "linear": _schedule("fall to a tenth along a line", "(1 - progress)"),
    "constant": _says("schedule", "stay", decayed="LEARNING_RATE"),
}

_ADAMW = "optim.AdamW(groups, LEARNING_RATE, (BETA1, BETA2), weight_decay=WEIGHT_DECAY)"
_SGD = "optim.SGD(groups, LEARNING_RATE, BETA1, weight_decay=WEIGHT_DECAY)"
OPTIMIZER = {
    "adamw": _says("optimizer", "AdamW (arXiv:1711.05101)", optimizer=_ADAMW),
    "sgd": _says("optimizer", "Gradient descent with momentum", optimizer=_SGD),
    "muon": _says(
        "optimizer",
        "AdamW, and Muon (PyTorch 2.9) for matrices inside the blocks",
        optimizer=_ADAMW,
    ),
}

PIECES: Mapping[str, Mapping[str, Piece]] = {
    "norm": NORM,
    "position": POSITION,
    "attention": ATTENTION,
    "feed_forward": FEED_FORWARD,
    "block": BLOCK,
    "norm_placement": NORM_PLACEMENT,
    "schedule": SCHEDULE,
    "optimizer": OPTIMIZER,
}
"""By slot and option, as in `tiny_llama.menu`; what is not here is a number or a yes or no."""
