"""RMSNorm beside LayerNorm, and the residual stream that they read."""

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.choosing import choose_named
from explorer.engine.answers import Answer
from explorer.figures.labels import visible
from explorer.figures.norms import (
    NORMS,
    invariance,
    norm_statistics,
    two_results,
)
from explorer.figures.stream import parts_added, stream_map
from explorer.inside import looking
from explorer.inside.looking import Looked
from explorer.inside.stretch import choose_stretch, room_for
from tiny_llama.menu import NORM
from tiny_llama.views.places import FACTORS, SHIFTS, norm_places

PAGE = "norm_and_swiglu"
EXPONENTS = range(-6, 7)
RMS_NORM = NORM["rmsnorm"].where


def show(looked: Looked) -> None:
    """Show what both norms make of the same vectors, and what leaves their results alone."""
    showing.introduce(PAGE, "norms")
    config = looked.run.setup.model
    places = {str(place): title for place, title in norm_places(config).items()}
    if not places:
        looking.stop("This model has no place for a norm: it has no layers and is post-norm.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = choose_named("Norm to look at", places, key="norm_at", usual=next(iter(places)))
        exponent = st.select_slider(
            "Multiply all by c",
            list(EXPONENTS),
            value=1,
            key="times",
            format_func=lambda power: f"{10.0**power:g}",
            bind="query-params",
        )
        shift = st.slider(
            "Add c times the rms to all", -3.0, 3.0, 1.0, 0.25, key="plus", bind="query-params"
        )
    token = showing.choose_place("token", "Token", looked.reading["tokens"])
    answer = looked.ask(
        "norms",
        text=looked.text,
        place=int(place),
        token=token,
        factor=float(10.0**exponent),
        shift=float(shift),
    )
    if not np.isfinite(answer["read"]).all():
        looking.stop(_BROKEN)
    st.caption(_own_norm(config.norm, answer))
    _numbers(answer, token)
    _vectors(answer, token)
    _invariances(answer, 10.0**exponent, float(shift), config.norm_eps)
    showing.explain(
        PAGE,
        "norms",
        code=NORM[config.norm].where if NORM[config.norm].is_present else RMS_NORM,
        tensor=showing.LiveTensor(path="what this norm reads", axes="t d", values=answer["read"]),
    )


_BROKEN = (
    "This model's residual stream has values that are no finite numbers; its training went wrong: "
    "choose an earlier step or another model."
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


def show_stream(looked: Looked) -> None:
    """Show how long the residual vectors are, layer by layer, and what each part adds."""
    showing.introduce(PAGE, "stream")
    answer = looked.ask("stream", text=looked.text)
    if not np.isfinite(answer["lengths"]).all():
        looking.stop(_BROKEN)
    tokens, places = answer["tokens"], answer["places"]
    stretch = choose_stretch(
        len(tokens), room_for(tokens, characters=40, most=40), key="stream_from"
    )
    part = slice(stretch.start, stretch.stop)
    st.markdown("**Length of each token's vector, at each place**")
    showing.draw(
        stream_map(tokens[part], places, answer["lengths"][:, part], first=stretch.start),
        key="stream_map",
    )
    st.markdown("**What each part adds, average of the text**")
    shares = np.nan_to_num(answer["shares"], posinf=0.0)
    showing.draw(
        parts_added(places, answer["lengths"].mean(1), answer["added"].mean(1), shares.mean(1)),
        key="parts_added",
    )
    if len(places) > 1:
        st.markdown(stream_table(answer))
    if looked.run.setup.model.norm_placement == "post":
        st.caption(
            "This model norms the sum after each part, so its stream is as long after every one, "
            "up to the learned gain; what a part adds is measured before that norm."
        )
    showing.explain(
        PAGE,
        "stream",
        code="tiny_llama.model:Block.forward",
        tensor=showing.LiveTensor(path=_last_path(looked), axes="t d", values=answer["last"]),
    )


def stream_table(answer: Answer) -> str:
    """What each part adds, in Markdown."""
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


def _last_path(looked: Looked) -> str:
    n_layers = looked.run.setup.model.n_layers
    return f"blocks.{n_layers - 1}.residual" if n_layers else "embedded"
