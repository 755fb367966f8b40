"""What the views of hidden units share: a model that has some, and the code that runs."""

from explorer import showing
from explorer.inspection import Inspection
from tiny_llama.config import ModelConfig
from tiny_llama.menu import FEED_FORWARD


def config_with_hidden_layer(inspection: Inspection) -> ModelConfig:
    """Give the model's configuration; end the page where it has no hidden layer."""
    config = inspection.run.setup.model
    if not (config.has_feed_forward and config.n_layers):
        showing.stop(
            f"This model has no feed-forward network to look at (feed_forward="
            f"'{config.feed_forward}', n_layers={config.n_layers}); choose another model in the "
            f"bar above."
        )
    return config


def forward_code(config: ModelConfig) -> str:
    """Say where the code of the feed-forward network is; see `explorer.source`."""
    return f"{FEED_FORWARD[config.feed_forward].where}.forward"
