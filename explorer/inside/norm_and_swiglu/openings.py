"""Gate against up, and how many hidden values are near zero beside another model."""

from contextlib import suppress

import numpy as np
import streamlit as st

from explorer import link, session, showing
from explorer.engine.run import Run
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.pretrained import PRETRAINED, pretrained_run
from explorer.figures.feed_forward import gate_density, near_zero
from explorer.inside.norm_and_swiglu.hidden_layer import config_with_hidden_layer, forward_code
from explorer.inspection import Inspection, analyse, choose_other, usual_place
from explorer.stage import Stage
from explorer.widgets import choose_layer
from tiny_llama.analyses.places import THRESHOLDS
from tiny_llama.config import ModelConfig
from tiny_llama.menu import FEED_FORWARD


def show(stage: Stage, inspection: Inspection) -> None:
    """Show gate against up, and how many hidden values are near zero beside another model."""
    config = config_with_hidden_layer(inspection)
    with stage.controls:
        threshold = link.widget(
            st.select_slider,
            "threshold",
            "Near zero: below this share of the layer's rms",
            options=[0.01, 0.03, 0.1, 0.3, 1.0],
        )
        usual = _other(inspection)
        chosen = choose_other(inspection.run, nobody=f"{usual}, of the other kind")
        layer = choose_layer(config.n_layers, usual_place(inspection.run)[0])
    answer = inspection.analyse("openings", text=inspection.text, layer=layer)
    run = chosen or pretrained_run(usual)
    left, right = st.columns(2)
    with left:
        _density(answer, config, layer)
    with right, suppress(showing.NothingToSeeError):
        compared = analyse("openings", run=run, text=inspection.text, layer=0)
        st.caption("How many hidden values are near zero")
        shares = {
            _titled(inspection.run): answer["near_zero"].mean(0),
            _titled(run): compared["near_zero"].mean(0),
        }
        showing.draw(near_zero(THRESHOLDS, shares, threshold), key="near_zero")
    with stage.below:
        st.caption(
            f"The map has {answer['n_values']:,} values, every unit on every token, without the "
            f"furthest 1% on either axis."
        )
        st.markdown(openings_table(answer, threshold))
    stage.explain(
        code=forward_code(config),
        tensor=showing.LiveTensor(
            path="share of hidden values below each threshold",
            axes="l n",
            values=answer["near_zero"],
        ),
    )


def _other(inspection: Inspection) -> str:
    """Name a pretrained model of the other kind: without a gate, or with one."""
    usual = "tales-llama" if not inspection.run.setup.model.has_gate else "tales-gpt3"
    return (
        usual
        if usual in PRETRAINED
        else next(name for name in PRETRAINED if name != inspection.run.id)
    )


def _titled(run: Run) -> str:
    name = FEED_FORWARD[run.setup.model.feed_forward].title
    return f"{session.run_name(run)} ({name})"


def _density(answer: Answer, config: ModelConfig, layer: int) -> None:
    names = ("gate", "up") if config.has_gate else ("up, before the activation", "hidden")
    correlation = float(answer["correlation"][0])
    said = f": correlation {correlation:+.2f}" if np.isfinite(correlation) else ""
    st.caption(f"{names[0].capitalize()} and {names[1]}, layer {layer}{said}")
    showing.draw(
        gate_density(
            answer["counts"], answer["gate_edges"], answer["up_edges"], x=names[0], y=names[1]
        ),
        key="gate_density",
    )


def openings_table(answer: Answer, threshold: float) -> str:
    """Say what share of each layer's values is near zero, in Markdown."""
    at = int(np.abs(THRESHOLDS - threshold).argmin())
    rows = [
        f"| Layer | hidden below {threshold:g} of its rms | exactly 0 | activation reads below 0 |",
        "| ---: | ---: | ---: | ---: |",
    ]
    columns = (answer["near_zero"][:, at], answer["exact"], answer["negative"])
    for layer, shares in enumerate(zip(*columns, strict=True)):
        rows.append(f"| {layer} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    return "\n".join(rows)
