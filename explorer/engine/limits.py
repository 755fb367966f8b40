"""What one run may ask of a machine that a whole class shares; every limit with its reason."""

from collections.abc import Iterator

from tiny_llama.config import ModelConfig
from tiny_llama.cost import activation_bytes, count_parameters, training_flops
from tiny_llama.errors import ConfigError
from tiny_llama.setup import Setup

MOST_PARAMETERS = 5_000_000
"""Training holds 16 bytes a parameter (weight, gradient, two averages): 80 MB a run."""
MOST_LAYERS = 64
"""Deeper ones of this width hardly train, and every layer costs some 50 calls of PyTorch a step."""
MOST_CONTEXT = 512
"""A pattern grows with its square: one head's takes 1 MB a text at 512."""
MOST_ACTIVATION_BYTES = 300_000_000
"""What one step may hold besides; runs take turns, so only one at a time does."""
MOST_STEP_FLOPS = 40_000_000_000
"""A second or two of one core, during which nobody else's run moves and no question is answered."""
MOST_STEPS = 50_000
"""Some hours of one core; metrics stay under 10 MB."""
MOST_SNAPSHOTS = 100
"""At most 1 GB of disk for the largest model."""
MOST_GENERATED = 1_000
"""Tokens in one answer: a second or two between the slices of other runs."""
MOST_PROMPT_CHARACTERS = 10_000


def check_setup(setup: Setup) -> None:
    """Refuse a setup that this app cannot carry.

    Asked twice: before a run starts, and once the tokenizer has said how large the vocabulary is.

    Raises:
        ConfigError: with every reason, each as name, value and rule.
    """
    if problems := list(_problems(setup)):
        raise ConfigError("This run is too large for this app: " + "; ".join(problems) + ".")


def _problems(setup: Setup) -> Iterator[str]:
    model, training = setup.model, setup.training
    for name, most in (("n_layers", MOST_LAYERS), ("context", MOST_CONTEXT)):
        if (value := getattr(model, name)) > most:
            yield f"{name}={value:,} must be at most {most}"
            return  # the rest would only say the same in larger numbers
    if (n_parameters := count_parameters(model)) > MOST_PARAMETERS:
        yield f"the model has {n_parameters:,} parameters, at most {MOST_PARAMETERS:,} are allowed"
    if (n_bytes := _step_bytes(model, training.batch_size)) > MOST_ACTIVATION_BYTES:
        yield (
            f"a step would hold {n_bytes / 1e6:,.0f} MB of activations, at most "
            f"{MOST_ACTIVATION_BYTES / 1e6:,.0f} are allowed: lower batch_size or context"
        )
    if (flops := training.batch_size * training_flops(model, model.context)) > MOST_STEP_FLOPS:
        yield (
            f"a step would take {flops / 1e9:,.0f} billion operations, at most "
            f"{MOST_STEP_FLOPS / 1e9:,.0f} are allowed: lower batch_size, context or the model"
        )
    if training.steps > MOST_STEPS:
        yield f"steps={training.steps:,} must be at most {MOST_STEPS:,}"
    if training.n_snapshots > MOST_SNAPSHOTS:
        yield f"n_snapshots={training.n_snapshots} must be at most {MOST_SNAPSHOTS}"


def _step_bytes(model: ModelConfig, batch_size: int) -> int:
    """Bytes that a step keeps; dropout and soft-caps make attention keep its patterns, too."""
    kept = activation_bytes(model, batch_size=batch_size, n_tokens=model.context)
    if model.dropout or model.attention_softcap:
        patterns = batch_size * model.n_heads * model.context**2 * model.n_layers
        kept += 4 * 4 * patterns  # scores, probabilities, what dropout left, and its mask
    return kept
