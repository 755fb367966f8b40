"""Why a gated network is two thirds as wide: the same number of parameters."""

from dataclasses import replace

import numpy as np
import streamlit as st

from explorer import link, showing
from explorer.figures.feed_forward import width_lines
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import parameters_by_component
from tiny_llama.menu import FEED_FORWARD
from tiny_llama.presets import PRESETS

REAL = (
    "llama-1-7b",
    "llama-1-13b",
    "llama-1-33b",
    "llama-1-65b",
    "llama-2-70b",
    "llama-3-8b",
    "mistral-7b",
    "gemma-2b",
    "gpt3-175b",
)
MULTIPLES = (1, 16, 64, 256)
OWN = "own"


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the parameters of a feed-forward network against its width, with a gate and without."""
    configs = {"this": inspection.run.setup.model} | {name: PRESETS[name].config for name in REAL}
    titles = {"this": "This model"} | {name: PRESETS[name].title for name in REAL}
    with stage.controls:
        config = configs[choose_named("Sizes of", titles, key="sizes_of")]
        word = link.widget(
            st.select_slider,
            "multiple",
            "Round up to a multiple of",
            usual=OWN,
            options=[OWN, *map(str, MULTIPLES)],
            help=f"This model's own is {config.hidden_multiple}.",
        )
        multiple = config.hidden_multiple if word == OWN else int(word)
    d, budget = config.d_model, feed_forward_parameters(config, "gelu", 4 * config.d_model)
    rule = replace(config, feed_forward="swiglu", d_hidden=None, hidden_multiple=multiple)
    points = {
        "4 d without a gate": (4 * d, budget),
        "the rule with a gate": (
            rule.hidden_width,
            feed_forward_parameters(config, "swiglu", rule.hidden_width),
        ),
    }
    if config.has_feed_forward:
        own = config.hidden_width
        points["the model's own"] = (own, feed_forward_parameters(config, config.feed_forward, own))
    widths = np.unique(np.linspace(0, 5 * d, 11).astype(int))[1:]
    lines = {
        title: np.array([feed_forward_parameters(config, kind, int(f)) for f in widths])
        for title, kind in (("gate, up, down: 3 d f", "swiglu"), ("up, down: 2 d f", "gelu"))
    }
    showing.draw(width_lines(widths, lines, points, budget), key="width_lines")
    stage.below.markdown(width_words(config, rule))
    stage.below.markdown(width_table())
    stage.explain(code="tiny_llama.config:ModelConfig.hidden_width")


def feed_forward_parameters(config: ModelConfig, kind: str, d_hidden: int) -> int:
    """Count the parameters of a layer's feed-forward network in this width, without biases."""
    single = replace(config, n_layers=1, feed_forward=kind, d_hidden=d_hidden, bias="none")
    return parameters_by_component(single)["feed_forward"]


def width_words(config: ModelConfig, rule: ModelConfig) -> str:
    """Say the rule with a model's own numbers."""
    d, multiple = config.d_model, rule.hidden_multiple
    plain = feed_forward_parameters(config, "gelu", 4 * d)
    gated = feed_forward_parameters(config, "swiglu", rule.hidden_width)
    words = (
        f"With d = {d:,}: a plain network has 2 matrices of {d:,} × {4 * d:,}, **{plain:,}** "
        f"parameters a layer. Two thirds of {4 * d:,} are {8 * d / 3:,.1f}, rounded up to a "
        f"multiple of {multiple} they are **{rule.hidden_width:,}**: 3 matrices of {d:,} × "
        f"{rule.hidden_width:,}, **{gated:,}** parameters, {gated / plain - 1:+.1%}."
    )
    if not config.has_feed_forward:
        return f"{words} This model has no feed-forward network itself."
    own = feed_forward_parameters(config, config.feed_forward, config.hidden_width)
    title = FEED_FORWARD[config.feed_forward].title
    return (
        f"{words} The model itself has {title} with d_hidden {config.hidden_width:,}, "
        f"{config.hidden_width / d:.2f} d: {own:,} parameters, {own / plain - 1:+.1%}."
    )


def width_table() -> str:
    """List real models beside the rule, in Markdown."""
    rows = [
        "| Model | Feed-forward | d | 4 d | d_hidden | of d | Parameters against 8 d² |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in REAL:
        config = PRESETS[name].config
        d, own = config.d_model, config.hidden_width
        size = feed_forward_parameters(config, config.feed_forward, own) / (8 * d * d)
        rows.append(
            f"| {PRESETS[name].title} | {FEED_FORWARD[config.feed_forward].title} | {d:,} "
            f"| {4 * d:,} | {own:,} | {own / d:.3f} | {size:.3f} |"
        )
    return "\n".join(rows)
