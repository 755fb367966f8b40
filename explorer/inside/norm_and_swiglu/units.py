"""Hidden units: which open on which tokens, and what opens on one token."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.feed_forward import top_units, unit_map
from explorer.figures.labels import beginning, ending, visible
from explorer.figures.norms import MOST_TOKENS
from explorer.inside.norm_and_swiglu.hidden_layer import config_with_hidden_layer, forward_code
from explorer.inspection import Inspection, usual_place
from explorer.stage import Stage
from explorer.widgets import choose_layer, choose_named, choose_place, choose_stretch
from tiny_llama.config import ModelConfig
from tiny_llama.menu import FEED_FORWARD

N_TOP = 10
MOST_BEFORE, MOST_AFTER = 16, 8
"""Characters of context around a token of the list."""
GATED = {"hidden": "hidden", "gate": "gate", "up": "up", "before": "before the gate"}
PLAIN = {"hidden": "hidden", "up": "up, before the activation"}


def show(stage: Stage, inspection: Inspection) -> None:
    """Show units by tokens, the tokens on which one unit opens, and the units of one token."""
    config = config_with_hidden_layer(inspection)
    words = GATED if config.has_gate else PLAIN
    tokens = inspection.reading["tokens"]
    with stage.controls:
        what = choose_named("Shown", words, key="part", as_buttons=True)
        layer = choose_layer(config.n_layers, usual_place(inspection.run)[0])
        stretch = choose_stretch(len(tokens), MOST_TOKENS, key="units_from")
    left, right = stage.below.columns([3, 2], gap="large")
    with left:
        unit = _unit(config)
    with right:
        token = choose_place("token", "Token", tokens)
    answer = inspection.analyse(
        "units", text=inspection.text, layer=layer, what=what, unit=unit, token=token
    )
    if not np.isfinite(answer["unit_values"]).all():
        showing.stop(
            "This model's hidden layer has values that are no finite numbers; choose another step."
        )
    _map(answer, stretch, f"{words[what]}, layer {layer}")
    with left:
        st.markdown(f"**Where unit {answer['unit']} does most**")
        st.markdown(tokens_table(answer, has_gate=config.has_gate))
    with right:
        chosen = answer["tokens"][token]
        st.markdown(f"**What does most on token {token}, “{content.escaped(visible(chosen))}”**")
        values = answer["token_values"]
        showing.draw(top_units(values[3], values[1], values[2], chosen), key="top_units")
    stage.below.caption(_kind(config))
    name = "gate" if config.has_gate else "hidden"
    trace = inspection.analyse(
        "trace", text=inspection.text, patterns=[f"blocks.{layer}.feed_forward.{name}"]
    )
    path = f"blocks.{layer}.feed_forward.{name}"
    stage.explain(
        code=forward_code(config),
        tensor=showing.LiveTensor(path=path, axes="t f", values=trace[path]),
    )


def _unit(config: ModelConfig) -> int | None:
    """Let the student choose one hidden unit; none chosen: the busiest."""
    last = config.hidden_width - 1
    unit = link.widget(
        st.number_input,
        "unit",
        f"Unit, 0 to {last}",
        nearest=False,
        min_value=0,
        max_value=last,
        value=None,
        step=1,
        placeholder="the busiest",
    )
    return None if unit is None else int(unit)


def _kind(config: ModelConfig) -> str:
    title = FEED_FORWARD[config.feed_forward].title
    if config.has_gate:
        return f"{title}: hidden = gate × up, {config.hidden_width:,} units."
    return (
        f"{title}: this model has no gate; hidden is the activation of up itself, "
        f"{config.hidden_width:,} units."
    )


def _map(answer: Answer, stretch: range, what: str) -> None:
    tokens, part = answer["tokens"], slice(stretch.start, stretch.stop)
    st.caption(f"{what[0].upper()}{what[1:]}: the {len(answer['shown'])} busiest units")
    picture = unit_map(
        tokens[part],
        answer["shown"].tolist(),
        answer["map"][:, part],
        first=stretch.start,
        what=what,
    )
    showing.draw(picture, key="unit_map")


def tokens_table(answer: Answer, *, has_gate: bool) -> str:
    """List the tokens on which a unit does most, each in its context, in Markdown."""
    before, gate, up, hidden = answer["unit_values"]
    head = ["Place", "Token in its context", "hidden"]
    head += ["gate", "up"] if has_gate else ["up"]
    rows = [head]
    for place in np.argsort(-np.abs(hidden), kind="stable")[:N_TOP]:
        numbers = [hidden[place], *([gate[place], up[place]] if has_gate else [before[place]])]
        context = in_context(answer["tokens"], int(place))
        rows.append([str(place), context, *(f"{number:.2f}" for number in numbers)])
    return showing.markdown_table(rows, "rl" + "r" * (len(head) - 2))


def in_context(tokens: Sequence[str], place: int) -> str:
    """Write a token, in brackets, with what stands around it, in Markdown."""
    before = ending(tokens[:place], MOST_BEFORE) if place else ""
    after = beginning(tokens[place + 1 :], MOST_AFTER)
    token, *around = map(content.escaped, (visible(tokens[place]), before, after))
    return f"{around[0]}⟦{token}⟧{around[1]}"
