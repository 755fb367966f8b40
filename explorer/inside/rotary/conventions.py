"""Rotate-half and interleaved: two layouts of the same pairs."""

import streamlit as st

from explorer import showing
from explorer.figures import rotary as figures
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage


def show(stage: Stage, inspection: Inspection) -> None:
    """Show both layouts on a head of the model, and what mixing them up does."""
    turning.needs_turning(inspection)
    layer, head = choose_head(inspection.run.setup.model)
    answer = inspection.analyse("conventions", text=inspection.text, layer=layer, head=head)
    st.caption("Where each coordinate of a query stands in both layouts")
    showing.draw(figures.layouts(answer["order"]), key="layouts")
    columns = st.columns(3)
    columns[0].metric(
        "Difference of the turned vectors",
        f"{answer['difference']:.1e}",
        border=True,
        help="The largest one, over all queries and keys of the head, after reordering.",
    )
    columns[1].metric("Loss, right order", f"{answer['loss']:.3f}", border=True)
    columns[2].metric(
        "Loss, orders mixed up",
        f"{answer['mixed_loss']:.3f}",
        f"{answer['mixed_loss'] - answer['loss']:+.3f}",
        delta_color="inverse",
        border=True,
    )
    st.caption(
        f"The scores of the head differ by at most {answer['score_difference']:.1e} between the "
        f"conventions: rounding. Losses in nats a token on your text."
    )
    with st.expander("One query in both layouts", icon=":material/table:", key="layout_table"):
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
    stage.explain(
        code="tiny_llama.analyses.conventions:with_rows_interleaved",
        tensor=showing.LiveTensor(path="order", axes="e", values=order[None]),
    )
