"""What the views of the Rotary embeddings page share: a head whose queries and keys turn."""

import streamlit as st

from explorer import session, showing
from explorer.engine.answers import Answer
from explorer.engine.shipped import DEFAULT
from explorer.inspection import Inspection
from tiny_llama.menu import POSITION


def turns(inspection: Inspection) -> bool:
    """Whether the model has queries and keys, and turns them."""
    model = inspection.run.setup.model
    return POSITION[model.position].turns and model.has_attention and model.n_layers > 0


def needs_turning(inspection: Inspection, view: str) -> None:
    """End the page, with a way on, where nothing turns in the model."""
    model = inspection.run.setup.model
    if POSITION[model.position].turns:
        return
    st.info(
        f"Nothing turns in this model, which has position='{model.position}'; look at one with "
        f"rotary embeddings, such as {DEFAULT}.",
        icon=":material/info:",
    )
    st.page_link(
        "../pages/rotary.py",
        label=f"Look at {DEFAULT}",
        icon=":material/arrow_forward:",
        query_params={"view": view, "run": DEFAULT},
    )
    st.stop()


def choose_turned_head(inspection: Inspection) -> tuple[int, int, Answer]:
    """Let the student choose a head, and get its queries and keys before and after turning."""
    layer, head = showing.choose_head(inspection.run.setup.model)
    return (
        layer,
        head,
        inspection.analyse("turned_head", text=inspection.text, layer=layer, head=head),
    )


def choose_number(key: str, label: str, most: int, usual: int) -> int:
    """Let the student choose a whole number from 0 on; one that does not exist here falls back."""
    if most < 1:
        return 0
    usual = min(usual, most)
    session.keep_between(key, 0, most, otherwise=usual)
    return int(st.slider(label, 0, most, usual, key=key, bind="query-params"))
