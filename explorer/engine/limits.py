"""What one run may ask of a machine that a whole class shares; every limit with its reason."""

from collections.abc import Iterator

from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.setup import Setup

MOST_PARAMETERS = 5_000_000
"""Training holds 16 bytes a parameter (weight, gradient, two averages): 80 MB a run."""
MOST_CONTEXT = 512
"""Attention grows with its square: at 512 a layer's patterns take 4 MB a head and text batch."""
MOST_TOKENS_A_STEP = 16_384
"""So that one step stays within a second or so and runs can take turns."""
MOST_STEPS = 50_000
"""Some hours of one core; metrics stay under 10 MB."""
MOST_SNAPSHOTS = 100
"""At most 1 GB of disk for the largest model."""
MOST_GENERATED = 1_000
"""Tokens in one answer: a second or two between the slices of other runs."""
MOST_PROMPT_CHARACTERS = 10_000


def check_setup(setup: Setup) -> None:
    """Refuse a setup that this app cannot carry.

    Raises:
        ConfigError: with every reason, each as name, value and rule.
    """
    if problems := list(_problems(setup)):
        raise ConfigError("This run is too large for this app: " + "; ".join(problems) + ".")


def _problems(setup: Setup) -> Iterator[str]:
    model, training = setup.model, setup.training
    if (n_parameters := _n_parameters(model)) > MOST_PARAMETERS:
        yield f"the model has {n_parameters:,} parameters, at most {MOST_PARAMETERS:,} are allowed"
    if model.context > MOST_CONTEXT:
        yield f"context={model.context} must be at most {MOST_CONTEXT}"
    if (n_tokens := training.batch_size * model.context) > MOST_TOKENS_A_STEP:
        yield (
            f"batch_size x context = {n_tokens:,} tokens a step must be at most "
            f"{MOST_TOKENS_A_STEP:,}"
        )
    if training.steps > MOST_STEPS:
        yield f"steps={training.steps:,} must be at most {MOST_STEPS:,}"
    if training.n_snapshots > MOST_SNAPSHOTS:
        yield f"n_snapshots={training.n_snapshots} must be at most {MOST_SNAPSHOTS}"


def _n_parameters(model: ModelConfig) -> int:
    """Count without listing the layers of an absurd model."""
    return MOST_PARAMETERS + 1 if model.n_layers > 1000 else count_parameters(model)
