"""All heads of a model at a glance, each a small map."""

import streamlit as st

from explorer import link, session
from explorer.beside import side_by_side
from explorer.components import head_grid
from explorer.engine.server.answer_cache import Answer
from explorer.inside.attention.shared import explain, offer_page
from explorer.inspection import Inspection
from explorer.stage import Stage


def show(stage: Stage, inspection: Inspection) -> None:
    """Show all heads side by side; a press on one opens it."""
    answer = side_by_side(inspection, _ask, _draw)[0]
    maps, roles = answer["maps"], answer["roles"]
    offer_page(
        stage,
        lambda: head_grid.page(maps, roles, f"All heads of {session.run_name(inspection.run)}"),
    )
    explain(stage, inspection, 0, 0)


def _ask(model: Inspection) -> Answer:
    return model.analyse("heads", text=model.text)


def _draw(model: Inspection, answer: Answer, _: object) -> None:
    head_grid.head_grid(
        answer["maps"],
        answer["roles"],
        key=model.key("heads"),
        open_head=_open,
        is_half=model.is_half,
    )
    if answer["cell"] > 1:
        st.caption(
            f"The text has {len(answer['tokens'])} tokens: each cell stands for {answer['cell']} "
            f"of them each way, and shows the most that one of them reads."
        )


def _open(layer: int, head: int) -> None:
    link.put(layer=layer, head=head, view="head")
