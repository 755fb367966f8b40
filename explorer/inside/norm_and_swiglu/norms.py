"""RMSNorm beside LayerNorm: what both make of the same vectors."""

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from explorer.figures.norms import (
    MOST_TOKENS,
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
SEEN = {"vectors": "One vector", "changes": "All, changed"}
EXPONENTS = range(-6, 7)
RMS_NORM = NORM["rmsnorm"].where


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what both norms make of the same vectors, or what leaves their results alone."""
    config = inspection.run.setup.model
    places = {str(place): title for place, title in norm_places(config).items()}
    if not places:
        showing.stop("This model has no place for a norm: it has no layers and is post-norm.")
    with stage.controls:
        seen = choose_named("Seen", SEEN, key="norm_seen", as_buttons=True)
        place = int(choose_named("Norm to look at", places, key="norm_at"))
    draw = _draw_vectors if seen == "vectors" else _draw_changes
    answer = draw(stage, inspection, place)
    stage.below.caption(_own_norm(config.norm, answer))
    stage.explain(
        code=NORM[config.norm].where if NORM[config.norm].is_present else RMS_NORM,
        tensor=showing.LiveTensor(path="what this norm reads", axes="t d", values=answer["read"]),
    )


def _ask(
    inspection: Inspection, place: int, *, token: int = 0, factor: float = 1.0, shift: float = 0.0
) -> Answer:
    answer = inspection.analyse(
        "norms", text=inspection.text, place=place, token=token, factor=factor, shift=shift
    )
    if not np.isfinite(answer["read"]).all():
        showing.stop(BROKEN)
    return answer


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


# One vector.


def _draw_vectors(stage: Stage, inspection: Inspection, place: int) -> Answer:
    with stage.controls:
        token = choose_place("token", "Token", inspection.reading["tokens"])
        stretch = choose_stretch(len(inspection.reading["tokens"]), MOST_TOKENS, key="norms_from")
    answer = _ask(inspection, place, token=token)
    tokens, part = answer["tokens"], slice(stretch.start, stretch.stop)
    showing.line(_numbers(answer, token))
    left, right = st.container(key="norm_vectors").columns(2)
    with left:
        st.caption("Each token's vector before the norm")
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
        st.caption(f"Token {token}, {content.escaped(visible(tokens[token]))}, after either norm")
        showing.draw(two_results(answer["results"], tokens[token]), key="two_results")
    return answer


def _numbers(answer: Answer, token: int) -> dict[str, str]:
    shares = answer["mean_shares"]
    return {
        "Mean's share of |x|²": f"{shares[token]:.2%}",
        "average of the text": f"{np.nanmean(shares):.2%}",
        "by chance, 1/d": f"{1 / answer['read'].shape[1]:.2%}",
        "cosine of the results": f"{answer['cosines'][token]:.4f}",
    }


# All vectors, changed.


def _draw_changes(stage: Stage, inspection: Inspection, place: int) -> Answer:
    with stage.controls:
        factor, shift = _choose_change()
    answer = _ask(inspection, place, factor=factor, shift=shift)
    smallest = float(answer["rms"].min())
    edge = inspection.run.setup.model.norm_eps**0.5 / smallest if smallest > 0 else 0.0
    left, right = st.columns(2)
    with left:
        st.caption(f"All numbers ×{factor:g}: {_measured(answer['factor_change'])}")
        picture = invariance(FACTORS, answer["factor_changes"], factor, multiplies=True, edge=edge)
        showing.draw(picture, key="multiplied")
    with right:
        st.caption(
            f"All numbers {shift * answer['unit']:+.3g}: {_measured(answer['shift_change'])}"
        )
        picture = invariance(SHIFTS, answer["shift_changes"], shift, multiplies=False)
        showing.draw(picture, key="shifted")
    stage.below.caption(
        "Measured is the change of each norm's result, the most over all tokens, as a share of "
        "the result's length. About 1e-07 is the rounding of float32."
    )
    return answer


def _choose_change() -> tuple[float, float]:
    """What all numbers are multiplied by, and what is added to them in units of their rms."""
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
    return float(10.0**exponent), float(shift)


def _measured(changes: np.ndarray) -> str:
    """The change of each norm's result, to the last digit of float32."""
    return ", ".join(f"{name} {change:.1e}" for name, change in zip(NORMS, changes, strict=True))
