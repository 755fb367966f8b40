"""Sides for a scaling law: models of several sizes, each trained for several lengths."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from tiny_llama.cost import multiplying_parameters, six_n_d
from tiny_llama.errors import ConfigError
from tiny_llama.setup import Setup

WARMUP_SHARE = 0.05
"""Of the steps: with as many warm-up steps for all, the shortest runs would do little else, which
bends a law (Porian et al. 2024, arXiv:2406.19146)."""
MOST_STEPS = 100_000


def law_parameters(setup: Setup) -> int:
    """Count a model's N in a scaling law: what multiplies, so with the unembedding, tied or not,
    and without the embedding (Porian et al. 2024)."""
    return multiplying_parameters(setup.model)


def law_tokens(setup: Setup) -> int:
    """Count a run's D in a scaling law: the tokens that it is trained on."""
    return setup.training.steps * setup.tokens_a_step


def sizes_by_lengths(
    usual: Setup,
    sizes: Sequence[Mapping[str, Any]],
    *,
    steps: Sequence[int] = (),
    budgets: Sequence[float] = (),
) -> dict[str, Setup]:
    """Pair each size with each length, or with each budget of compute.

    The learning rate falls as 1/width from the usual model's (Yang et al. 2022, arXiv:2203.03466),
    unless a size says its own.

    Args:
        usual: what all share, with the vocabulary that models will have.
        sizes: settings of the models.
        steps: lengths in steps.
        budgets: or, in place of lengths, operations in 6 N D; steps follow from them.

    Raises:
        ConfigError: if both or neither of the two are given, or a budget takes too few or too many
            steps.
    """
    if bool(steps) == bool(budgets):
        raise ConfigError("scaling takes either steps or budgets, a list of numbers; say one.")
    sides = {}
    for number, size in enumerate(sizes, start=1):
        sized = _sized(usual, size)
        lengths = steps or [_steps_within(sized, budget) for budget in budgets]
        for length, n_steps in enumerate(lengths, start=1):
            sides[f"size-{number}_length-{length}"] = sized.with_settings(
                {"steps": n_steps, "warmup_steps": ceil(WARMUP_SHARE * n_steps)}
            )
    return sides


def _sized(usual: Setup, size: Mapping[str, Any]) -> Setup:
    setup = usual.with_settings(size)
    if "learning_rate" in size:
        return setup
    narrower = usual.model.d_model / setup.model.d_model
    rate = float(f"{usual.training.learning_rate * narrower:.3g}")
    return setup.with_settings({"learning_rate": rate})


def _steps_within(setup: Setup, budget: float) -> int:
    """Say how many steps come nearest to a budget."""
    a_step = six_n_d(setup.model, setup.tokens_a_step)
    steps = round(budget / a_step)
    if not 1 / WARMUP_SHARE <= steps <= MOST_STEPS:
        raise ConfigError(
            f"A budget of {budget:g} operations is {steps:,} steps for d_model="
            f"{setup.model.d_model} with {setup.model.n_layers} layers, and must be 20 to "
            f"{MOST_STEPS:,}; choose another budget or another batch_size."
        )
    return steps
