"""Where to begin: one press trains a tiny LLaMA, another starts the tour."""

import streamlit as st

from explorer import link, run_actions, tour
from explorer.run_actions import Wanted
from tiny_llama.errors import UserError
from tiny_llama.setup import Setup


def show() -> None:
    """Offer the two, the first in the app's own colour."""
    trains = st.button(
        "**Train a tiny one now**",
        icon=":material/play_circle:",
        key="train_now",
        type="primary",
        width="stretch",
    )
    tour.offer()
    if trains:
        _train()


def _train() -> None:
    """Start the run that the Train page starts when nothing is changed, and go there."""
    try:
        run_actions.start(Wanted(setup=Setup(), text=None))
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        link.go("train")
