"""Every component with all its options: formula, paper, who uses it, why; a press takes it."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explorer import content, glossary, link
from explorer.architecture.numbers import MEASURES, NUMBERS, users
from explorer.architecture.published import measured_elsewhere
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.setup import Setup, setting_word

SLOTS = {
    "norm": "Norm",
    "norm_placement": "Where the norm stands",
    "position": "Positions",
    "rope_theta": "RoPE's base",
    "rope_fraction": "Share that RoPE turns",
    "attention": "Attention",
    "n_kv_heads": "Shared keys and values",
    "qk_norm": "Norm on queries and keys",
    "feed_forward": "Feed-forward",
    "block": "Side by side or in turn",
    "bias": "Biases",
    "tied_unembedding": "Unembedding",
}
"""What can be exchanged, from the norm on, by title."""

HEIGHT = 560
"""Pixels of the cards, which scroll in them, on a phone; else as many as there is room for."""


def show(stage: Stage, setup: Setup, preset: str) -> None:
    """Show all options of one slot beside one another."""
    with stage.controls:
        slot = choose_named("Component", SLOTS, key="slot", as_buttons=True)
    with st.container(height=HEIGHT, border=False, key="scrolled"), st.grid(min_column_width=400):
        for name, title in titles(slot).items():
            with st.container(border=True):
                _option(setup.model, slot, name, title)


def titles(slot: str) -> dict[str, str]:
    """Give the title of each option of a slot, by name."""
    if slot in NUMBERS:
        return {name: option.title for name, option in NUMBERS[slot].items()}
    if slot in MENU:
        return {name: option.title for name, option in MENU[slot].items()}
    return dict(CHOICES[slot])


def value_of(config: ModelConfig, slot: str, name: str) -> Any:
    """Say what the setting of a slot is where an option is taken."""
    return NUMBERS[slot][name].value(config) if slot in NUMBERS else name


def is_taken(config: ModelConfig, slot: str, name: str) -> bool:
    """Tell whether a model has an option."""
    if slot in NUMBERS:
        return NUMBERS[slot][name].holds(config)
    return bool(getattr(config, slot) == name)


def _option(config: ModelConfig, slot: str, name: str, title: str) -> None:
    taken = is_taken(config, slot, name)
    st.markdown(f"**{content.escaped(title)}**")
    why_not, effect = _effect(config, slot, name)
    value = value_of(config, slot, name)
    word = f"{slot}={setting_word(slot, value)}" if slot in NUMBERS and not why_not else name

    def take() -> None:
        link.put(**{slot: value})

    st.button(
        f"{name}: chosen" if taken else f"Take {word}",
        icon=":material/check:" if taken else ":material/swap_horiz:",
        key=f"take_{slot}_{name}",
        disabled=taken or bool(why_not),
        on_click=take,
    )
    if why_not or effect:
        st.caption(content.escaped(why_not or effect))
    glossary.say(content.card(slot, name))
    if found := measured_elsewhere(slot, name):
        with st.expander("Measured elsewhere", icon=":material/query_stats:"):
            for line in found:
                st.markdown(line)
    if slot in NUMBERS:
        st.caption(content.escaped(f"Models to begin with that have it: {users(slot, name)}"))


def _effect(config: ModelConfig, slot: str, name: str) -> tuple[str, str]:
    """Say why this model cannot have an option, or else what it would change."""
    if slot in NUMBERS and (why_not := NUMBERS[slot][name].why_not(config)):
        return why_not, ""
    taken = is_taken(config, slot, name)
    change: dict[str, Any] = {} if taken else {slot: value_of(config, slot, name)}
    try:
        other = replace(config, **change)
    except ConfigError as error:
        return str(error), ""
    n_more = count_parameters(other) - count_parameters(config)
    more = [] if taken else [f"{n_more:+,} parameters in this model"]
    measured = [MEASURES[slot](other)] if slot in MEASURES and other.turned_width else []
    return "", "; ".join((*more, *measured))
