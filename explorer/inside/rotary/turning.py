"""What the views of the Rotary embeddings page share: a model in which queries and keys turn."""

import streamlit as st

from explorer import session
from explorer.engine.server.pretrained import DEFAULT
from explorer.inspection import Inspection, needs_heads
from tiny_llama.menu import POSITION


def turns(inspection: Inspection) -> bool:
    """Tell whether the model has queries and keys, and turns them."""
    model = inspection.run.setup.model
    return POSITION[model.position].turns and model.has_attention and model.n_layers > 0


def needs_turning(inspection: Inspection) -> None:
    """End the page, with a way on, where nothing turns in the model."""
    model = inspection.run.setup.model
    if POSITION[model.position].turns:
        needs_heads(model)
        return
    st.info(
        f"Nothing turns in this model, which has position='{model.position}'; look at one with "
        f"rotary embeddings, such as {DEFAULT}.",
        icon=":material/info:",
    )
    if st.button(f"Look at {DEFAULT}", icon=":material/arrow_forward:"):
        session.look_at(DEFAULT)
        st.rerun()
    st.stop()
