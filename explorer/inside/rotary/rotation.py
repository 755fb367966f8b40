"""Pairs of a query as hands of clocks, and the wavelengths of all pairs."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, link, showing
from explorer.figures import rotary as figures
from explorer.figures.labels import visible
from explorer.inside.rotary import turning
from explorer.inspection import Inspection, choose_head
from explorer.stage import Stage
from explorer.widgets import choose_number, choose_one, choose_place
from tiny_llama.analyses.rotary_theory import frequencies, turned, wavelengths
from tiny_llama.presets import PRESETS

THIS = "this model"

REAL = ("llama-1-7b", "llama-3-8b")
THETAS = (100, 1_000, 10_000, 100_000, 500_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is turned."""

    values: np.ndarray
    path: str
    """Where it is from."""
    words: str
    theta: float
    """Of its layer."""
    place: int = 16
    """Where it stands in its text."""
    chosen: object = None
    """What it was chosen by."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Turn a query of the model, or hands of equal length where nothing turns in it."""
    config = inspection.run.setup.model
    with stage.controls:
        turning_by, base = st.container(), st.container()
        is_turning = turning.turns(inspection)
        whose = st.popover("Whose query", width="stretch") if is_turning else st.container()
    query = _query(inspection, whose)
    with turning_by:
        place = choose_number(
            "turned_to",
            "Turned to position",
            config.context - 1,
            query.place,
            because=query.chosen,
        )
    with stage.controls:
        of = choose_one("Wavelengths of", [THIS, *REAL], key="spectrum")
    with base:
        theta = _choose_theta(inspection, query, of)
    turns = frequencies(config.head_width, theta)
    after = turned(query.values[None], np.array([place]), turns)[0]
    left, right = st.columns(2)
    with left:
        tried = f", with theta {theta:,.0f} tried out" * (theta != query.theta)
        st.caption(f"{query.words}, turned to position {place}{tried}")
        showing.draw(figures.clocks(query.values, after, turns, position=place), key="clocks")
    with right:
        seen = config if of == THIS else PRESETS[of].config
        title = f"a head of {of}"
        lengths = wavelengths(frequencies(seen.head_width, theta))
        st.caption(
            f"Wavelengths in {title}, theta {theta:,.0f}: {(lengths <= seen.context).sum()} of "
            f"{len(lengths)} pairs come round within {seen.context:,} positions"
        )
        showing.draw(
            figures.spectrum(lengths, context=seen.context, title=title), key="wavelengths"
        )
    stage.explain(
        code="tiny_llama.parts.positions.rope:_turn",
        tensor=showing.LiveTensor(path=query.path, axes="e", values=query.values[None]),
    )


def _query(inspection: Inspection, chosen_in: DeltaGenerator) -> Query:
    """Give a query of the head that the student chooses, or one that stands for any.

    Args:
        inspection: model and text.
        chosen_in: where head and token are chosen.
    """
    config = inspection.run.setup.model
    if not turning.turns(inspection):
        half = config.head_width // 2
        return Query(
            values=np.concatenate([np.ones(half), np.zeros(half)]),
            path="hands of equal length",
            words="Nothing turns in this model; hands of equal length stand for its pairs",
            theta=config.rope_theta,
        )
    with chosen_in:
        layer, head = choose_head(inspection.run, folded=True)
    answer = inspection.analyse("turned_head", text=inspection.text, layer=layer, head=head)
    tokens = answer["tokens"]
    with chosen_in:
        place = choose_place("reader", "Query of", tokens, folded=True)
    token = content.escaped(visible(tokens[place]))
    return Query(
        values=answer["query"][place],
        path=f"blocks.{layer}.attention.query, head {head}, token {place}",
        words=f"The query of token {place} “{token}” in layer {layer}, head {head}",
        theta=config.theta_of(layer) or config.rope_theta,
        place=place,
        chosen=(inspection.run.id, layer, head, place, inspection.text),
    )


def _choose_theta(inspection: Inspection, query: Query, of: str) -> float:
    """Let the student choose the base of all turns, usually the shown wavelengths' own."""
    own = float(query.theta if of == THIS else PRESETS[of].config.rope_theta)
    return float(
        link.widget(
            st.select_slider,
            "theta",
            f"theta (here {own:,.0f})",
            usual=own,
            options=sorted({*map(float, THETAS), own}),
            because=(inspection.run.id, of, own),
            format_func=lambda each: f"{each:.12g}",
        )
    )
