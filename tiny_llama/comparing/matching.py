"""Models of one size: a width is changed until two have as many parameters."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.menu import POSITION

TOLERANCE = 0.02
"""Share of the parameters by which two models may differ and still count as equally large."""
MOST_STRETCH = 3.0
"""How many times wider or narrower a hidden layer may become before all of the model has to."""
MOST_TIMES = 8
"""How many times wider the whole model may become."""
EIGHTS = 8
"""Processors take numbers in eights, so an odd width would be slower than what it is matched to."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A model that was brought to a wanted size."""

    model: ModelConfig
    changed: dict[str, tuple[int, int]]
    """The widths that were changed by their settings' names, each before and after."""
    n_before: int
    """Its parameters as it was."""
    n_parameters: int
    n_wanted: int

    @property
    def sentence(self) -> str:
        """Which widths were changed, and how, for a screen."""
        share = f"{abs(self.n_parameters / self.n_wanted - 1):.1%}"
        if not self.changed:
            return f"{self.n_parameters:,} parameters, within {share} as it is."
        how = ", ".join(f"{name} from {old} to {new}" for name, (old, new) in self.changed.items())
        return (
            f"{self.n_parameters:,} parameters in place of {self.n_before:,}, within {share} of "
            f"{self.n_wanted:,}, by {how}."
        )


def match_parameters(model: ModelConfig, n_wanted: int, *, tolerance: float = TOLERANCE) -> Matched:
    """Bring a model to a number of parameters by its widths.

    The hidden layer of the feed-forward is changed first, since nothing else depends on it. Where
    that does not do, or would stretch it beyond `MOST_STRETCH`, the whole model becomes wider or
    narrower, in whole heads of the width that they have, and the hidden layer with it.

    Args:
        model: as it was chosen, with the vocabulary that it will have.
        n_wanted: how many parameters it is to have.
        tolerance: the share of them that may be missing or too many.

    Raises:
        ConfigError: if no widths bring it there.
    """
    for candidate in _candidates(model, n_wanted):
        n = count_parameters(candidate)
        if abs(n - n_wanted) <= tolerance * n_wanted:
            return Matched(
                model=candidate,
                changed=_changed_widths(model, candidate),
                n_before=count_parameters(model),
                n_parameters=n,
                n_wanted=n_wanted,
            )
    raise ConfigError(
        f"A model of {count_parameters(model):,} parameters cannot be brought within "
        f"{tolerance:.0%} of {n_wanted:,} by its widths; choose models of more similar sizes, or "
        f"compare them unmatched."
    )


def _candidates(model: ModelConfig, n_wanted: int) -> Iterator[ModelConfig]:
    """Yield models to try, what changes least first."""
    yield model
    yield from _by_hidden_layer(model, n_wanted)
    for whole in _by_width(model, n_wanted):
        yield whole
        yield from _by_hidden_layer(whole, n_wanted)


def _by_hidden_layer(model: ModelConfig, n_wanted: int) -> Iterator[ModelConfig]:
    """Yield the model with the hidden layers nearest to the size, in eights and in ones."""
    if not (model.has_feed_forward and model.n_layers):
        return
    one, two = (count_parameters(replace(model, d_hidden=width)) for width in (1, 2))
    wanted = 1 + (n_wanted - one) / (two - one)  # the count is linear in it
    for step in (EIGHTS, 1):
        width = step * round(wanted / step)
        if width and 1 / MOST_STRETCH <= width / model.hidden_width <= MOST_STRETCH:
            yield replace(model, d_hidden=width)


def _by_width(model: ModelConfig, n_wanted: int) -> Iterator[ModelConfig]:
    """Yield models around the wanted width: in whole heads, with the heads that it has, and at last
    with these wider or narrower."""
    step = 2 if POSITION[model.position].needs_even_width else 1
    if model.has_attention:
        shared = 1 if model.kv_heads == 1 else model.n_heads // model.kv_heads
        heads = range(shared, MOST_TIMES * model.n_heads + 1, shared)
        yield from _around(heads, partial(_with_heads, model, step), n_wanted)
    widths = range(step, MOST_TIMES * model.d_model + 1, step)
    for head in _head_widths(model):
        yield from _around(widths, partial(_with_width, model, d_head=head), n_wanted)


def _head_widths(model: ModelConfig) -> list[int]:
    """List widths of a head from half to twice its own, in twos, its own one first."""
    own = model.head_width
    if not model.has_attention or model.rope_fraction < 1:  # a part of each must stay even
        return [own]
    widths = range(own % 2 + own // 4 * 2, 2 * own + 1, 2)
    return [own, *sorted(set(widths) - {own, 0}, key=lambda width: abs(width - own))]


def _around(
    sizes: Sequence[int], build: Callable[[int], ModelConfig], n_wanted: int
) -> Iterator[ModelConfig]:
    """Yield the models just below and just above the wanted number, the nearer one first."""
    place = bisect_left(sizes, n_wanted, key=lambda size: count_parameters(build(size)))
    models = [build(size) for size in sizes[max(0, place - 1) : place + 1]]
    yield from sorted(models, key=lambda each: abs(count_parameters(each) - n_wanted))


def _with_heads(model: ModelConfig, step: int, n_heads: int) -> ModelConfig:
    """Give the model with so many heads of the width that they have, and as wide as they ask."""
    width = step * max(1, round(model.d_model * n_heads / model.n_heads / step))
    kv_heads = None
    if model.n_kv_heads is not None:
        kv_heads = max(1, n_heads * model.n_kv_heads // model.n_heads)
        kv_heads = 1 if model.n_kv_heads == 1 else kv_heads
    return _with_width(model, width, n_heads=n_heads, n_kv_heads=kv_heads, d_head=model.d_head)


def _with_width(model: ModelConfig, width: int, **more: Any) -> ModelConfig:
    """Give the model so wide, its heads as they are and its hidden layer in proportion."""
    hidden = model.d_hidden and max(1, round(model.d_hidden * width / model.d_model))
    return replace(
        model, **{"d_model": width, "d_hidden": hidden, "d_head": model.head_width, **more}
    )


def _changed_widths(before: ModelConfig, after: ModelConfig) -> dict[str, tuple[int, int]]:
    """Find the widths that differ, with the numbers that they come to, in the order of reading."""
    numbers = {
        "d_model": (before.d_model, after.d_model),
        "n_heads": (before.n_heads, after.n_heads),
        "n_kv_heads": (before.kv_heads, after.kv_heads),
        "d_head": (before.head_width, after.head_width),
        "d_hidden": (before.hidden_width, after.hidden_width),
    }
    return {name: pair for name, pair in numbers.items() if pair[0] != pair[1]}
