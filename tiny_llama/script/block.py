"""How a script's block adds its parts to the residual stream, statement by statement."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tiny_llama.config import ModelConfig
from tiny_llama.menu import NORM_PLACEMENT

LONGEST = 92
"""Characters of a statement that, indented by eight, ends within a hundred."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How attention and feed-forward stand to one another."""

    middle: str
    """What the stream is called behind attention: still `x`, where the feed-forward reads it."""
    shares_norm: bool = False


FLOWS = {
    "sequential": Flow(middle="x"),
    "parallel": Flow(middle="middle", shares_norm=True),
    "parallel_two_norms": Flow(middle="middle"),
}
"""By `block`, as in `tiny_llama.menu`."""


def block_statements(config: ModelConfig, norms: Collection[str]) -> Iterator[str]:
    """Write what a block does with `x`.

    Args:
        config: the model's.
        norms: those of its `block_norms` that do something.
    """
    flow, parts, stream = FLOWS[config.block], _parts(config), "x"
    if flow.shares_norm and len(parts) == 2 and "attention_norm" in norms:
        yield "normed = self.attention_norm(x)"
    for part in parts:
        begins = "return" if part == parts[-1] else f"{flow.middle} ="
        given = _given(config, part, norms)
        statement = f"{begins} {_sum(config, part, norms, stream, given)}"
        if len(statement) > LONGEST:
            yield f"given = {given}"
            statement = f"{begins} {_sum(config, part, norms, stream, 'given')}"
        yield statement
        stream = flow.middle
    if not parts:
        yield "return x"


def _parts(config: ModelConfig) -> list[str]:
    has = {"attention": config.has_attention, "feed_forward": config.has_feed_forward}
    return [part for part, is_there in has.items() if is_there]


def _given(config: ModelConfig, part: str, norms: Collection[str]) -> str:
    """Write what a part gives, before dropout."""
    given = f"self.{part}({_read(config, part, norms)})"
    output_norm = f"{part}_output_norm"
    return f"self.{output_norm}({given})" if output_norm in norms else given


def _read(config: ModelConfig, part: str, norms: Collection[str]) -> str:
    """Write what a part reads."""
    shares = FLOWS[config.block].shares_norm
    norm = "attention_norm" if shares else f"{part}_norm"
    if norm not in norms or not NORM_PLACEMENT[config.norm_placement].before:
        return "x"
    return "normed" if shares and len(_parts(config)) == 2 else f"self.{norm}(x)"


def _sum(config: ModelConfig, part: str, norms: Collection[str], stream: str, given: str) -> str:
    """Write the stream with what a part gives added to it."""
    dropped = f"self.dropout({given})" if config.dropout else given
    normed_after = NORM_PLACEMENT[config.norm_placement].after and f"{part}_norm" in norms
    return f"self.{part}_norm({stream} + {dropped})" if normed_after else f"{stream} + {dropped}"
