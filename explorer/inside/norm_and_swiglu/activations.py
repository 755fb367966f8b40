"""Activations and gates: their curves, their derivatives, and the product with up."""

import numpy as np
import streamlit as st

from explorer import link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.feed_forward import activation_curves, product_map
from explorer.inspection import Inspection, analyse
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.menu import FEED_FORWARD

CURVES = {
    "swiglu": "silu (SwiGLU)",
    "gelu": "GELU (GeGLU)",
    "relu": "ReLU (ReGLU)",
    "relu_squared": "Squared ReLU",
}
"""One of each curve; a gated network has the curve of its plain kin."""
GATED = tuple(
    name
    for name, option in FEED_FORWARD.items()
    if option.n_matrices == 3 and not option.has_experts
)
WIDEST = 4.0


def show(stage: Stage, inspection: Inspection) -> None:
    """Show every activation with its derivative, and what a gate makes of the other projection."""
    answer = analyse("activations")
    z = answer["z"]
    with stage.controls:
        at = link.widget(st.slider, "z", "z", min_value=-WIDEST, max_value=WIDEST, step=0.05)
    chosen = int(np.abs(z - at).argmin())
    inside = np.flatnonzero(np.abs(z) <= WIDEST + 1e-9)
    left, right = st.columns(2)
    with left:
        st.caption("The activation")
        _curves(answer, "values", inside, chosen, "act(z)", top=WIDEST)
    with right:
        st.caption("Its derivative")
        _curves(answer, "slopes", inside, chosen, "act′(z)", top=2.0)
    with stage.below:
        st.markdown(activation_table(answer, chosen))
        _product(answer, chosen)
    _explain(stage, inspection, answer)


def _curves(
    answer: Answer, what: str, inside: np.ndarray, chosen: int, y: str, *, top: float
) -> None:
    curves = {title: _row(answer, name, what)[inside] for name, title in CURVES.items()}
    picture = activation_curves(answer["z"][inside], curves, chosen - int(inside[0]), y=y, top=top)
    showing.draw(picture, key=f"activation_{what}")


def _row(answer: Answer, name: str, what: str) -> np.ndarray:
    row: np.ndarray = answer[what][answer["names"].index(name)]
    return row


def activation_table(answer: Answer, chosen: int) -> str:
    """Give value and derivative of every activation at one place, in Markdown."""
    z = answer["z"][chosen]
    rows = [
        f"| Activation | at z = {z:.2f} | derivative | lowest value | at z |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, title in CURVES.items():
        values, slopes = _row(answer, name, "values"), _row(answer, name, "slopes")
        lowest = int(values.argmin())
        where = f"{answer['z'][lowest]:.2f}" if values[lowest] < 0 else "below 0"
        rows.append(
            f"| {title} | {values[chosen]:.4f} | {slopes[chosen]:.4f} | {values[lowest]:.4f} "
            f"| {where} |"
        )
    return "\n".join(rows)


def _product(answer: Answer, chosen: int) -> None:
    st.markdown("**A gated unit: the activation of z times up**")
    titles = {name: FEED_FORWARD[name].title for name in GATED}
    name = choose_named("Gate", titles, key="gated", as_buttons=True)
    values, slopes = _row(answer, name, "values"), _row(answer, name, "slopes")
    picture, words = st.columns([3, 2])
    with picture:
        showing.draw(product_map(answer["z"], values, titles[name], most=WIDEST), key="product_map")
    with words:
        value, slope, z = values[chosen], slopes[chosen], answer["z"][chosen]
        st.markdown(
            f"At z = {z:.2f}, {titles[name]} multiplies `up` by **{value:.3f}**, whatever `up` is. "
            f"So the derivative by `up` is {value:.3f}: what the gate lets through is also how "
            f"much `up` can learn. The derivative by z is {slope:.3f} times `up`: where the curve "
            f"is flat, the gate itself learns nothing."
        )


def _explain(stage: Stage, inspection: Inspection, answer: Answer) -> None:
    own = inspection.run.setup.model.feed_forward
    name = own if own in answer["names"] else "swiglu"
    stage.explain(
        code=f"{FEED_FORWARD[name].where}.activate",
        tensor=showing.LiveTensor(
            path=f"act(z) of {FEED_FORWARD[name].title} for z from {answer['z'][0]:g} to "
            f"{answer['z'][-1]:g}",
            axes="1 n",
            values=_row(answer, name, "values")[None],
        ),
    )
