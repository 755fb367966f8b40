"""These boxes stand in several panels; layers are told apart here too."""

from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.records import Box
from tiny_llama.menu import NORM


def box(name: str, title: str, part: str, step: str, detail: str = "") -> Box:
    """Make a box for something that computes."""
    return Box(name=name, title=title, part=part, step=step, detail=detail)


def pill(name: str, title: str, part: str) -> Box:
    """Make a box for a tensor that comes in or goes out."""
    return Box(name=name, title=title, part=part, step=name, kind="pill")


def addition(name: str) -> Box:
    """Make a box that adds what a part gives to the residual stream."""
    return Box(name=name, title="+", part="residual", step="add", kind="round")


def product(name: str) -> Box:
    """Make a box that multiplies two tensors of a feed-forward."""
    return Box(name=name, title="×", part="feed_forward", step=name, kind="round")


def norm(config: ModelConfig, name: str, title: str) -> Box:
    """Make a box for a norm of the model's width."""
    return box(name, title, "norm", config.norm, NORM[config.norm].title)


def softcap(part: str, cap: float) -> Box:
    """Make a box for a soft cap on scores or logits."""
    return box("softcap", "Soft cap", part, "softcap", f"within ±{cap:g}")


def on(branch: str, box: Box) -> Box:
    """Put a box on one branch of its panel."""
    return replace(box, branches=(branch,))


def kinds_of_layers(config: ModelConfig) -> dict[tuple[int | None, float | None], list[int]]:
    """Sort layers by what sets them apart: window and theta (None: not turned)."""
    kinds: dict[tuple[int | None, float | None], list[int]] = {}
    for layer in range(config.n_layers):
        kind = config.window_of(layer), config.theta_of(layer)
        kinds.setdefault(kind, []).append(layer)
    return kinds
