"""Rotate-half and interleaved: two layouts of the same pairs."""

import streamlit as st

from explorer import showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures import rotary as figures
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage


def show(stage: Stage, inspection: Inspection) -> None:
    """Show both layouts on a head of the model, and what mixing them up does."""
    turning.needs_turning(inspection)
    with stage.controls:
        layer, head = choose_head(inspection.run)
    answer = inspection.analyse("conventions", text=inspection.text, layer=layer, head=head)
    showing.in_one_line(
        {
            "Loss, right order": f"{answer['loss']:.3f}",
            "Loss, orders mixed up": f"{answer['mixed_loss']:.3f}",
            "Difference of the turned vectors": f"{answer['difference']:.1e}",
        }
    )
    showing.draw(figures.layouts(answer["order"]), key="layouts")
    with stage.below:
        st.caption(
            f"Losses in nats a token on your text. The turned vectors are all queries and keys of "
            f"the head, after reordering. The largest difference between them is rounding, and so "
            f"is that of the head's scores, {answer['score_difference']:.1e}."
        )
        with st.expander("One query in both layouts", icon=":material/table:", key="layout_table"):
            _one_query(answer)
    stage.explain(
        code="tiny_llama.analyses.conventions:with_rows_interleaved",
        tensor=showing.LiveTensor(path="order", axes="e", values=answer["order"][None]),
    )


def _one_query(answer: Answer) -> None:
    half, order = len(answer["order"]) // 2, answer["order"]
    rows = {
        "place": list(range(2 * half)),
        "rotate-half: pair": [at % half for at in range(2 * half)],
        "before": answer["query"],
        "turned": answer["half"],
        "interleaved: pair": [at // 2 for at in range(2 * half)],
        "before, reordered": answer["query"][order],
        "turned, reordered": answer["interleaved"],
    }
    st.dataframe(rows, hide_index=True)
    st.caption(f"The query of the last token, at position {answer['place']}.")
