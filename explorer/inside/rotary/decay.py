"""Scores by distance, of random vectors and of a trained head."""

import numpy as np
import streamlit as st

from explorer import showing
from explorer.figures import positions as figures
from explorer.figures.picture import Picture
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from tiny_llama.analyses.rotary_theory import average_scores, frequencies, score_bound
from tiny_llama.config import ModelConfig

N_RANDOM = 500
SEED = 0
MOST_DISTANCE = 512


def show(stage: Stage, inspection: Inspection) -> None:
    """Show how scores depend on the distance alone."""
    config = inspection.run.setup.model
    left, right = st.columns(2)
    with left:
        st.caption("Random vectors")
        showing.draw(random_picture(config), key="random_decay")
    with right:
        turning.needs_turning(inspection)
    with stage.controls:
        layer, head = choose_head(inspection.run)
    with right:
        answer = inspection.analyse("decay", text=inspection.text, layer=layer, head=head)
        st.caption(f"Real vectors: layer {layer}, head {head}")
        picture = figures.real_decay(
            answer["means"], answer["spreads"], answer["happened"], context=answer["context"]
        )
        showing.draw(picture, key="real_decay")
    stage.below.caption(
        f"Random: {N_RANDOM} queries of {config.head_width} numbers from a normal distribution; "
        f"theta {config.rope_theta:,.0f}. Real: {answer['n_tokens']} queries and keys of the head. "
        f"The line lets every query meet every key at every distance; the crosses are the mean "
        f"scores of those that do stand so far apart in your text."
    )
    stage.explain(
        code="tiny_llama.analyses.rotary_theory:_moments",
        tensor=showing.LiveTensor(path="means", axes="d", values=answer["means"][None]),
    )


def random_picture(config: ModelConfig) -> Picture:
    """Compute scores of random queries with keys like them, and with others."""
    turns = frequencies(config.head_width, config.rope_theta)
    distances = np.arange(min(4 * config.context, MOST_DISTANCE))
    draw = np.random.default_rng(SEED)
    q, k = draw.normal(size=(2, N_RANDOM, config.head_width))
    return figures.random_decay(
        average_scores(q, q, distances, turns),
        average_scores(q, k, distances, turns),
        score_bound(distances, turns),
        context=config.context,
    )
