"""Scores by distance, of random vectors and of a trained head."""

import numpy as np
import streamlit as st

from explorer import showing
from explorer.figures import positions as figures
from explorer.figures.picture import Picture
from explorer.inside import rotary_head
from explorer.inside.looking import Looked
from tiny_llama.config import ModelConfig
from tiny_llama.views.rotary_theory import average_scores, frequencies, score_bound

N_RANDOM = 500
SEED = 0
MOST_DISTANCE = 512


def show(looked: Looked) -> None:
    """Show how scores depend on the distance alone."""
    showing.introduce("rotary", "decay")
    config = looked.run.setup.model
    st.caption(
        f"Random vectors: {N_RANDOM} queries of {config.head_width} numbers from a normal "
        f"distribution; theta {config.rope_theta:,.0f}"
    )
    showing.draw(random_picture(config), key="random_decay")
    rotary_head.needs_turning(looked, "decay")
    layer, head = showing.choose_head(config)
    answer = looked.ask("decay", text=looked.text, layer=layer, head=head)
    st.caption(
        f"Real vectors: {answer['n_tokens']} queries and keys of layer {layer}, head {head}. "
        f"The line lets every query meet every key at every distance; the crosses are the mean "
        f"scores of those that do stand so far apart in your text."
    )
    picture = figures.real_decay(
        answer["means"], answer["spreads"], answer["happened"], context=answer["context"]
    )
    showing.draw(picture, key="real_decay")
    showing.explain(
        "rotary",
        "decay",
        code="tiny_llama.views.rotary_theory:_moments",
        tensor=showing.LiveTensor(path="means", axes="d", values=answer["means"][None]),
    )


def random_picture(config: ModelConfig) -> Picture:
    """Scores of random queries with keys like them, and with others."""
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
