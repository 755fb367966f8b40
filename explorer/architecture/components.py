"""Every component with all its options: formula, paper, who uses it, why; a press takes it."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explorer import content, session, showing
from explorer.choosing import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.setup import Setup

SLOTS = {
    "norm": "Norm",
    "norm_placement": "Where the norm stands",
    "position": "Positions",
    "attention": "Attention",
    "qk_norm": "Norm on queries and keys",
    "feed_forward": "Feed-forward",
    "block": "Side by side or in turn",
    "bias": "Biases",
}
"""What can be exchanged, from the norm on, by title."""


def show(setup: Setup, preset: str) -> None:
    """Show all options of one slot beside one another."""
    showing.introduce("architecture", "components")
    slot = choose_named("Component", SLOTS, key="slot", usual="norm", as_buttons=True)
    with st.grid(2, min_column_width=280):
        for name, title in titles(slot).items():
            with st.container(border=True):
                _option(setup.model, slot, name, title)


def titles(slot: str) -> dict[str, str]:
    """The options of a slot by name."""
    if slot in MENU:
        return {name: option.title for name, option in MENU[slot].items()}
    return dict(CHOICES[slot])


def _option(config: ModelConfig, slot: str, name: str, title: str) -> None:
    is_taken = getattr(config, slot) == name
    st.markdown(f"**{content.escaped(title)}**")
    why_not, n_more = _effect(config, slot, name)

    def take() -> None:
        session.set_widgets(**{slot: name})

    st.button(
        f"{name}: chosen" if is_taken else f"Take {name}",
        icon=":material/check:" if is_taken else ":material/swap_horiz:",
        key=f"take_{slot}_{name}",
        disabled=is_taken or bool(why_not),
        on_click=take,
    )
    if not is_taken:
        st.caption(content.escaped(why_not or f"{n_more:+,} parameters in this model"))
    st.markdown(content.card(slot, name))


def _effect(config: ModelConfig, slot: str, name: str) -> tuple[str, int]:
    """Why this model cannot have an option, or else how many more parameters it would have."""
    change: dict[str, Any] = {slot: name}
    try:
        other = replace(config, **change)
    except ConfigError as error:
        return str(error), 0
    return "", count_parameters(other) - count_parameters(config)
