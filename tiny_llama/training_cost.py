"""What training takes: memory by recipe, operations, time, utilisation, energy and carbon."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    activation_bytes,
    count_parameters,
    hidden_flops,
    training_flops,
    training_memory,
)

SECONDS_AN_HOUR = 3600
WATTS_A_KILOWATT = 1000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """In which numbers a model is trained."""

    title: str
    bytes_a_number: int
    """Of weights and gradients, and of activations."""
    has_master: bool
    """Whether a copy of the weights in fp32 is what the optimizer moves (1710.03740)."""


RECIPES: Mapping[str, Recipe] = {
    "fp32": Recipe(title="fp32, as here", bytes_a_number=4, has_master=False),
    "mixed": Recipe(title="mixed: bf16 and fp32", bytes_a_number=2, has_master=True),
}
"""With AdamW, 16 bytes a parameter in both: 4 + 4 + 8, and 2 + 2 + 4 + 8 (ZeRO, 1910.02054)."""


def recipe_memory(config: ModelConfig, recipe: str, *, optimizer: str = "adamw") -> dict[str, int]:
    """Count the bytes that training holds through every step, by what they are for.

    The optimizer's averages are in fp32 whatever the recipe.
    """
    chosen, (n, averages) = RECIPES[recipe], _numbers_and_averages(config, optimizer)
    parts = {"weights": chosen.bytes_a_number * n, "gradients": chosen.bytes_a_number * n}
    if chosen.has_master:
        parts["weights in fp32"] = 4 * n
    return parts | {"optimizer": averages}


@lru_cache(maxsize=64)
def _numbers_and_averages(config: ModelConfig, optimizer: str) -> tuple[int, int]:
    """Count the numbers that a model learns, and the bytes of the optimizer's averages of them."""
    return count_parameters(config), training_memory(config, optimizer=optimizer).optimizer


def recipe_activations(
    config: ModelConfig,
    recipe: str,
    *,
    batch_size: int,
    n_tokens: int,
    is_checkpointed: bool = False,
) -> int:
    """Count the bytes that a step keeps from the forward pass for the backward pass.

    Counted by `cost.activation_bytes`, exact for this library in fp32; with two bytes a number it
    is the same count of numbers, halved. Checkpointed (1604.06174): of each layer its input
    alone, and one layer as a whole while it is computed again.
    """
    share = RECIPES[recipe].bytes_a_number / 4

    def kept(layers: int) -> int:
        of_these = replace(config, n_layers=layers)
        return activation_bytes(of_these, batch_size=batch_size, n_tokens=n_tokens)

    if not is_checkpointed or not config.n_layers:
        return round(share * kept(config.n_layers))
    inputs = 4 * config.n_layers * batch_size * n_tokens * config.d_model
    return round(share * (inputs + kept(1)))


def exact_training_flops(
    config: ModelConfig, n_tokens: float, *, skips_hidden: bool = False
) -> float:
    """Count the operations to train on `n_tokens` in whole contexts, by `training_flops`.

    Args:
        config: the model.
        n_tokens: of the whole training.
        skips_hidden: whether attention leaves out what its mask hides, forwards and backwards.
    """
    a_text = training_flops(config, config.context)
    if skips_hidden:
        a_text -= 3 * hidden_flops(config, config.context)
    return n_tokens / config.context * a_text


def accelerator_hours(flops: float, *, peak_flops: float, utilisation: float) -> float:
    """Compute the hours of one accelerator that training takes.

    Args:
        flops: of the whole training.
        peak_flops: operations a second at best.
        utilisation: the share of them that is reached, above 0 and at most 1.
    """
    return flops / (peak_flops * utilisation) / SECONDS_AN_HOUR


def model_utilisation(flops_a_token: float, *, tokens_a_second: float, peak_flops: float) -> float:
    """Give the share of an accelerator's peak that a model's own operations use: MFU (2204.02311).

    What is computed twice, as with checkpointed activations, counts once.
    """
    return flops_a_token * tokens_a_second / peak_flops


def energy_kwh(hours: float, *, watts: float, usage_effectiveness: float) -> float:
    """Compute a training's energy, with what the data centre adds (power usage effectiveness)."""
    return hours * watts * usage_effectiveness / WATTS_A_KILOWATT


def carbon_tonnes(kwh: float, *, kg_a_kwh: float) -> float:
    """Compute the tonnes of CO2 equivalent."""
    return kwh * kg_a_kwh / 1000
