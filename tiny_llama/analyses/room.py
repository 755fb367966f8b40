"""What is small enough to be built just for a look; asked before a worker is, too."""

from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError

MOST_PARAMETERS, MOST_LAYERS = 5_000_000, 128
"""What takes longer than a blink to build is for shapes alone."""


def check_size(config: ModelConfig) -> None:
    """Refuse a model that nobody should wait for.

    Raises:
        ConfigError: if it has too many parameters or layers.
    """
    if (n := count_parameters(config)) > MOST_PARAMETERS:
        raise ConfigError(
            f"A model of {n:,} parameters is too large to be built just for a look; its shapes "
            f"are in the picture, and up to {MOST_PARAMETERS:,} there would be numbers as well."
        )
    if config.n_layers > MOST_LAYERS:
        raise ConfigError(
            f"n_layers={config.n_layers:,} is too deep for a model built just for a look; take at "
            f"most {MOST_LAYERS}."
        )
