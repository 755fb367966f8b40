"""Operations: what a token, a text and a whole training take, exact and by the rule 6ND."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from explorer import showing
from explorer.architecture.assumptions import choose_budget
from explorer.figures.amounts import in_flops, in_words
from explorer.figures.costs import flops_by_length
from explorer.stage import Stage
from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    FLOPS_A_TRAINED_TOKEN,
    active_parameters,
    count_parameters,
    forward_flops,
    next_token_flops,
    six_n_d,
)
from tiny_llama.setup import Setup
from tiny_llama.training_cost import exact_training_flops

LONGEST = 64
"""How many times the context the chart goes on."""


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show what a setup computes, for a token, a text and a training."""
    config = setup.model
    n = config.context
    text = forward_by_part(config, n)
    whole = sum(text.values())
    with stage.controls:
        budget = choose_budget(setup, name)
    showing.in_one_line(
        {
            "A token of a full text": in_flops(whole / n),
            "of it scores and values": f"{text['scores and values'] / whole:.1%}",
            f"{in_words(budget.n_tokens)} training tokens": in_flops(
                exact_training_flops(config, budget.n_tokens)
            ),
        }
    )
    lengths = lengths_of(n)
    lines = {
        part: [forward_by_part(config, length)[part] / length for length in lengths]
        for part in text
    }
    showing.draw(flops_by_length(lengths, lines, n), key="flops_by_length")
    with stage.below:
        st.markdown(forward_table(config))
        st.header("Training", anchor=False)
        st.caption(budget.words)
        st.markdown(training_table(config, budget.n_tokens))
        st.markdown(why_they_differ(config))
    stage.explain(code="tiny_llama.cost:forward_flops")


def forward_by_part(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    """Count operations to read a text at once, attention parted into its matrices and the rest."""
    found, first = forward_flops(config, n_tokens), next_token_flops(config, 0)
    projections = n_tokens * first["attention"]
    return {
        "attention's matrices": projections,
        "feed-forward": found["feed_forward"],
        "unembedding": found["unembedding"],
        "scores and values": found["attention"] - projections,
    }


def lengths_of(context: int) -> list[int]:
    """List lengths of texts to draw, in even steps of their logarithm, the context among them."""
    spread = np.geomspace(max(1, context // LONGEST), LONGEST * context, 25)
    return sorted({*(round(length) for length in spread), context})


def forward_table(config: ModelConfig) -> str:
    """Count operations by part: alone, in a full text, and for one more token, in Markdown."""
    n = config.context
    text, alone = forward_by_part(config, n), forward_by_part(config, 1)
    more = _next_by_part(config, n)
    rows = [["Part", "One token alone", f"A text of {n:,}", "Share", f"Token {n:,} with cache"]]
    whole = sum(text.values())
    for part in text:
        rows.append(
            [
                part.capitalize(),
                in_flops(alone[part]),
                in_flops(text[part]),
                f"{text[part] / whole:.1%}",
                in_flops(more[part]),
            ]
        )
    sums = [in_flops(sum(each.values())) for each in (alone, text, more)]
    rows.append(["**All**", f"**{sums[0]}**", f"**{sums[1]}**", "100%", f"**{sums[2]}**"])
    return showing.markdown_table(rows, "lrrrr")


def training_table(config: ModelConfig, n_tokens: int) -> str:
    """Give the exact sum beside 6ND with either count of parameters, in Markdown."""
    exact = exact_training_flops(config, n_tokens)
    sums = {
        "Exact: 3 × forward, texts as long as the context": exact,
        "6ND, without tables that are only looked up": six_n_d(config, n_tokens),
        "6ND with all parameters": FLOPS_A_TRAINED_TOKEN * count_parameters(config) * n_tokens,
    }
    if config.has_experts:
        sums["6ND with all active parameters"] = (
            FLOPS_A_TRAINED_TOKEN * active_parameters(config) * n_tokens
        )
    rows = [[f"Training on {in_words(n_tokens)} tokens", "Operations", "Of the exact sum"]]
    rows += [[name, in_flops(each), f"{each / exact:.1%}"] for name, each in sums.items()]
    return showing.markdown_table(rows, "lrr")


def why_they_differ(config: ModelConfig) -> str:
    """Say what 6ND leaves out and what it counts that multiplies nothing, in Markdown."""
    parts = differences(config)
    exact = exact_training_flops(config, 1)
    rows = [["For each training token", "Operations", "Of the exact sum"]]
    rows += [[name, f"{n:,.0f}", f"{100 * n / exact:+.3g}%"] for name, n in parts.items()]
    rows.append(["**The exact sum**", f"**{exact:,.0f}**", "100%"])
    return (
        "Why they differ: 6ND leaves out attention's scores, which grow with the text. It counts "
        "norms and biases, which take no matrix product.\n\n" + showing.markdown_table(rows, "lrr")
    )


def differences(config: ModelConfig) -> Mapping[str, float]:
    """Give the steps from 6ND with all parameters to the exact sum, for one training token."""
    everything, kaplan = FLOPS_A_TRAINED_TOKEN * count_parameters(config), six_n_d(config, 1)
    n = config.context
    text = forward_by_part(config, n)
    matrices = 3 * (sum(text.values()) - text["scores and values"]) / n
    return {
        "6N with all parameters": everything,
        "tables that are only looked up" + ", idle experts" * config.has_experts: kaplan
        - everything,
        "norms and biases": matrices - kaplan,
        "scores and values": 3 * text["scores and values"] / n,
    }


def _next_by_part(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    first, more = next_token_flops(config, 0), next_token_flops(config, n_tokens)
    return {
        "attention's matrices": first["attention"],
        "feed-forward": more["feed_forward"],
        "unembedding": more["unembedding"],
        "scores and values": more["attention"] - first["attention"],
    }
