"""The line that trains a setup in a terminal."""

import shlex

from tiny_llama.setup import OWN_TEXT, Setup, from_preset

USUAL_PRESET = "tiny-llama"
"""What the command line begins from when no preset is named."""
OWN_WORDS = ("corpus", "steps", "seed")
"""Settings that the command line has an option for."""


def train_command(setup: Setup) -> str:
    """Write the `python -m tiny_llama train …` line of a setup, with only what is not usual in it.

    It begins from the tiny preset that differs in the fewest settings. The model's vocabulary is
    left to the tokenizer, which decides it.
    """
    preset, unusual = from_preset(setup)
    words = ["python", "-m", "tiny_llama", "train"]
    if setup.corpus == OWN_TEXT:
        words += ["--text", "your-text.txt"]
    elif "corpus" in unusual:
        words += ["--corpus", setup.corpus]
    if preset != USUAL_PRESET:
        words += ["--preset", preset]
    for name, value in unusual.items():
        if name not in OWN_WORDS:
            words += ["--set", f"{name}={value}"]
    words += ["--steps", str(setup.training.steps)]
    if "seed" in unusual:
        words += ["--seed", str(setup.training.seed)]
    return shlex.join([*words, "--out", "my-run"])
