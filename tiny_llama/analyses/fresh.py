"""An untrained model of any setup that is small enough, to look into before anybody trains it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.room import check_size
from tiny_llama.config import ModelConfig
from tiny_llama.fields import make_config
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record


@torch.no_grad()
def fresh(*, model: Mapping[str, Any], path: str, n_tokens: int, seed: int = 0) -> Found:
    """Build a model, let it read tokens drawn at random, and hand out one activation.

    Args:
        model: the fields of its `ModelConfig`.
        path: of the activation; see `tiny_llama.tap.record`.
        n_tokens: how many tokens it reads, at most its context.
        seed: draws weights and tokens.

    Returns:
        `tensor`, the activation without its batch axis.

    Raises:
        ConfigError: if the setup cannot be built, or is too large to be built here.
        KeyError: if the path matches nothing in the model.
    """
    config = make_config(ModelConfig, model)
    check_size(config)
    config = replace(config, context=min(n_tokens, config.context))  # what no token reaches
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(config.vocab_size, (1, config.context), generator=draw)
    built = TinyLlama(config, seed=seed).eval()
    with record(built, path) as seen:
        built(tokens)
    return {"tensor": seen[path][0].numpy()}
