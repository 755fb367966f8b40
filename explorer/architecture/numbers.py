"""Components that differ by a number or a switch: what to take, and which real models have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import pi

from explorer.figures.amounts import in_bytes
from tiny_llama.config import ModelConfig
from tiny_llama.cost import kv_cache_bytes_per_token
from tiny_llama.menu import POSITION
from tiny_llama.presets import PRESETS

Value = float | bool | None


@dataclass(frozen=True, kw_only=True)
class NumberOption:
    """One choice of such a component, in the words of the menu."""

    title: str
    paper: str = ""
    value: Callable[[ModelConfig], Value]
    """What the setting must be for it; meaningless where `why_not` says why."""
    holds: Callable[[ModelConfig], bool]
    """Whether a model has it."""
    why_not: Callable[[ModelConfig], str]
    """Why a model cannot have it, or would not notice; empty: it can."""


def most_even_groups(config: ModelConfig) -> int | None:
    """Choose key/value heads for groups of some four query heads; None: no number divides them."""
    n = config.n_heads
    inside = [each for each in range(2, n) if n % each == 0]
    return min(inside, key=lambda each: (abs(n / each - 4), each), default=None)


def users(slot: str, name: str) -> str:
    """Name the real presets that have an option, each family once with its sizes, in plain text."""
    holds = NUMBERS[slot][name].holds
    titles = [
        preset.title for preset in PRESETS.values() if not preset.is_tiny and holds(preset.config)
    ]
    families = groupby(titles, key=lambda title: title.rsplit(" ", 1)[0])
    return "; ".join(
        f"{family} {', '.join(title.rsplit(' ', 1)[1] for title in own)}"
        for family, own in families
    )


def cache_in_words(config: ModelConfig) -> str:
    """Say what generation keeps of each token."""
    n_bytes = kv_cache_bytes_per_token(config, bytes_per_number=2)
    return f"{in_bytes(n_bytes)} of cache a token, in 16 bits"


def slowest_turn(config: ModelConfig) -> str:
    """Say how many tokens RoPE's slowest pair needs for a full turn."""
    width = config.turned_width
    tokens = 2 * pi * config.rope_theta ** ((width - 2) / width)
    return f"the slowest pair turns once in {tokens:,.0f} tokens"


def _without_attention(config: ModelConfig) -> str:
    missing = f"attention={config.attention!r} has no keys and values to share; choose another."
    return "" if config.has_attention else missing


def _without_groups(config: ModelConfig) -> str:
    if most_even_groups(config) is None:
        return f"n_heads={config.n_heads} cannot be parted into equal groups; take 4 or 8 heads."
    return _without_attention(config)


def _without_rope(config: ModelConfig) -> str:
    is_there = config.has_attention and POSITION[config.position].turns
    return "" if is_there else _TAKE_ROPE


def _without_turns(config: ModelConfig) -> str:
    return _without_rope(config) or ("" if config.turned_width else _TAKE_ROPE)


def _of_rope(
    setting: str, value: float, why_not: Callable[[ModelConfig], str], title: str, paper: str
) -> NumberOption:
    return NumberOption(
        title=title,
        paper=paper,
        value=lambda _: value,
        holds=lambda config: getattr(config, setting) == value and not why_not(config),
        why_not=why_not,
    )


_TAKE_ROPE = "It acts only where RoPE turns queries and keys; take position='rope' first."
_base = partial(_of_rope, "rope_theta", why_not=_without_turns)
_share = partial(_of_rope, "rope_fraction", why_not=_without_rope)
NUMBERS: Mapping[str, Mapping[str, NumberOption]] = {
    "n_kv_heads": {
        "multi_head": NumberOption(
            title="Multi-head: keys and values for each head",
            paper="1706.03762",
            value=lambda _: None,
            holds=lambda config: config.has_attention and config.kv_heads == config.n_heads,
            why_not=_without_attention,
        ),
        "grouped_query": NumberOption(
            title="Grouped-query: shared by a few heads",
            paper="2305.13245",
            value=most_even_groups,
            holds=lambda config: config.has_attention and 1 < config.kv_heads < config.n_heads,
            why_not=_without_groups,
        ),
        "multi_query": NumberOption(
            title="Multi-query: shared by all heads",
            paper="1911.02150",
            value=lambda _: 1,
            holds=lambda config: config.has_attention and config.kv_heads == 1,
            why_not=_without_attention,
        ),
    },
    "tied_unembedding": {
        "untied": NumberOption(
            title="Untied: a matrix of its own",
            value=lambda _: False,
            holds=lambda config: not config.tied_unembedding,
            why_not=lambda _: "",
        ),
        "tied": NumberOption(
            title="Tied: the embedding's matrix again",
            paper="1608.05859",
            value=lambda _: True,
            holds=lambda config: config.tied_unembedding,
            why_not=lambda _: "",
        ),
    },
    "rope_theta": {
        "ten_thousand": _base(10_000.0, title="10,000, as in LLaMA", paper="2104.09864"),
        "half_million": _base(500_000.0, title="500,000, as in Llama 3", paper="2309.16039"),
        "million": _base(1_000_000.0, title="1,000,000, as in Code Llama", paper="2308.12950"),
    },
    "rope_fraction": {
        "whole": _share(1.0, title="All of a head, as in LLaMA", paper="2104.09864"),
        "quarter": _share(0.25, title="A quarter of a head, as in GPT-NeoX", paper="2204.06745"),
    },
}
"""Named as their settings are; the cards stand beside those of the menu."""
MEASURES: Mapping[str, Callable[[ModelConfig], str]] = {
    "n_kv_heads": cache_in_words,
    "rope_theta": slowest_turn,
    "rope_fraction": slowest_turn,
}
"""What an option changes besides the number of parameters."""
