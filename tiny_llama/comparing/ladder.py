"""The ladder: from one model to another, one setting at a time, in any order; and one left out."""

from collections.abc import Sequence
from itertools import pairwise

from tiny_llama.errors import ConfigError
from tiny_llama.setup import MODEL_FIELDS, Setup, changes

Pairs = tuple[tuple[str, str], ...]
WHOLE = "whole"
"""The side of which one thing at a time is left out."""


def rungs(start: Setup, end: Setup) -> list[str]:
    """List the settings of the model that differ, in the order of reading."""
    return [name for name in changes(start, end) if name in MODEL_FIELDS]


def ladder(start: Setup, end: Setup, order: Sequence[str] = ()) -> tuple[dict[str, Setup], Pairs]:
    """Climb from one model to another, a setting a rung.

    What a rung brings depends on where in the order it stands, so that one order alone says little.

    Args:
        start: the first side, such as GPT-3's; all but the model is as in `end`.
        end: the last side, such as LLaMA's.
        order: the settings that differ, in the order in which they change; empty: as they are read.

    Returns:
        The sides by name, the first one called "start", the others by what has just changed; and
        which is compared with which: each with the one below.

    Raises:
        ConfigError: if the order is not one of exactly the settings that differ.
    """
    order = _checked(order, rungs(start, end))
    now = end.with_settings({name: start.setting(name) for name in order})
    sides = {"start": now}
    for number, name in enumerate(order, start=1):
        now = now.with_settings({name: end.setting(name)})
        sides[f"{number}-{name}"] = now
    return sides, tuple((above, below) for below, above in pairwise(sides))


def leave_one_out(start: Setup, end: Setup) -> tuple[dict[str, Setup], Pairs]:
    """Take one thing at a time out of a model, and put what the other has in its place.

    Returns:
        The sides by name, the whole model called "whole"; and which is compared with which: each
        with the whole one.

    Raises:
        ConfigError: if nothing differs.
    """
    names = _checked((), rungs(start, end))
    sides = {f"without-{name}": end.with_settings({name: start.setting(name)}) for name in names}
    return {WHOLE: end, **sides}, tuple((name, WHOLE) for name in sides)


def _checked(order: Sequence[str], differing: Sequence[str]) -> Sequence[str]:
    if not differing:
        raise ConfigError("The ladder has no rungs: its two models are the same; change one.")
    if order and sorted(order) != sorted(differing):
        raise ConfigError(
            f"order={', '.join(order)} must name each setting that differs once: "
            f"{', '.join(differing)}."
        )
    return order or differing
