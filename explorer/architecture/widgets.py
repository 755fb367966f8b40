"""Which model the Architecture page is about: any preset, any part changed, or one dial for all."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, controls, link, showing, state
from explorer.engine.limits import check_setup
from explorer.settings import changes_in_words
from explorer.stage import Stage
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.dial import by_depth
from tiny_llama.errors import ConfigError
from tiny_llama.presets import find_preset
from tiny_llama.setup import MODEL_FIELDS, Setup

DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 128)
_DIAL = "depth"
SIZES = frozenset(
    {
        *("n_layers", "d_model", "n_heads", "d_head", "d_hidden", "hidden_multiple", "context"),
        *("window", "norm_eps", "init_std", "embedding_std", "scaled_residual_init", "dropout"),
    }
)
"""Fields that tell a large model from a small one, or how it is trained, not what it is made of;
LLaMA's own sizes differ in the norm's epsilon."""


TOGGLED = "block"
"""The view whose picture shows what every part does: there, the parts stand open."""


def choose(stage: Stage) -> tuple[Setup, str]:
    """Let the student choose a model; ends the page where the choices do not fit together.

    Returns:
        A setup with that model, and the name of the preset that it began with.
    """
    is_toggled = stage.view == TOGGLED
    with stage.shared:
        preset_place = st.container()
        open_parts = st.container(key="parts")
        buttons = st.grid(2, min_column_width=90, gap="xsmall", vertical_alignment="center")
        parts = open_parts if is_toggled else buttons.popover("Parts and sizes", width="stretch")
        fine = buttons.popover("Fine points", width="stretch")
        dial = fine.container()
    try:
        with preset_place:
            setup, preset = controls.any_model(parts, fine)
        with dial:
            _dial(setup.model)
    except ConfigError as error:
        with stage.picture:
            showing.stop(str(error))
    if not is_toggled:
        stage.below.caption(summary(setup.model, preset))
    _train_it(setup, buttons if is_toggled else stage.below, stage.below)
    return setup, preset


def differences(config: ModelConfig) -> str:
    """Say what sets a model apart from LLaMA, its size aside, in one line of plain text."""
    llama = find_preset("llama-1-7b").config
    pairs = {
        name: (_value(llama, name), _value(config, name))
        for name in MODEL_FIELDS
        if name not in SIZES
    }
    return changes_in_words({name: (old, new) for name, (old, new) in pairs.items() if old != new})


def _value(config: ModelConfig, name: str) -> object:
    """Give a field's value, or what is the same as it: one key/value head a query head is all."""
    if name == "n_kv_heads" and config.kv_heads == config.n_heads:
        return None
    return getattr(config, name)


def summary(config: ModelConfig, name: str) -> str:
    """Say which model it is, how large, and what sets it apart from LLaMA, in Markdown."""
    preset, differs = find_preset(name), differences(config)
    found = f"Differs from LLaMA in {differs}" if differs else "Made of the same parts as LLaMA"
    changed = "" if config == preset.config else ", changed"
    n_parameters = (
        f"{count_parameters(config):,} parameters with a vocabulary of {config.vocab_size:,}"
    )
    line = f"{preset.title}{changed}: {n_parameters}. {found}, sizes aside. {preset.note}"
    return content.escaped(line.strip())


def _train_it(setup: Setup, place: DeltaGenerator, below: DeltaGenerator) -> None:
    """Offer to train it, or say why it cannot be trained here; a tokenizer brings its tokens."""
    fresh = replace(setup, model=replace(setup.model, vocab_size=ModelConfig.vocab_size))
    try:
        check_setup(fresh)
    except ConfigError as error:
        below.caption(content.escaped(str(error)))
        return
    with place:
        link.offer(
            "train",
            "Train this model",
            icon=":material/play_circle:",
            **controls.link_to(fresh),
        )


def _dial(config: ModelConfig) -> None:
    """Offer one slider that sets depth, width, heads and hidden layer at once."""
    depths = sorted({*DEPTHS, max(1, config.n_layers)})
    link.show(_DIAL, max(1, config.n_layers))

    def turn() -> None:
        controls.take_model(by_depth(config, state.shown(_DIAL)))

    st.select_slider(
        "One dial: depth sets width, heads and hidden layer",
        depths,
        key=_DIAL,
        on_change=link.by_hand(_DIAL, turn),
        help=content.part("dial"),
    )
