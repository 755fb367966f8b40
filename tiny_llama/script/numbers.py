"""The numbers of a setup as constants at a script's top: those that it uses, a few a line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tiny_llama.sample_config import SampleConfig
from tiny_llama.script.needs import turning_thetas
from tiny_llama.setup import Setup, setting_word

ROWS: tuple[Mapping[str, str], ...] = (
    {"CONTEXT": "tokens that are read at once", "WINDOW": "in a windowed layer"},
    {"N_LAYERS": "", "D_MODEL": "", "D_HIDDEN": ""},
    {"N_HEADS": "of queries", "N_KV_HEADS": "of keys and values", "D_HEAD": "width of each"},
    {"N_EXPERTS": "in each layer", "N_ACTIVE_EXPERTS": "for each token"},
    {"ROPE_THETA": "", "ROPE_THETA_LOCAL": "", "D_TURNED": "", "NOPE_EVERY": ""},
    {"ATTENTION_SOFTCAP": "", "LOGIT_SOFTCAP": ""},
    {"NORM_EPS": "", "INIT_STD": "", "EMBEDDING_STD": "", "DROPOUT": "", "SEED": ""},
    {"STEPS": "", "BATCH_SIZE": "texts a step", "TEXT_NOISE": "share of wrong tokens"},
    {"LEARNING_RATE": "", "WARMUP_STEPS": "", "GRADIENT_CLIP": "", "LABEL_SMOOTHING": ""},
    {"BETA1": "memory of gradients", "BETA2": "of their squares", "WEIGHT_DECAY": ""},
    {"EVALUATE_EVERY": "steps between held-out losses", "EVALUATE_TEXTS": "of so many texts"},
    {"SAMPLE_TOKENS": "", "TEMPERATURE": "below 1 safer, above 1 wilder"},
)
"""Names by lines, each with what is to be said of it."""


def constants(setup: Setup, code: str) -> Iterator[str]:
    """Write a line for each row of which the code uses a name."""
    used, values = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", code)), _derived(setup)
    for row in ROWS:
        if names := [name for name in row if name in used]:
            numbers = [values.get(name) or _number(setup, name) for name in names]
            says = ", ".join(filter(None, (row[name] for name in names)))
            line = f"{', '.join(names)} = {', '.join(numbers)}"
            yield f"{line}  # {says}" if says else line


def _number(setup: Setup, name: str) -> str:
    """Write the number of a setting, whose name here is in capitals."""
    return setting_word(name.lower(), setup.setting(name.lower()))


def _derived(setup: Setup) -> dict[str, str]:
    """Write the numbers that are no setting's own."""
    model, thetas = setup.model, turning_thetas(setup.model)
    values: Mapping[str, Any] = {
        "N_KV_HEADS": model.kv_heads,
        "D_HEAD": model.head_width,
        "D_HIDDEN": model.hidden_width,
        "D_TURNED": model.turned_width,
        "ROPE_THETA": thetas[0] if len(thetas) == 1 else model.rope_theta,
        "EVALUATE_EVERY": setup.training.evaluate_every or setup.training.steps,
        "TEMPERATURE": SampleConfig().temperature,
    }
    return {name: setting_word(name.lower(), value) for name, value in values.items()}
