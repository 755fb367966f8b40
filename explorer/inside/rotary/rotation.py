"""Pairs of a query as hands of clocks, and the wavelengths of all pairs."""

import numpy as np
import streamlit as st

from explorer import content, session, showing
from explorer.figures import rotary as figures
from explorer.figures.labels import visible
from explorer.inside.rotary import turning
from explorer.inspection import Inspection
from tiny_llama.analyses.rotary_theory import frequencies, turned, wavelengths
from tiny_llama.config import ModelConfig
from tiny_llama.presets import PRESETS

THIS = "this model"
REAL = ("llama-1-7b", "llama-3-8b")
THETAS = (100, 1_000, 10_000, 100_000, 500_000, 1_000_000, 10_000_000)


def show(inspection: Inspection) -> None:
    """Turn a query of the model, or hands of equal length where nothing turns in it."""
    showing.introduce("rotary", "rotation")
    config = inspection.run.setup.model
    query, path, whose, own = _query(inspection)
    of, theta, place = _choose(inspection, config, own)
    turns = frequencies(config.head_width, theta)
    after = turned(query[None], np.array([place]), turns)[0]
    left, right = st.columns(2)
    with left:
        tried = f", with theta {theta:,.0f} tried out" * (theta != own)
        st.caption(f"{whose}, turned to position {place}{tried}")
        showing.draw(figures.clocks(query, after, turns, position=place), key="clocks")
    with right:
        seen = config if of == THIS else PRESETS[of].config
        title = f"a head of {of}"
        lengths = wavelengths(frequencies(seen.head_width, theta))
        st.caption(
            f"Wavelengths in {title}, {seen.head_width} wide, with theta {theta:,.0f}: "
            f"{(lengths <= seen.context).sum()} of {len(lengths)} pairs come round within the "
            f"context of {seen.context:,}"
        )
        showing.draw(
            figures.spectrum(lengths, context=seen.context, title=title), key="wavelengths"
        )
    showing.explain(
        "rotary",
        "rotation",
        code="tiny_llama.parts.positions.rope:_turn",
        tensor=showing.LiveTensor(path=path, axes="e", values=query[None]),
    )


def _query(inspection: Inspection) -> tuple[np.ndarray, str, str, float]:
    """A query to turn, where it is from, what it is called, and the theta of its layer."""
    config = inspection.run.setup.model
    if not turning.turns(inspection):
        half = config.head_width // 2
        st.caption(
            "Nothing turns in this model, so hands of equal length stand for the pairs of a query."
        )
        query = np.concatenate([np.ones(half), np.zeros(half)])
        return query, "hands of equal length", "Hands of equal length", config.rope_theta
    layer, head, answer = turning.choose_turned_head(inspection)
    tokens = answer["tokens"]
    place = showing.choose_place("reader", "The token whose query is turned", tokens)
    token = content.escaped(visible(tokens[place]))
    session.suggest(
        "turned_to", place, because=(inspection.run.id, layer, head, place, inspection.text)
    )
    return (
        answer["query"][place],
        f"blocks.{layer}.attention.query, head {head}, token {place}",
        f"The query of token {place} “{token}” in layer {layer}, head {head}",
        config.theta_of(layer) or config.rope_theta,
    )


def _choose(inspection: Inspection, config: ModelConfig, theta: float) -> tuple[str, float, int]:
    """Whose wavelengths are shown, with which theta, and the position to turn to."""
    place = turning.choose_number("turned_to", "Turned to position", config.context - 1, 16)
    left, right = st.columns(2)
    with left:
        of = st.segmented_control(
            "Wavelengths of",
            [THIS, *REAL],
            default=THIS,
            required=True,
            key="spectrum",
            bind="query-params",
        )
    own = float(theta if of == THIS else PRESETS[str(of)].config.rope_theta)
    words = [f"{each:.12g}" for each in sorted({*map(float, THETAS), own})]
    usual = f"{own:.12g}"
    session.suggest("theta", usual, because=(inspection.run.id, of, own))
    if st.session_state.get("theta", usual) not in words:
        session.set_widgets(theta=usual)
    with right:
        chosen = st.select_slider(
            f"theta (here {own:,.0f})", words, usual, key="theta", bind="query-params"
        )
    return str(of), float(chosen), place
