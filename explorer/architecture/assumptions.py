"""Choices that several views of costs share: how a model is served, and how long it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer import content, link
from explorer.figures.amounts import in_words
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.presets import PRESETS
from tiny_llama.serving import PRECISIONS
from tiny_llama.setup import Setup

CACHES = {"fp32": 4, "fp16": 2, "fp8": 1}
"""Bytes of a number in the cache."""
GROUPS = {"32": "groups of 32", "64": "groups of 64", "128": "groups of 128", "row": "whole rows"}
LENGTHS = (128, 512, 2048, 4096, 8192, 32_768, 131_072)
TEXTS = tuple(2**power for power in range(11))
CHINCHILLA = 20
"""Training tokens a parameter (2203.15556)."""
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Serving:
    """In which numbers a model is served, how long its texts are, and how many at once."""

    precision: str
    group_size: int | None
    cache: str
    n_tokens: int
    n_texts: int

    @property
    def cache_bytes(self) -> int:
        """Bytes of a number in the cache."""
        return CACHES[self.cache]


def choose_serving(config: ModelConfig) -> Serving:
    """Let the student choose all of it; the choices are in the link."""
    lengths = {str(n): f"{n:,}" for n in sorted({*LENGTHS, config.context})}
    titles = {name: each.title for name, each in PRECISIONS.items()}
    precision = choose_named("Weights in", titles, key="precision")
    group = choose_named("Scales for", GROUPS, key="group")
    cache = choose_named("Cache in", {name: name for name in CACHES}, key="kv")
    length = choose_named("Tokens of each text", lengths, key="length", usual=str(config.context))
    texts = choose_named("Texts at once", {str(n): f"{n:,}" for n in TEXTS}, key="texts")
    return Serving(
        precision=precision,
        group_size=None if group == "row" else int(group),
        cache=cache,
        n_tokens=int(length),
        n_texts=int(texts),
    )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many tokens a model is trained on, and who says so."""

    n_tokens: int
    words: str
    """In Markdown."""


def choose_budget(setup: Setup, name: str) -> Budget:
    """Let the student choose for how many tokens a setup is trained; the choice is in the link.

    Args:
        setup: what is trained.
        name: of its preset, where a published number may be known by.
    """
    n_parameters = count_parameters(setup.model)
    budgets = _budgets(setup, name, n_parameters)
    usual = "published" if "published" in budgets else "chinchilla"
    titles = {
        "published": "as published",
        "chinchilla": f"{CHINCHILLA} a parameter (Chinchilla)",
        "run": "as this run would",
    }
    titles = {key: f"{titles[key]}: {in_words(budgets[key].n_tokens)}" for key in budgets}
    chosen = choose_named(
        "Training tokens", {**titles, "own": "another number"}, key="budget", usual=usual
    )
    if chosen in budgets:
        return budgets[chosen]
    millions = link.widget(
        st.number_input,
        "millions",
        "Millions of training tokens",
        usual=max(1, CHINCHILLA * n_parameters // MILLION),
        min_value=1,
        max_value=10**9,
        step=1,
    )
    return Budget(n_tokens=int(millions) * MILLION, words="Chosen by you.")


def published(name: str) -> Mapping[str, Any] | None:
    """Find the row of facts about a real model, by the name of its preset; None: it is none."""
    return content.configs().get(name)


def tokens_source(name: str) -> str:
    """Say who tells on how many tokens a real model was trained, in Markdown."""
    nodes = content.facts("family_tree")["nodes"]
    node = next((node for node in nodes if name in (node.get("config_ids") or ())), None)
    row = published(name)
    if node is None or row is None:
        return ""
    unverified = node["unverified_fields"]
    relevant = [field for field in unverified if field == "training_tokens"]
    confidence = "partly-verified" if relevant else node["confidence"]
    return content.cited(node["source"], confidence, relevant)


def _budgets(setup: Setup, name: str, n_parameters: int) -> dict[str, Budget]:
    row = published(name)
    budgets = {}
    if row and row["train_tokens"] and PRESETS[name].config == setup.model:
        n_tokens = int(row["train_tokens"])
        budgets["published"] = Budget(n_tokens=n_tokens, words=tokens_source(name))
    budgets["chinchilla"] = Budget(
        n_tokens=CHINCHILLA * n_parameters,
        words=f"{CHINCHILLA} tokens for each of the {n_parameters:,} parameters, the rule of thumb "
        "out of Chinchilla's results (Hoffmann et al. 2022).",
    )
    if name not in PRESETS or PRESETS[name].is_tiny:
        steps = setup.training.steps
        budgets["run"] = Budget(
            n_tokens=steps * setup.tokens_a_step,
            words=f"{steps:,} steps of {setup.tokens_a_step:,} tokens, as this setup trains here.",
        )
    return budgets
