"""Ways from an experiment to the pages that train and look inside."""

from collections.abc import Sequence

import streamlit as st

from explorer import link
from explorer.compare.naming import side_title
from tiny_llama.comparing.results import Results
from tiny_llama.setup import Setup, from_preset, nearest_preset

SHIPPED = {"tiny-llama": "tales-llama", "tiny-gpt3": "tales-gpt3"}
"""Trained models that come with the app, by the preset that they are of."""
LOOKS = {
    "attention": ("Attention", {"view": "heads"}),
    "rotary": ("Beyond the context", {"view": "longer"}),
    "generation": ("Next token", {"view": "next"}),
}
"""Where a look at both is worth it."""


def offer_sides(results: Results, sides: Sequence[str]) -> None:
    """Offer to open each side: on the Train page, and looked into as a model of its kind."""
    with st.popover("Open both", icon=":material/open_in_new:", width="stretch"):
        for side in sides:
            setup = side_setup(results, side)
            title = side_title(side)
            st.markdown(f"**{title}**")
            offer_training(setup, f"Train {title} as here")
            if shipped := SHIPPED.get(nearest_preset(setup.model)):
                for page, (label, words) in LOOKS.items():
                    link.offer(page, f"{label} of {shipped}", run=shipped, **words)
        st.caption(
            "Recorded runs come without their weights; the models that come with the app are of "
            "the same two kinds and were trained on the same text."
        )


def side_setup(results: Results, side: str) -> Setup:
    """Give the setup of a side at the learning rate that its runs have."""
    rate = results.side(side).learning_rate
    return results.plan.sides[side].setup.with_settings({"learning_rate": rate})


def offer_training(setup: Setup, label: str) -> None:
    """Offer to open the Train page with a setup."""
    preset, words = from_preset(setup)
    link.offer("train", label, icon=":material/play_circle:", preset=preset, **words)
