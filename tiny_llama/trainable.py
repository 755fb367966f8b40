"""What one machine can train at all: asked before text, tokenizer or model are prepared."""

import os
from collections.abc import Iterator

from tiny_llama.cost import activation_bytes, count_parameters, parameter_kinds, training_memory
from tiny_llama.errors import ConfigError
from tiny_llama.setup import Setup

MOST_PARAMETERS = 1_000_000_000
"""Training them takes 16 GB; a step takes minutes."""
MOST_TENSORS = 20_000
"""Each is built, moved and written by itself: so many take some ten seconds."""
MOST_CONTEXT = 1_000_000
"""Positions of which tables are made."""
MOST_TOKENS_A_STEP = 2**22
"""More would fill the memory of any machine that this library is meant for."""
_UNKNOWN_MEMORY = 64_000_000_000
"""Where the system does not say: more than most have, so that nothing is refused wrongly."""


def check_trainable(setup: Setup) -> None:
    """Refuse a setup that no machine, or not this one, can train.

    Raises:
        ConfigError: with the first reason.
    """
    if (problem := next(_problems(setup), None)) is not None:
        raise ConfigError(f"This run is too large: {problem}; choose a smaller one.")


def _problems(setup: Setup) -> Iterator[str]:
    model, training = setup.model, setup.training
    if model.context > MOST_CONTEXT:
        yield f"context={model.context:,} must be at most {MOST_CONTEXT:,}"
    if (n_tokens := setup.tokens_a_step) > MOST_TOKENS_A_STEP:
        yield (
            f"batch_size={training.batch_size:,} times context={model.context:,} are {n_tokens:,} "
            f"tokens a step, and must be at most {MOST_TOKENS_A_STEP:,}"
        )
    if (n_tensors := sum(kind.times for kind in parameter_kinds(model))) > MOST_TENSORS:
        experts = f" and n_experts={model.n_experts}" if model.has_experts else ""
        yield (
            f"with n_layers={model.n_layers:,}{experts} its weights are {n_tensors:,} tensors, and "
            f"must be at most {MOST_TENSORS:,}"
        )
    if (n_parameters := count_parameters(model)) > MOST_PARAMETERS:
        yield (
            f"the model has {n_parameters:,} parameters, and must have at most {MOST_PARAMETERS:,}"
        )
    kept = activation_bytes(model, batch_size=training.batch_size, n_tokens=model.context)
    held = training_memory(model, optimizer=training.optimizer).total + kept
    if held > (there_is := _memory_bytes()):
        yield (
            f"a step would hold {held / 1e9:,.1f} GB, and this machine has {there_is / 1e9:,.1f}"
        )


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY
