"""RMSNorm beside LayerNorm: what both make of the same vectors."""

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from explorer.figures.norms import (
    NORMS,
    invariance,
    norm_statistics,
    two_results,
)
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_named, choose_place, choose_stretch, room_for
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
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = choose_named("Norm to look at", places, key="norm_at")
        exponent = link.widget(
            st.select_slider,
            "times",
            "Multiply all by c",
            options=list(EXPONENTS),
            format_func=lambda power: f"{10.0**power:g}",
        )
        shift = link.widget(
            st.slider,
            "plus",
            "Add c times the rms to all",
            min_value=-3.0,
            max_value=3.0,
            step=0.25,
        )
    token = choose_place("token", "Token", inspection.reading["tokens"])
    answer = inspection.analyse(
        "norms",
        text=inspection.text,
        place=int(place),
        token=token,
        factor=float(10.0**exponent),
        shift=float(shift),
    )
    if not np.isfinite(answer["read"]).all():
        showing.stop(BROKEN)
    st.caption(_own_norm(config.norm, answer))
    _numbers(answer, token)
    _vectors(answer, token)
    _invariances(answer, 10.0**exponent, float(shift), config.norm_eps)
    stage.explain(
        code=NORM[config.norm].where if NORM[config.norm].is_present else RMS_NORM,
        tensor=showing.LiveTensor(path="what this norm reads", axes="t d", values=answer["read"]),
    )


def _own_norm(norm: str, answer: Answer) -> str:
    gain = answer["gain"]
    if not NORM[norm].is_present:
        return "This model has no norms; shown is what they would do to what they would read."
    learned = (
        f" Here it has learned gains from {gain.min():.2f} to {gain.max():.2f}; the pictures leave "
        f"them out, so that both norms are seen bare."
        if gain.size
        else ""
    )
    return f"The model's own norm is {NORM[norm].title}.{learned}"


def _numbers(answer: Answer, token: int) -> None:
    d_model = answer["read"].shape[1]
    shares, cosines = answer["mean_shares"], answer["cosines"]
    token = min(token, len(shares) - 1)
    numbers = {
        "Mean's share of |x|²": f"{shares[token]:.2%}",
        "Average of the text": f"{np.nanmean(shares):.2%}",
        "By chance, 1/d": f"{1 / d_model:.2%}",
        "Cosine of the results": f"{cosines[token]:.4f}",
    }
    showing.tiles(numbers)


def _vectors(answer: Answer, token: int) -> None:
    tokens = answer["tokens"]
    stretch = choose_stretch(
        len(tokens), room_for(tokens, characters=40, most=40), key="norms_from"
    )
    part = slice(stretch.start, stretch.stop)
    left, right = st.container(key="norm_vectors").columns(2)
    with left:
        st.markdown("**Each token's vector before the norm**")
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
        st.markdown(
            f"**Token {token}, {content.escaped(visible(tokens[token]))}, after either norm**"
        )
        showing.draw(two_results(answer["results"], tokens[token]), key="two_results")


def _invariances(answer: Answer, factor: float, shift: float, eps: float) -> None:
    left, right = st.columns(2)
    smallest = float(answer["rms"].min())
    with left:
        st.markdown("**All numbers multiplied by c**")
        showing.draw(
            invariance(
                FACTORS,
                answer["factor_changes"],
                factor,
                multiplies=True,
                edge=eps**0.5 / smallest if smallest > 0 else 0.0,
            ),
            key="multiplied",
        )
        st.caption(_measured(answer["factor_change"], f"×{factor:g}"))
    with right:
        st.markdown("**c times the rms added to all numbers**")
        showing.draw(
            invariance(SHIFTS, answer["shift_changes"], shift, multiplies=False), key="shifted"
        )
        st.caption(_measured(answer["shift_change"], f"{shift * answer['unit']:+.3g}"))


def _measured(changes: np.ndarray, what: str) -> str:
    """The change of each norm's result, to the last digit of float32."""
    said = ", ".join(f"{name} {change:.1e}" for name, change in zip(NORMS, changes, strict=True))
    return (
        f"Measured at {what}, the most over all tokens, as a share of the result's length: {said}. "
        f"About 1e-07 is the rounding of float32."
    )
