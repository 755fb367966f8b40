"""Attention: all heads at a glance, one head, its stages, life without it, and how it formed."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from explorer import session, showing
from explorer.components import head_grid, reading_map
from explorer.components.head_grid import role_title
from explorer.engine.server.answer_cache import Answer
from explorer.figures import attention as figures
from explorer.figures.labels import visible_all
from explorer.inside import plugged
from explorer.inside.looking import Looked
from tiny_llama.views.roles import ROLES

VIEWS = {
    "heads": "All heads",
    "head": "One head",
    "stages": "In stages",
    "ablate": "Switch heads off",
    "time": "Time machine",
}
N_WRITTEN = 60
"""Tokens to write on with some heads off: enough to see a difference, a third of a second."""


def _heads(looked: Looked) -> None:
    showing.introduce("attention", "heads")
    answer = looked.ask("heads", text=looked.text)
    maps, roles = answer["maps"], answer["roles"]
    head_grid.head_grid(maps, roles, key="heads", open_head=_open)
    if answer["cell"] > 1:
        st.caption(
            f"The text has {len(answer['tokens'])} tokens: each cell stands for {answer['cell']} "
            f"of them each way, and shows the most that one of them reads."
        )
    _save(lambda: head_grid.page(maps, roles, f"All heads of {session.run_name(looked.run)}"))
    _explain(looked, "heads", 0, 0)


def _head(looked: Looked) -> None:
    showing.introduce("attention", "head")
    layer, head = showing.choose_head(looked.run.setup.model)
    first = _window(looked)
    answer = looked.ask(
        "layer", text=looked.text, layer=layer, first=first, most=reading_map.MOST_TOKENS
    )
    reading = _reading(answer, layer, head, looked.step)
    reading_map.reading_map(reading, key="reading")
    _save(lambda: reading_map.page(reading, f"Attention of layer {layer}, head {head}"))
    _explain(looked, "head", layer, head)


def _stages(looked: Looked) -> None:
    showing.introduce("attention", "stages")
    layer, head = showing.choose_head(looked.run.setup.model)
    tokens = looked.reading["tokens"]
    reader = showing.choose_place("reader", "The token that reads", tokens)
    answer = looked.ask("stages", text=looked.text, layer=layer, head=head, reader=reader)
    strongest = int(answer["pattern"].argmax())
    session.suggest("source", strongest, because=(looked.run.id, layer, head, reader, looked.text))
    source = showing.choose_place("source", "The token that is read from", tokens)
    shown = {
        "q · k": answer["products"],
        f"divided by √{answer['d_head']}": answer["scaled"],
        **({"soft cap": answer["capped"]} if answer["softcap"] else {}),
        **({"plus position": answer["biased"]} if answer["has_bias"] else {}),
        "masked: the future is gone": answer["masked"],
        "softmax: shares of 1": answer["pattern"],
    }
    tokens = answer["tokens"]
    showing.draw(figures.stage_bars(tokens, shown, reader=reader, source=source), key="stage_bars")
    st.markdown(plugged.stages(answer, source, looked.run.setup.model.position))
    with st.expander("All numbers as a table", icon=":material/table:", key="stage_table"):
        names = {"Token": [f"{at} {name}" for at, name in enumerate(visible_all(tokens))]}
        before = {"q · k before turning": answer["unrotated"]}
        st.dataframe(names | before | shown, hide_index=True)
    path = f"blocks.{layer}.attention.scores"
    showing.explain(
        "attention",
        "stages",
        code="tiny_llama.parts.attentions.attention:Attention._pattern",
        tensor=showing.LiveTensor(path=f"{path}, this reader", axes="s", values=answer["scaled"]),
    )


def _ablate(looked: Looked) -> None:
    showing.introduce("attention", "ablate")
    model = looked.run.setup.model
    by = st.segmented_control(
        "Put in a head's place",
        ["zero", "mean"],
        default="zero",
        required=True,
        key="by",
        bind="query-params",
    )
    names = {
        f"{layer}.{head}": [layer, head]
        for layer in range(model.n_layers)
        for head in range(model.n_heads)
    }
    off = st.pills(
        "Heads to switch off (layer.head)",
        list(names),
        selection_mode="multi",
        key="off",
        bind="query-params",
    )
    heads = sorted(names[name] for name in off or [] if name in names)
    answer = looked.ask("ablate", text=looked.text, heads=heads, by=by)
    _losses(answer, bool(heads))
    left, right = st.columns(2)
    with left:
        st.caption("What comes next")
        showing.draw(
            figures.next_tokens(answer["vocabulary"], answer["probabilities"]), key="next_tokens"
        )
    with right:
        found = looked.ask("importance", text=looked.text, by=by)
        st.caption("Growth of the loss, in nats, when one head alone is switched off")
        showing.draw(figures.importance_map(found["growth"]), key="importance")
    if heads:
        st.caption("Where in the text it gets worse")
        tokens = looked.reading["tokens"]
        showing.draw(figures.loss_change(tokens, answer["losses"], answer["counts"]), key="change")
    _written(looked, heads, by)
    path = f"blocks.{heads[0][0] if heads else 0}.attention.heads"
    trace = looked.ask("trace", text=looked.text, patterns=[path])
    showing.explain(
        "attention",
        "ablate",
        code="tiny_llama.views.ablation:_replacing",
        tensor=showing.LiveTensor(path=path, axes="h t e", values=trace[path]),
    )


def _losses(answer: Answer, any_off: bool) -> None:
    """Say what the heads switched off cost."""
    losses, counts = answer["losses"], answer["counts"]
    if not counts.any():
        st.caption("No token of this text counts: it holds no answer of the task.")
        return
    before, after = losses[:, counts].mean(1)
    with st.container(horizontal=True):
        st.metric("Loss with all heads", f"{before:.3f}", width="content")
        if any_off:
            st.metric(
                "Loss without those switched off",
                f"{after:.3f}",
                f"{after - before:+.3f}",
                delta_color="inverse",
                width="content",
            )


def _written(looked: Looked, heads: list[list[int]], by: str) -> None:
    st.caption(f"The likeliest {N_WRITTEN} tokens after the text")
    ways: dict[str, list[list[int]]] = {"With all heads": [], "Without those switched off": heads}
    if not heads:
        del ways["Without those switched off"]
    for column, (title, gone) in zip(st.columns(2), ways.items(), strict=False):
        with column:
            st.markdown(f"**{title}**")
            found = looked.ask(
                "write_without", text=looked.text, heads=gone, by=by, n_tokens=N_WRITTEN
            )
            st.code(found["text"], language=None, wrap_lines=True)


def _time(looked: Looked) -> None:
    showing.introduce("attention", "time")
    layer, head = showing.choose_head(looked.run.setup.model)
    answer = looked.ask(
        "history",
        text=looked.text,
        layer=layer,
        first=_window(looked),
        most=reading_map.MOST_TOKENS,
    )
    scores = answer["roles"][:, layer, head]
    reading = reading_map.Reading(
        tokens=visible_all(answer["tokens"]),
        first=answer["first"],
        patterns=answer["patterns"][:, head : head + 1],
        heads=[(layer, head, role_title(scores[-1]))],
        chosen=0,
        steps=answer["steps"],
        window=answer["window"],
    )
    reading_map.reading_map(reading, key="time")
    _save(lambda: reading_map.page(reading, f"How layer {layer}, head {head} formed"))
    role = str(
        st.segmented_control(
            "Score",
            list(ROLES),
            default="induction",
            required=True,
            key="role",
            bind="query-params",
        )
    )
    at, steps, losses = list(ROLES).index(role), answer["steps"], answer["losses"]
    showing.draw(
        figures.formation(
            steps, answer["roles"][..., at], losses, role=ROLES[role], chosen=(layer, head)
        ),
        key="formation",
    )
    if np.isfinite(losses).all() and np.isfinite(scores[:, at]).all():
        showing.draw(
            figures.score_against_loss(steps, scores[:, at], losses, role=ROLES[role]),
            key="score_against_loss",
        )
    showing.explain(
        "attention",
        "time",
        code="tiny_llama.views.roles:role_scores",
        tensor=showing.LiveTensor(
            path=f"blocks.{layer}.attention.pattern, head {head}, at each step kept",
            axes="n t s",
            values=answer["patterns"][::-1, head],
        ),
    )


def _reading(answer: Answer, layer: int, head: int, step: int) -> reading_map.Reading:
    return reading_map.Reading(
        tokens=visible_all(answer["tokens"]),
        first=answer["first"],
        patterns=answer["patterns"][None],
        heads=[(layer, each, role_title(scores)) for each, scores in enumerate(answer["roles"])],
        chosen=head,
        steps=[step],
        window=answer["window"],
    )


def _window(looked: Looked) -> int:
    """Where the part of a long text that is shown begins."""
    n_tokens, most = len(looked.reading["tokens"]), reading_map.MOST_TOKENS
    if n_tokens <= most:
        return 0
    last = n_tokens - most
    session.keep_between("first", 0, last)
    first = st.slider(
        f"First of the {most} tokens shown", 0, last, key="first", bind="query-params"
    )
    return int(first)


def _save(make_page: Callable[[], str]) -> None:
    st.download_button(
        "Stand-alone page (HTML)",
        data=lambda: make_page().encode(),
        file_name="attention.html",
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
        help="This view in one file that opens without the app and without a network.",
    )


def _explain(looked: Looked, view: str, layer: int, head: int) -> None:
    path = f"blocks.{layer}.attention.pattern"
    trace = looked.ask("trace", text=looked.text, patterns=[path])
    showing.explain(
        "attention",
        view,
        code="tiny_llama.parts.attentions.attention:Attention._pattern",
        tensor=showing.LiveTensor(path=path, axes="h t s", values=trace[path][head:]),
    )


def _open(layer: int, head: int) -> None:
    session.set_widgets(layer=layer, head=head, view="head")


SHOW = {"heads": _heads, "head": _head, "stages": _stages, "ablate": _ablate, "time": _time}
