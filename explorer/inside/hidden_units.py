"""Hidden units: which open on which tokens, gate against up, and how many are near zero."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer import content, session, showing
from explorer.choosing import choose_named
from explorer.engine.answers import Answer
from explorer.engine.run import Run
from explorer.engine.shipped import SHIPPED
from explorer.figures.feed_forward import gate_density, near_zero, top_units, unit_map
from explorer.figures.labels import visible
from explorer.inside import looking
from explorer.inside.looking import Looked
from explorer.inside.stretch import choose_stretch, room_for
from tiny_llama.config import ModelConfig
from tiny_llama.menu import FEED_FORWARD
from tiny_llama.views.places import THRESHOLDS

PAGE = "norm_and_swiglu"
N_TOP = 10
N_BEFORE, N_AFTER = 12, 4
"""Tokens of context around a token of the list."""
GATED = {"hidden": "hidden", "gate": "gate", "up": "up", "before": "before the gate"}
PLAIN = {"hidden": "hidden", "up": "up, before the activation"}


def show(looked: Looked) -> None:
    """Show units by tokens, the tokens on which one unit opens, and the units of one token."""
    showing.introduce(PAGE, "gate")
    config = _config_with_hidden_layer(looked)
    words = GATED if config.has_gate else PLAIN
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = showing.choose_layer(config.n_layers)
        what = choose_named("Shown", words, key="part", usual="hidden", as_buttons=True)
        unit = _unit(config)
    token = showing.choose_place("token", "Token", looked.reading["tokens"])
    answer = looked.ask("units", text=looked.text, layer=layer, what=what, unit=unit, token=token)
    if not np.isfinite(answer["unit_values"]).all():
        looking.stop(
            "This model's hidden layer has values that are no finite numbers; choose another step."
        )
    st.caption(_kind(config))
    _map(answer, f"{words[what]}, layer {layer}")
    left, right = st.columns([3, 2])
    with left:
        st.markdown(f"**Where unit {answer['unit']} does most**")
        st.markdown(tokens_table(answer, has_gate=config.has_gate))
    with right:
        chosen = answer["tokens"][token]
        st.markdown(f"**What does most on token {token}, {content.escaped(visible(chosen))}**")
        values = answer["token_values"]
        showing.draw(top_units(values[3], values[1], values[2], chosen), key="top_units")
    name = "gate" if config.has_gate else "hidden"
    trace = looked.ask("trace", text=looked.text, patterns=[f"blocks.{layer}.feed_forward.{name}"])
    path = f"blocks.{layer}.feed_forward.{name}"
    showing.explain(
        PAGE,
        "gate",
        code=_forward(config),
        tensor=showing.LiveTensor(path=path, axes="t f", values=trace[path]),
    )


def _config_with_hidden_layer(looked: Looked) -> ModelConfig:
    config = looked.run.setup.model
    if not (config.has_feed_forward and config.n_layers):
        looking.stop(
            f"This model has no feed-forward network to look at (feed_forward="
            f"'{config.feed_forward}', n_layers={config.n_layers}); choose another model in the "
            f"sidebar."
        )
    return config


def _unit(config: ModelConfig) -> int | None:
    """One hidden unit; none chosen: the busiest."""
    last = config.hidden_width - 1
    if (chosen := st.session_state.get("unit")) is not None and not 0 <= chosen <= last:
        session.set_widgets(unit=None)
    unit = st.number_input(
        f"Unit, 0 to {last}",
        min_value=0,
        max_value=last,
        value=None,
        step=1,
        key="unit",
        bind="query-params",
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


def _map(answer: Answer, what: str) -> None:
    tokens = answer["tokens"]
    stretch = choose_stretch(
        len(tokens), room_for(tokens, characters=40, most=40), key="units_from"
    )
    part = slice(stretch.start, stretch.stop)
    st.markdown(f"**{what[0].upper()}{what[1:]}: the {len(answer['shown'])} busiest units**")
    picture = unit_map(
        tokens[part],
        answer["shown"].tolist(),
        answer["map"][:, part],
        first=stretch.start,
        what=what,
    )
    showing.draw(picture, key="unit_map")


def tokens_table(answer: Answer, *, has_gate: bool) -> str:
    """The tokens on which a unit does most, each in its context, in Markdown."""
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
    """A token, in brackets, with what stands around it, in Markdown."""
    before = "".join(visible(token) for token in tokens[max(0, place - N_BEFORE) : place])
    after = "".join(visible(token) for token in tokens[place + 1 : place + 1 + N_AFTER])
    start = "…" if place > N_BEFORE else ""
    end = "…" if place + 1 + N_AFTER < len(tokens) else ""
    token = content.escaped(visible(tokens[place]))
    return f"{start}{content.escaped(before)}⟦{token}⟧{content.escaped(after)}{end}"


def show_openings(looked: Looked) -> None:
    """Show gate against up, and how many hidden values are near zero beside another model."""
    showing.introduce(PAGE, "openings")
    config = _config_with_hidden_layer(looked)
    other = _other(looked)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = showing.choose_layer(config.n_layers)
        threshold = float(
            st.select_slider(
                "Near zero: below this share of the layer's rms",
                [0.01, 0.03, 0.1, 0.3, 1.0],
                value=0.1,
                key="threshold",
                bind="query-params",
            )
        )
        names = {name: name for name in SHIPPED if name != looked.run.id}
        beside = choose_named("Beside", names, key="beside", usual=other)
    answer = looked.ask("openings", text=looked.text, layer=layer)
    run = session.engine().poll(beside)
    assert run is not None
    compared = looking.ask("openings", run=run, text=looked.text, layer=0)
    left, right = st.columns(2)
    with left:
        _density(answer, config, layer)
    with right:
        st.markdown("**How many hidden values are near zero**")
        shares = {
            _titled(looked.run): answer["near_zero"].mean(0),
            _titled(run): compared["near_zero"].mean(0),
        }
        showing.draw(near_zero(THRESHOLDS, shares, threshold), key="near_zero")
    st.markdown(openings_table(answer, threshold))
    showing.explain(
        PAGE,
        "openings",
        code=_forward(config),
        tensor=showing.LiveTensor(
            path="share of hidden values below each threshold",
            axes="l n",
            values=answer["near_zero"],
        ),
    )


def _other(looked: Looked) -> str:
    """A shipped model of the other kind: without a gate, or with one."""
    usual = "tales-llama" if not looked.run.setup.model.has_gate else "tales-gpt3"
    return usual if usual in SHIPPED else next(name for name in SHIPPED if name != looked.run.id)


def _titled(run: Run) -> str:
    name = FEED_FORWARD[run.setup.model.feed_forward].title
    return f"{session.run_name(run)} ({name})"


def _density(answer: Answer, config: ModelConfig, layer: int) -> None:
    names = ("gate", "up") if config.has_gate else ("up, before the activation", "hidden")
    st.markdown(f"**{names[0].capitalize()} and {names[1]}, layer {layer}**")
    showing.draw(
        gate_density(
            answer["counts"], answer["gate_edges"], answer["up_edges"], x=names[0], y=names[1]
        ),
        key="gate_density",
    )
    correlation = float(answer["correlation"][0])
    st.caption(
        f"{answer['n_values']:,} values, every unit on every token, without the furthest 1% on "
        f"either axis" + (f"; correlation {correlation:+.2f}." if np.isfinite(correlation) else ".")
    )


def openings_table(answer: Answer, threshold: float) -> str:
    """What share of each layer's values is near zero, in Markdown."""
    at = int(np.abs(THRESHOLDS - threshold).argmin())
    rows = [
        f"| Layer | hidden below {threshold:g} of its rms | exactly 0 | activation reads below 0 |",
        "| ---: | ---: | ---: | ---: |",
    ]
    columns = (answer["near_zero"][:, at], answer["exact"], answer["negative"])
    for layer, shares in enumerate(zip(*columns, strict=True)):
        rows.append(f"| {layer} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    return "\n".join(rows)


def _forward(config: ModelConfig) -> str:
    return f"{FEED_FORWARD[config.feed_forward].where}.forward"
