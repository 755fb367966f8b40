"""Norm before or after each part: the gradients of the first step."""

import streamlit as st

from explorer import link, showing
from explorer.figures.stream import gradients_by_layer, last_gradients
from explorer.inspection import Inspection
from explorer.stage import Stage
from tiny_llama.config import ModelConfig

STDS = (0.02, 0.04, 0.08, 0.12)
"""Of starting weights: GPT-2's, two of narrow models, and about Xavier's for 64 to 64."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the first gradient of every layer, of fresh models of several depths."""
    config = inspection.run.setup.model
    if len(inspection.reading["tokens"]) < 2:
        showing.stop("The text has one token; a loss needs at least two: write a longer one.")
    with stage.controls:
        std, scaled = _choose_start(config)
    answer = inspection.analyse("placement", text=inspection.text, std=std, scaled=scaled)
    depths = answer["depths"]
    with stage.controls:
        depth = link.widget(
            st.segmented_control,
            "depth",
            "Number of layers",
            usual=int(depths[-1]),
            options=depths.tolist(),
            required=True,
        )
    row = depths.tolist().index(depth)
    left, right = st.columns(2)
    with left:
        st.caption(f"Every layer of a fresh model of {depth}")
        showing.draw(gradients_by_layer(answer["gradients"][:, row], int(depth)), key="gradients")
    with right:
        st.caption("The last layer, in models of other depths")
        last = answer["gradients"][:, range(len(depths)), depths - 1]
        showing.draw(last_gradients(depths, last), key="last_gradients")
    narrowed = "" if answer["d_model"] == config.d_model else ", narrower to save time"
    stage.below.caption(
        f"Eight fresh models with this model's setup, {answer['d_model']} wide{narrowed}, the same "
        f"seed, and one text of {answer['n_tokens']} tokens; losses from "
        f"{answer['losses'].min():.2f} to {answer['losses'].max():.2f} nats. The length of the "
        f"gradient is taken over all weights of a layer."
    )
    stage.explain(
        code="tiny_llama.analyses.placement:first_gradients",
        tensor=showing.LiveTensor(
            path=f"gradients of {depth} layers, pre-norm first",
            axes="2 l",
            values=answer["gradients"][:, row, : int(depth)],
        ),
    )


def _choose_start(config: ModelConfig) -> tuple[float, bool]:
    """Let the student choose how large weights start, and if smaller the deeper the model is."""
    std = link.widget(
        st.select_slider,
        "start_std",
        "Standard deviation of the starting weights",
        usual=config.init_std,
        options=sorted({*STDS, config.init_std}),
    )
    scaled = link.widget(
        st.toggle,
        "start_scaled",
        "Start smaller the deeper the model is (GPT-2)",
        help="What writes into the residual stream starts smaller by 1/√(2 n_layers).",
    )
    return float(std), bool(scaled)
