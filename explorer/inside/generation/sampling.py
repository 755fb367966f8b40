"""The settings of the draw, as widgets whose keys are the fields of SampleConfig."""

from typing import Any

import streamlit as st

from tiny_llama.sample_config import SampleConfig

SEED = "sample_seed"
"""Not `seed`, which is the training's in every link."""
_USUAL = SampleConfig()
_MOST_K = 50


def settings() -> dict[str, Any]:
    """Let the student choose temperature and filters; all of it is in the link."""
    shared: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
    temperature, top_k, top_p, min_p = st.columns(4)
    return {
        "temperature": temperature.slider(
            "1 Temperature",
            0.0,
            2.0,
            _USUAL.temperature,
            0.05,
            key="temperature",
            help="Divides the logits: below 1 bolder, above 1 wilder; 0: always the likeliest.",
            **shared,
        ),
        "top_k": top_k.slider(
            "2 Top-k (0: all)",
            0,
            _MOST_K,
            _USUAL.top_k,
            key="top_k",
            help="Keeps only the k likeliest tokens.",
            **shared,
        ),
        "top_p": top_p.slider(
            "3 Top-p (1: all)",
            0.0,
            1.0,
            _USUAL.top_p,
            0.01,
            key="top_p",
            help="Keeps the fewest tokens that reach this share together.",
            **shared,
        ),
        "min_p": min_p.slider(
            "4 Min-p (0: all)",
            0.0,
            1.0,
            _USUAL.min_p,
            0.01,
            key="min_p",
            help="Keeps tokens at least this fraction as likely as the likeliest.",
            **shared,
        ),
    }


def seed(label: str = "Seed of the draws") -> int:
    """Let the student choose the seed."""
    chosen = st.number_input(
        label,
        0,
        2**32 - 1,
        _USUAL.seed,
        key=SEED,
        bind="query-params",
        persist_state="session",
        help="The same seed draws the same tokens again.",
    )
    return int(chosen)
