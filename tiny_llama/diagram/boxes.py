"""The boxes that several panels have, and how layers differ."""

from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.diagram.records import Box
from tiny_llama.menu import NORM


def box(name: str, title: str, part: str, step: str, detail: str = "") -> Box:
    """Something that computes."""
    return Box(name=name, title=title, part=part, step=step, detail=detail)


def pill(name: str, title: str, part: str) -> Box:
    """A tensor that comes in or goes out."""
    return Box(name=name, title=title, part=part, step=name, kind="pill")


def addition(name: str) -> Box:
    """What a part gives is added to the residual stream."""
    return Box(name=name, title="+", part="residual", step="add", kind="round")


def product(name: str) -> Box:
    """Two tensors of a feed-forward are multiplied."""
    return Box(name=name, title="×", part="feed_forward", step=name, kind="round")


def norm(config: ModelConfig, name: str, title: str) -> Box:
    """A norm of the model's width."""
    return box(name, title, "norm", config.norm, NORM[config.norm].title)


def softcap(part: str, cap: float) -> Box:
    """A soft cap on scores or logits."""
    return box("softcap", "Soft cap", part, "softcap", f"within ±{cap:g}")


def on(branch: str, box: Box) -> Box:
    """The same box, on one branch of its panel."""
    return replace(box, branches=(branch,))


def kinds_of_layers(config: ModelConfig) -> dict[tuple[int | None, float | None], list[int]]:
    """Layers that are alike, by what sets them apart: window and theta (None: not turned)."""
    kinds: dict[tuple[int | None, float | None], list[int]] = {}
    for layer in range(config.n_layers):
        kind = config.window_of(layer), config.theta_of(layer)
        kinds.setdefault(kind, []).append(layer)
    return kinds
