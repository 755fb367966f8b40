"""Quiet, offline, on one thread: what every test can rely on."""

import os
import time
from collections.abc import Callable

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
import torch

from tiny_llama.config import ModelConfig
from tiny_llama.menu import CHOICES, MENU

EVERY_OPTION = [(slot, option) for slot, options in MENU.items() for option in options]
EVERY_CHOICE = EVERY_OPTION + [(slot, word) for slot, words in CHOICES.items() for word in words]

torch.set_num_threads(1)


@pytest.fixture
def small() -> ModelConfig:
    """A model small enough to build and train in milliseconds."""
    return ModelConfig(vocab_size=11, context=16, n_layers=2, d_model=16, n_heads=4, window=3)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
