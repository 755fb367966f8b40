"""The residual stream: how long its vectors are, and what each part adds."""

import numpy as np
import streamlit as st

from explorer import showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.norms import MOST_BESIDE
from explorer.figures.stream import parts_added, stream_map
from explorer.inside.norm_and_swiglu.norms import BROKEN
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_stretch


def show(stage: Stage, inspection: Inspection) -> None:
    """Show how long the residual vectors are, layer by layer, and what each part adds."""
    answer = inspection.analyse("stream", text=inspection.text)
    if not np.isfinite(answer["lengths"]).all():
        showing.stop(BROKEN)
    tokens, places = answer["tokens"], answer["places"]
    with stage.controls:
        stretch = choose_stretch(len(tokens), MOST_BESIDE, key="stream_from")
    part = slice(stretch.start, stretch.stop)
    left, right = st.columns([3, 2])
    with left:
        st.caption("Length of each token's vector, at each place")
        showing.draw(
            stream_map(tokens[part], places, answer["lengths"][:, part], first=stretch.start),
            key="stream_map",
        )
    with right:
        st.caption("What each part adds, average of the text")
        shares = np.nan_to_num(answer["shares"], posinf=0.0)
        showing.draw(
            parts_added(places, answer["lengths"].mean(1), answer["added"].mean(1), shares.mean(1)),
            key="parts_added",
        )
    with stage.below:
        if len(places) > 1:
            st.markdown(stream_table(answer))
        if inspection.run.setup.model.norm_placement == "post":
            st.caption(
                "This model norms the sum after each part, so its stream is as long after every "
                "one, up to the learned gain; what a part adds is measured before that norm."
            )
    stage.explain(
        code="tiny_llama.model:Block.forward",
        tensor=showing.LiveTensor(path=_last_path(inspection), axes="t d", values=answer["last"]),
    )


def stream_table(answer: Answer) -> str:
    """Say what each part adds, in Markdown."""
    rows = [
        "| Part | Stream before | Adds | Share of it | Cosine with it | Stream after |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lengths, places = answer["lengths"].mean(1), answer["places"]
    for i, place in enumerate(places[1:]):
        share = np.nan_to_num(answer["shares"][i], posinf=0.0).mean()
        rows.append(
            f"| {place} | {lengths[i]:.2f} | {answer['added'][i].mean():.2f} | {share:.0%} "
            f"| {answer['cosines'][i].mean():+.2f} | {lengths[i + 1]:.2f} |"
        )
    return "\n".join(rows)


def _last_path(inspection: Inspection) -> str:
    n_layers = inspection.run.setup.model.n_layers
    return f"blocks.{n_layers - 1}.residual" if n_layers else "embedded"
