"""One head in stages: from products to shares."""

import streamlit as st

from explorer import showing
from explorer.figures import attention as figures
from explorer.figures.labels import visible_all
from explorer.inside.attention import worked_formulas
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from explorer.widgets import choose_place


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the numbers of one token that reads, from products to shares of 1."""
    tokens = inspection.reading["tokens"]
    with stage.controls:
        layer, head = choose_head(inspection.run)
        reader = choose_place("reader", "The token that reads", tokens)
    answer = inspection.analyse(
        "stages", text=inspection.text, layer=layer, head=head, reader=reader
    )
    strongest = int(answer["pattern"].argmax())
    with stage.controls:
        source = choose_place(
            "source",
            "The token that is read from",
            tokens,
            usual=strongest,
            because=(inspection.run.id, layer, head, reader, inspection.text),
        )
    shown = {
        "q · k": answer["products"],
        f"divided by √{answer['d_head']}": answer["scaled"],
        **({"soft cap": answer["capped"]} if answer["softcap"] else {}),
        **({"plus position": answer["biased"]} if answer["has_bias"] else {}),
        "masked: the future is gone": answer["masked"],
        "softmax: shares of 1": answer["pattern"],
    }
    tokens = answer["tokens"]
    showing.draw(figures.stage_bars(tokens, shown, reader=reader, source=source), key="stage_bars")
    with stage.below:
        st.markdown(worked_formulas.stages(answer, source, inspection.run.setup.model.position))
    with (
        stage.below,
        st.expander("All numbers as a table", icon=":material/table:", key="stage_table"),
    ):
        names = {"Token": [f"{at} {name}" for at, name in enumerate(visible_all(tokens))]}
        before = {"q · k before turning": answer["unrotated"]}
        st.dataframe(names | before | shown, hide_index=True)
    path = f"blocks.{layer}.attention.scores"
    stage.explain(
        code="tiny_llama.parts.attentions.attention:Attention._pattern",
        tensor=showing.LiveTensor(path=f"{path}, this reader", axes="s", values=answer["scaled"]),
    )
