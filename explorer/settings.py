"""What the settings of a run are called on a page: labels, values, and how two setups differ."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tiny_llama.menu import MENU
from tiny_llama.presets import find_preset
from tiny_llama.setup import (
    MODEL_FIELDS,
    TINY,
    Setup,
    changes,
    nearest_preset,
    setting_word,
    setup_of_preset,
    usual_tokenizer,
)

PARTS: Mapping[str, str] = {
    "norm": "Norm",
    "position": "Positions",
    "attention": "Attention",
    "feed_forward": "Feed-forward",
}
"""The slots of the menu, and what each is called on a page."""
MORE_PARTS: Mapping[str, str] = {
    "n_kv_heads": "Key/value heads",
    "norm_placement": "Where the norm stands",
    "bias": "Biases",
    "tied_unembedding": "Tied unembedding",
}
"""What the picture of the block has besides."""
SIZES: Mapping[str, str] = {
    "n_layers": "Layers",
    "d_model": "Width (d_model)",
    "n_heads": "Heads",
    "context": "Context in tokens",
}
MODEL_FINE_POINTS: Mapping[str, str] = {
    "window": "Window in tokens",
    "block": "Attention and feed-forward",
    "qk_norm": "Norm on queries and keys",
    "n_experts": "Experts (of a mixture)",
    "n_active_experts": "Experts at work on a token",
    "unembedding_bias": "Biases on logits",
    "embedding_scale": "Embeddings times √d_model",
    "embedding_norm": "Norm after the embedding",
    "d_head": "Width of a head",
    "d_hidden": "Width of the hidden layer",
    "hidden_multiple": "Hidden layer rounded up to multiples of",
    "rope_theta": "RoPE's base (theta)",
    "rope_theta_local": "RoPE's base in layers with a window",
    "rope_fraction": "Share of a head that RoPE turns",
    "nope_every": "Every n-th layer without RoPE",
    "norm_eps": "Norm's epsilon",
    "attention_softcap": "Soft cap on attention scores",
    "logit_softcap": "Soft cap on logits",
    "dropout": "Dropout",
    "init_std": "Spread of the starting weights",
    "embedding_std": "Spread of the starting embedding",
    "scaled_residual_init": "Smaller start for what is added to the stream",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that stand together, and how each is labelled."""

    name: str
    title: str
    icon: str
    labels: Mapping[str, str]


SECTIONS = (
    Section(name="sizes", title="Model: sizes", icon=":material/account_tree:", labels=SIZES),
    Section(
        name="training",
        title="Training",
        icon=":material/trending_down:",
        labels={
            "learning_rate": "Learning rate",
            "batch_size": "Texts a step (batch size)",
            "optimizer": "Optimizer",
            "schedule": "Learning-rate schedule",
            "warmup_steps": "Warm-up steps",
            "seed": "Seed",
            "data_seed": "Seed of the data",
        },
    ),
    Section(
        name="tokenizer",
        title="Tokenizer",
        icon=":material/content_cut:",
        labels={
            "tokenizer": "Tokenizer (tasks are always written in characters)",
            "vocab_size": "Vocabulary in tokens (SentencePiece only)",
        },
    ),
    Section(
        name="model", title="Model: fine points", icon=":material/tune:", labels=MODEL_FINE_POINTS
    ),
    Section(
        name="more",
        title="Training: fine points",
        icon=":material/tune:",
        labels={
            "weight_decay": "Weight decay",
            "beta1": "Memory of gradients (beta1)",
            "beta2": "Memory of squared gradients (beta2)",
            "gradient_clip": "Gradient clipping (0: none)",
            "label_smoothing": "Label smoothing",
            "text_noise": "Noise in the training text (share of tokens)",
            "evaluate_every": "Steps between held-out losses",
            "evaluate_texts": "Held-out texts each time",
            "sample_every": "Steps between samples",
            "sample_tokens": "Tokens in a sample",
            "n_snapshots": "Snapshots to look back at (0: none)",
        },
    ),
)
"""What the form of a run folds, section by section."""
LABELS: Mapping[str, str] = {
    "corpus": "Text to learn from",
    "steps": "Steps",
    **PARTS,
    **MORE_PARTS,
    **{name: label for section in SECTIONS for name, label in section.labels.items()},
}
"""What every setting is called on a page."""
WHEN_OPEN: Mapping[str, str] = {
    "vocab_size": "auto: the tokenizer's usual",
    "data_seed": "auto: as the seed",
    "n_kv_heads": "auto: as many as heads",
    "d_head": "auto: width / heads",
    "d_hidden": "auto: LLaMA's rule",
    "rope_theta_local": "auto: the same",
    "nope_every": "none: all layers turn",
    "attention_softcap": "none",
    "logit_softcap": "none",
}
"""What an empty box means."""
MOST_LETTERS = 24
"""Of an own text's first words, by which it is named."""
MOST_NAMED = 3
"""Differences in a run's name; more would be no name."""


def label_in_line(name: str) -> str:
    """Say what a setting is called within a sentence: its label without what explains it."""
    return LABELS[name].partition(" (")[0]


def value_in_words(name: str, value: Any) -> str:
    """Write a setting's value as the form shows it, a large one with commas."""
    if value is None:
        return WHEN_OPEN[name].removeprefix("auto: ")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float) and value >= 1e4 and value.is_integer():
        return f"{value:,.0f}"
    return setting_word(name, value)


def changes_in_words(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Say in one line how settings differ, each with its two values."""
    return ", ".join(
        f"{label_in_line(name)}: {value_in_words(name, old)} → {value_in_words(name, new)}"
        for name, (old, new) in found.items()
    )


@dataclass(frozen=True, kw_only=True)
class Text:
    """A student's own text, by what tells it from others."""

    name: str
    """Its first words, in quotation marks."""
    digest: str


def text_named(text: str) -> Text:
    """Name a text by its first words, and know it again by its digest."""
    words = " ".join(text[: 4 * MOST_LETTERS].split())
    short = words if len(words) <= MOST_LETTERS else f"{words[:MOST_LETTERS].rstrip()}…"
    return Text(name=f"“{short}”", digest=hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Started:
    """All that decides what a run does: its setup, and the text where it is a student's own."""

    setup: Setup
    text: Text | None = None

    @property
    def text_name(self) -> str:
        """What it learns from, in words."""
        return self.text.name if self.text else self.setup.corpus

    @property
    def text_id(self) -> str:
        """What it learns from, so that the same is the same."""
        return self.text.digest if self.text else self.setup.corpus


def differences(before: Started, after: Started) -> dict[str, tuple[Any, Any]]:
    """Find the settings that differ, each with its two values; own texts count by what they say."""
    found = changes(before.setup, after.setup)
    if before.text != after.text:
        return {"corpus": (before.text_name, after.text_name)} | {
            name: pair for name, pair in found.items() if name != "corpus"
        }
    return found


def describe(found: Mapping[str, tuple[Any, Any]], most: int | None = None) -> str:
    """Say in one line what differs, such as `Norm: rmsnorm → layernorm, Seed: 0 → 1`.

    Args:
        found: as `differences` finds it.
        most: how many are said; the rest is counted.
    """
    if not found:
        return "the same settings"
    said = dict(list(found.items())[:most])
    more = len(found) - len(said)
    return changes_in_words(said) + (f" and {more} more" if more else "")


@lru_cache(maxsize=2_000)  # every page names every run of its student
def name_by_what_differs(setup: Setup) -> str:
    """Name a setup by what is not as in Tiny LLaMA, as "LayerNorm, learned positions".

    Returns:
        The name; empty for Tiny LLaMA itself. Its text and its length are not in it.
    """
    preset = nearest_preset(setup.model)
    found = changes(setup_of_preset(preset), setup)
    words = [] if preset == TINY[0] else [find_preset(preset).title]
    apart = (*_APART, "tokenizer") if _is_usual(setup) else _APART
    words += [_difference(name, new) for name, (_, new) in found.items() if name not in apart]
    return _some(words)


def what_it_has(setup: Setup, other: Setup) -> str:
    """Say what a model has where another one has something else, as "RMSNorm, RoPE".

    Of models that are built alike, it is how this one was trained.
    """
    found = changes(other, setup)
    built = [name for name in found if name in MODEL_FIELDS or name == "corpus"]
    return _some([_difference(name, found[name][1]) for name in built or found])


_APART = (
    *("corpus", "steps", "evaluate_every", "evaluate_texts", "sample_every", "sample_tokens"),
    "embedding_std",
)
"""Settings that make no other model, or that all pretrained ones have otherwise: they are older."""


def _is_usual(setup: Setup) -> bool:
    """Tell whether a setup cuts its text as such a text usually is."""
    return setup.tokenizer == usual_tokenizer(setup.corpus)


def _difference(name: str, value: Any) -> str:
    if name in MENU:
        return MENU[name][value].short_title
    label = label_in_line(name)
    label = label[0].lower() + label[1:]
    if isinstance(value, bool):
        return label if value else f"no {label}"
    return f"{label} {value_in_words(name, value)}"


def _some(words: Sequence[str]) -> str:
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
