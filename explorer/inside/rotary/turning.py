"""What the views of the Rotary embeddings page share: a head whose queries and keys turn."""

import streamlit as st

from explorer import session
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.pretrained import DEFAULT
from explorer.inspection import Inspection, choose_head
from tiny_llama.menu import POSITION


def turns(inspection: Inspection) -> bool:
    """Whether the model has queries and keys, and turns them."""
    model = inspection.run.setup.model
    return POSITION[model.position].turns and model.has_attention and model.n_layers > 0


def needs_turning(inspection: Inspection) -> None:
    """End the page, with a way on, where nothing turns in the model."""
    model = inspection.run.setup.model
    if POSITION[model.position].turns:
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


def choose_turned_head(inspection: Inspection) -> tuple[int, int, Answer]:
    """Let the student choose a head, and get its queries and keys before and after turning."""
    layer, head = choose_head(inspection.run.setup.model)
    return (
        layer,
        head,
        inspection.analyse("turned_head", text=inspection.text, layer=layer, head=head),
    )
