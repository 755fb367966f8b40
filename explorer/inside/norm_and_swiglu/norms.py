"""RMSNorm beside LayerNorm: what both make of the same vectors."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from explorer.figures.norms import (
    MOST_BESIDE,
    NORMS,
    invariance,
    norm_statistics,
    two_results,
)
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_named, choose_place, choose_stretch
from tiny_llama.analyses.places import FACTORS, SHIFTS, norm_places
from tiny_llama.menu import NORM

BROKEN = (
    "This model's residual stream has values that are no finite numbers; its training went wrong: "
    "choose an earlier step or another model."
)
EXPONENTS = range(-6, 7)
RMS_NORM = NORM["rmsnorm"].where


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what both norms make of the same vectors, and what leaves their results alone."""
    config = inspection.run.setup.model
    places = {str(place): title for place, title in norm_places(config).items()}
    if not places:
        showing.stop("This model has no place for a norm: it has no layers and is post-norm.")
    tokens = inspection.reading["tokens"]
    with stage.controls:
        place = choose_named("Norm to look at", places, key="norm_at")
        token = choose_place("token", "Token", tokens)
        stretch = choose_stretch(len(tokens), MOST_BESIDE, key="norms_from")
    left, right = stage.below.columns(2)
    factor, shift = _choose_factor(left), _choose_shift(right)
    answer = inspection.analyse(
        "norms", text=inspection.text, place=int(place), token=token, factor=factor, shift=shift
    )
    if not np.isfinite(answer["read"]).all():
        showing.stop(BROKEN)
    _draw_vectors(answer, token, stretch)
    with left:
        _draw_factors(answer, factor, config.norm_eps)
    with right:
        _draw_shifts(answer, shift)
    stage.below.caption(
        f"The mean's share of |x|² is an average of the text, by chance it is 1/d; the cosine is "
        f"that of both results. The changes are measured: the most over all tokens, as a share of "
        f"the result's length. About 1e-07 is the rounding of float32. "
        f"{_own_norm(config.norm, answer)}"
    )
    stage.explain(
        code=NORM[config.norm].where if NORM[config.norm].is_present else RMS_NORM,
        tensor=showing.LiveTensor(path="what this norm reads", axes="t d", values=answer["read"]),
    )


def _choose_factor(place: DeltaGenerator) -> float:
    with place:
        st.markdown("**All numbers multiplied by c**")
        exponent = link.widget(
            st.select_slider,
            "times",
            "Multiply all by c",
            options=list(EXPONENTS),
            format_func=lambda power: f"{10.0**power:g}",
        )
    return float(10.0**exponent)


def _choose_shift(place: DeltaGenerator) -> float:
    """Let the student choose what is added to all numbers, in units of their root mean square."""
    with place:
        st.markdown("**c times the rms added to all numbers**")
        shift = link.widget(
            st.slider,
            "plus",
            "Add c times the rms to all",
            min_value=-3.0,
            max_value=3.0,
            step=0.25,
        )
    return float(shift)


def _own_norm(norm: str, answer: Answer) -> str:
    gain = answer["gain"]
    if not NORM[norm].is_present:
        return "This model has no norms; shown is what they would do to what they would read."
    learned = (
        f" Here it has learned gains from {gain.min():.2f} to {gain.max():.2f}; the pictures leave "
        f"them out, so that the two norms alone are compared."
        if gain.size
        else ""
    )
    return f"The model's own norm is {NORM[norm].title}.{learned}"


def _draw_vectors(answer: Answer, token: int, stretch: range) -> None:
    tokens, part = answer["tokens"], slice(stretch.start, stretch.stop)
    shares, chance = answer["mean_shares"], 1 / answer["read"].shape[1]
    left, right = st.columns(2)
    with left:
        st.caption(
            f"Before the norm: mean's share of |x|² **{np.nanmean(shares):.2%}**, by chance "
            f"**{chance:.2%}**"
        )
        showing.draw(
            norm_statistics(
                tokens[part],
                *(answer[name][part] for name in ("means", "stds", "rms")),
                first=stretch.start,
                chosen=token,
            ),
            key="norm_statistics",
        )
    with right:
        st.caption(
            f"Token {token}, “{content.escaped(visible(tokens[token]))}”, after: mean's share "
            f"**{shares[token]:.2%}**, cosine **{answer['cosines'][token]:.4f}**"
        )
        showing.draw(two_results(answer["results"], tokens[token]), key="two_results")


def _draw_factors(answer: Answer, factor: float, eps: float) -> None:
    smallest = float(answer["rms"].min())
    edge = eps**0.5 / smallest if smallest > 0 else 0.0
    picture = invariance(FACTORS, answer["factor_changes"], factor, multiplies=True, edge=edge)
    showing.draw(picture, key="multiplied")
    st.caption(_measured(answer["factor_change"], f"×{factor:g}"))


def _draw_shifts(answer: Answer, shift: float) -> None:
    picture = invariance(SHIFTS, answer["shift_changes"], shift, multiplies=False)
    showing.draw(picture, key="shifted")
    st.caption(_measured(answer["shift_change"], f"{shift * answer['unit']:+.3g}"))


def _measured(changes: np.ndarray, what: str) -> str:
    """Say how much each norm's result changes, to the last digit of float32."""
    said = ", ".join(f"{name} {change:.1e}" for name, change in zip(NORMS, changes, strict=True))
    return f"Measured at {what}: {said}."
