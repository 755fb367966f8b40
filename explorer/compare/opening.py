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
"""Where a look at both is worth it; each of these views takes two models side by side."""


def offer_sides(results: Results, sides: Sequence[str]) -> None:
    """Offer to open each side: on the Train page, and looked into as a model of its kind."""
    with st.popover("Open both", icon=":material/open_in_new:", width="stretch"):
        offer_both(list(filter(None, (shipped_of(results, side) for side in sides))))
        for side in sides:
            setup = side_setup(results, side)
            title = side_title(side)
            st.markdown(f"**{title}**")
            offer_training(setup, f"Train {title} as here")
            if shipped := shipped_of(results, side):
                offer_looks(shipped, shipped)
        st.caption(
            "Recorded runs come without their weights; the models that come with the app are of "
            "the same two kinds and were trained on the same text."
        )


def offer_both(runs: Sequence[str]) -> None:
    """Offer to look into two models side by side, where there are two that differ."""
    if len(set(runs)) < 2:
        return
    st.markdown("**Both, side by side**")
    for page, (label, words) in LOOKS.items():
        link.offer(page, f"{label} of both", run=runs[0], beside=runs[1], **words)


def offer_looks(run: str, title: str) -> None:
    """Offer to look into one model, with no other beside it.

    Args:
        run: its name in the link.
        title: what it is called, in Markdown.
    """
    for page, (label, words) in LOOKS.items():
        link.offer(page, f"{label} of {title}", run=run, beside="", **words)


def shipped_of(results: Results, side: str) -> str | None:
    """Name the trained model that comes with the app and is of the kind of this side, if any."""
    return SHIPPED.get(nearest_preset(side_setup(results, side).model))


def side_setup(results: Results, side: str) -> Setup:
    """Give the setup of a side at the learning rate that its runs have."""
    rate = results.side(side).learning_rate
    return results.plan.sides[side].setup.with_settings({"learning_rate": rate})


def offer_training(setup: Setup, label: str) -> None:
    """Offer to open the Train page with a setup."""
    preset, words = from_preset(setup)
    link.offer("train", label, icon=":material/play_circle:", preset=preset, **words)
