"""Heads switched off: what the model loses without them."""

import streamlit as st

from explorer import link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures import attention as figures
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_one

N_WRITTEN = 60
"""Tokens to write on with some heads off: enough to see a difference, a third of a second."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the loss, what comes next and what is written without some heads."""
    model = inspection.run.setup.model
    names = {
        f"{layer}.{head}": [layer, head]
        for layer in range(model.n_layers)
        for head in range(model.n_heads)
    }
    with stage.controls:
        off = link.widget(
            st.pills,
            "off",
            "Heads to switch off (layer.head)",
            options=list(names),
            selection_mode="multi",
        )
        by = choose_one("Put in a head's place", ["zero", "mean"], key="by")
    heads = sorted(names[name] for name in off)
    answer = inspection.analyse("ablate", text=inspection.text, heads=heads, by=by)
    with stage.controls:
        _losses(answer, bool(heads))
    left, right = st.columns(2)
    with left:
        st.caption("What comes next")
        showing.draw(
            figures.next_tokens(answer["vocabulary"], answer["probabilities"]), key="next_tokens"
        )
    with right:
        found = inspection.analyse("importance", text=inspection.text, by=by)
        st.caption("Growth of the loss, in nats, when one head alone is switched off")
        showing.draw(figures.importance_map(found["growth"]), key="importance")
    with stage.below:
        if heads:
            st.caption("Where in the text it gets worse")
            tokens, losses = inspection.reading["tokens"], answer["losses"]
            showing.draw(figures.loss_change(tokens, losses, answer["counts"]), key="change")
        _written(inspection, heads, by)
    path = f"blocks.{heads[0][0] if heads else 0}.attention.heads"
    trace = inspection.analyse("trace", text=inspection.text, patterns=[path])
    stage.explain(
        code="tiny_llama.analyses.ablation:_replacing",
        tensor=showing.LiveTensor(path=path, axes="h t e", values=trace[path]),
    )


def _losses(answer: Answer, any_off: bool) -> None:
    """Say what the heads switched off cost."""
    losses, counts = answer["losses"], answer["counts"]
    if not counts.any():
        st.caption("No token of this text counts: it holds no answer of the task.")
        return
    before, after = losses[:, counts].mean(1)
    with st.container(horizontal=True):
        st.metric("Loss with all heads", f"{before:.3f}", width="content")
        if any_off:
            st.metric(
                "Loss without those switched off",
                f"{after:.3f}",
                f"{after - before:+.3f}",
                delta_color="inverse",
                width="content",
            )


def _written(inspection: Inspection, heads: list[list[int]], by: str) -> None:
    st.caption(f"The likeliest {N_WRITTEN} tokens after the text")
    ways: dict[str, list[list[int]]] = {"With all heads": [], "Without those switched off": heads}
    if not heads:
        del ways["Without those switched off"]
    for column, (title, gone) in zip(st.columns(2), ways.items(), strict=False):
        with column:
            st.markdown(f"**{title}**")
            found = inspection.analyse(
                "write_without", text=inspection.text, heads=gone, by=by, n_tokens=N_WRITTEN
            )
            st.code(found["text"], language=None, wrap_lines=True)
