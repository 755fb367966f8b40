"""What a browser needs to train a run itself, from where it stands: text, weights and memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tiny_llama.data import IGNORED, TokenizedText
from tiny_llama.errors import ConfigError
from tiny_llama.sample_config import SampleConfig
from tiny_llama.training import Trainer

_AVERAGES = {"means": "exp_avg", "squares": "exp_avg_sq"}
"""What the browser calls them, and AdamW."""


def lent(trainer: Trainer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Write down what a browser needs to go on with a run: plain values, and arrays by name.

    Raises:
        ConfigError: if its corpus is a task, whose exercises are made in Python.
    """
    corpus, context = trainer.corpus, trainer.model.config.context
    if not isinstance(corpus, TokenizedText):
        raise ConfigError(
            f"corpus={corpus.name}: its exercises are made on the server, so that it can only be "
            f"trained there."
        )
    held_out = corpus.held_out(n_texts=trainer.config.evaluate_texts, context=context)
    said = held_out.targets[held_out.targets != IGNORED].numpy()
    values = {
        "next_step": trainer.next_step,
        "n_places": corpus.n_places(context),
        "prompt": corpus.tokenizer.encode(corpus.prompt).tolist(),
        "temperature": SampleConfig().temperature,
        "held_out_bytes": int(corpus.tokenizer.byte_lengths()[said].sum()),
    }
    kind = np.uint16 if corpus.tokenizer.vocab_size <= 2**16 else np.int32
    arrays = {
        "tokens": corpus.tokens.numpy().astype(kind),
        "held_out_inputs": held_out.inputs.numpy().astype(np.int32).ravel(),
        "held_out_targets": held_out.targets.numpy().astype(np.int32).ravel(),
        "weights": _row(each for each in trainer.model.parameters()),
    }
    return values, arrays | _memory(trainer)


def _memory(trainer: Trainer) -> dict[str, np.ndarray]:
    """Give AdamW's averages in the order of the parameters; nothing, before the first step."""
    (optimizer,) = trainer.optimizers
    states = [optimizer.state[each] for each in trainer.model.parameters()]
    if not all(states):
        return {}
    return {name: _row(each[key] for each in states) for name, key in _AVERAGES.items()}


def _row(tensors: Iterator[torch.Tensor]) -> np.ndarray:
    row: np.ndarray = torch.cat([each.detach().flatten() for each in tensors]).numpy()
    return row
