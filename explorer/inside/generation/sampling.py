"""The settings of the draw, as widgets whose keys are the fields of SampleConfig."""

from typing import Any

import streamlit as st

from explorer import link
from tiny_llama.sample_config import SampleConfig

SEED = "sample_seed"
"""Not `seed`, which is the training's in every link."""
_USUAL = SampleConfig()
_MOST_K = 50
_SEEDS = 2**32


def settings() -> dict[str, Any]:
    """Let the student choose temperature and filters; all of it is in the link."""
    (temperature, top_k), (top_p, min_p) = st.columns(2), st.columns(2)
    return {
        "temperature": link.widget(
            temperature.slider,
            "temperature",
            "1 Temperature",
            usual=_USUAL.temperature,
            min_value=0.0,
            max_value=2.0,
            step=0.05,
            help="Divides the logits: below 1 more cautious, above 1 more daring; 0: always the "
            "likeliest token.",
        ),
        "top_k": link.widget(
            top_k.slider,
            "top_k",
            "2 Top-k (0: all)",
            usual=_USUAL.top_k,
            min_value=0,
            max_value=_MOST_K,
            help="Keeps only the k likeliest tokens.",
        ),
        "top_p": link.widget(
            top_p.slider,
            "top_p",
            "3 Top-p (1: all)",
            usual=_USUAL.top_p,
            min_value=0.0,
            max_value=1.0,
            step=0.01,
            help="Keeps the likeliest tokens, as few as reach this share together.",
        ),
        "min_p": link.widget(
            min_p.slider,
            "min_p",
            "4 Min-p (0: all)",
            usual=_USUAL.min_p,
            min_value=0.0,
            max_value=1.0,
            step=0.01,
            help="Keeps tokens at least this fraction as likely as the likeliest.",
        ),
    }


def seed(label: str = "Seed of the draws") -> int:
    """Let the student choose the seed, in a popover."""
    return int(
        link.widget(
            st.number_input,
            SEED,
            label,
            usual=_USUAL.seed,
            folded=True,
            min_value=0,
            max_value=_SEEDS - 1,
            help="The same seed draws the same tokens again.",
        )
    )


def following(seed: int, by: int = 1) -> int:
    """Give the seed some places after another; after the last comes the first again."""
    return (seed + by) % _SEEDS
