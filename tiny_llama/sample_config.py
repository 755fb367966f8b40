"""SampleConfig: how the next token is drawn from a model's probabilities."""

from dataclasses import dataclass

from tiny_llama.errors import ConfigError
from tiny_llama.fields import field_problems


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How the next token is drawn; the filters act in the order in which they stand here.

    Raises:
        ConfigError: lists every problem at once, each with its value and the rule.
    """

    n_tokens: int = 100
    temperature: float = 0.8
    """Divides the logits: below 1 more cautious, above 1 more daring; 0: the likeliest token."""
    top_k: int = 0
    """Keep only the k likeliest tokens (1805.04833); 0: all."""
    top_p: float = 1.0
    """Keep the fewest tokens that reach this share together (nucleus, 1904.09751); 1: all."""
    min_p: float = 0.0
    """Keep tokens at least this fraction as likely as the likeliest (2407.01082); 0: all."""
    seed: int = 0

    def __post_init__(self) -> None:
        if problems := list(field_problems(self, bounds=BOUNDS, choices={})):
            raise ConfigError("Cannot sample this way: " + "; ".join(problems) + ".")


BOUNDS = {
    "n_tokens": (0, 1_000_000),
    "temperature": (0, 100),
    "top_k": (0, 10_000_000),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "seed": (0, 2**32 - 1),
}
