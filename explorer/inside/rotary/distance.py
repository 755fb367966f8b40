"""Two tokens at any two places: where only their distance counts."""

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.engine.run import Run
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.pretrained import pretrained_run
from explorer.figures import positions as figures
from explorer.figures.labels import visible
from explorer.inspection import Inspection, analyse, usual_place
from explorer.stage import Stage
from explorer.widgets import choose_index, choose_number, choose_one, choose_place
from tiny_llama.menu import POSITION

SCHEMES = {
    "rope": "tales-llama",
    "learned": "tales-learned",
    "sinusoidal": "tales-sinusoidal",
    "alibi": "tales-alibi",
    "none": "tales-no-positions",
}
"""A pretrained model for each; same size, same text, same steps."""
CURRENT = "this model"
ROUNDING = 1e-5
"""What is less than this part of all differences is rounding: float32 has seven digits."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the scores of two tokens of the text for each scheme."""
    with stage.controls:
        first, then = st.container(), st.container()
    with then:
        query, key, head = _choose_tokens(inspection)
    answers = {
        name: _ask(run, inspection, query, key, head) for name, run in _runs(inspection).items()
    }
    with first:
        scheme = choose_one("Position scheme", list(answers), key="scheme")
        m, n, by = _choose_places(min(len(answer["scores"]) for answer in answers.values()))
    answer = answers[str(scheme)]
    _pictures(answers, str(scheme), m, n, by)
    with stage.below:
        st.markdown(deviations(answers))
        st.caption(
            f"Circle: query “{content.escaped(visible(answer['query']))}” and key "
            f"“{content.escaped(visible(answer['key']))}” as placed; square: after the move. The "
            f"map has the first {min(len(answer['scores']), figures.MOST_PLACES)} positions. "
            f"Before the causal mask and the softmax, in the first layer of each model. ALiBi "
            f"lowers a score only where the key stands before the query; what lies ahead is "
            f"masked anyway."
        )
    stage.explain(
        code="tiny_llama.analyses.token_scores:_scores",
        tensor=showing.LiveTensor(path="scores", axes="t s", values=answer["scores"]),
    )


def _pictures(answers: dict[str, Answer], scheme: str, m: int, n: int, by: int) -> None:
    answer = answers[scheme]
    scores = answer["scores"]
    before, after = float(scores[m, n]), float(scores[m + by, n + by])
    left, right = st.columns(2)
    with left:
        st.caption(
            f"Under “{scheme}”: ({m}, {n}) scores **{before:.4f}**, ({m + by}, {n + by}) "
            f"**{after:.4f}**"
        )
        picture = figures.toeplitz(
            scores, places=[(m, n), (m + by, n + by)], title=scheme, along=answer["along"]
        )
        showing.draw(picture, key="toeplitz")
    with right:
        st.caption(f"The score as both move along; difference **{after - before:.2g}**")
        lines = {name: _along(each["scores"], m, n) for name, each in answers.items()}
        showing.draw(figures.moved_together(lines, m=m, n=n, by=by), key="moved_together")


def deviations(answers: dict[str, Answer]) -> str:
    """Say how far each scheme's scores are from depending on the distance only, as Markdown."""
    rows = [
        "| scheme | largest difference at one distance | largest difference of all "
        "| only the distance? |",
        "| --- | ---: | ---: | --- |",
    ]
    for name, answer in answers.items():
        along, overall = answer["along"], answer["overall"]
        title = POSITION[name].title if name in POSITION else name
        rows.append(f"| {title} | {along:.2g} | {overall:.2f} | {_verdict(along, overall)} |")
    return "\n".join(rows)


def _verdict(along: float, overall: float) -> str:
    if overall == 0:
        return "not even the distance: all scores are equal"
    if along <= ROUNDING * overall:
        return "yes" if along == 0 else "yes, up to rounding"
    return f"no: {along / overall:.0%} of all differences remain"


def _runs(inspection: Inspection) -> dict[str, Run]:
    """Give the pretrained models by scheme, and the current one if it is another."""
    runs = {scheme: pretrained_run(name) for scheme, name in SCHEMES.items()}
    model = inspection.run.setup.model
    if inspection.run.id not in SCHEMES.values() and model.has_attention and model.n_layers:
        return {CURRENT: inspection.run, **runs}
    return runs


def _ask(run: Run, inspection: Inspection, query: str, key: str, head: int) -> Answer:
    step = inspection.step if run.id == inspection.run.id else None
    head = min(head, run.setup.model.n_heads - 1)
    values = {"query": query, "key": key, "head": head, "n_places": 128}
    return analyse("token_scores", run=run, step=step, **values)


def _choose_tokens(inspection: Inspection) -> tuple[str, str, int]:
    """Let the student choose two tokens of the text, and a head of the first layer."""
    tokens, run = inspection.reading["tokens"], inspection.run
    with st.popover("Tokens and head", width="stretch"):
        query = choose_place("reader", "Token that asks", tokens, folded=True)
        key = choose_place(
            "asked",
            "Is asked",
            tokens,
            usual=max(0, len(tokens) - 2),
            because=inspection.text,
            folded=True,
        )
        n, usual = run.setup.model.n_heads, usual_place(run)[1]
        head = choose_index("head", "Head of layer 0", n, usual, folded=True)
    return tokens[query], tokens[key], head


def _choose_places(n_places: int) -> tuple[int, int, int]:
    """Let the student choose where query and key stand, and how far both are moved."""
    half = max(1, n_places // 2 - 1)
    move = st.container()
    left, right = st.columns(2)
    with left:
        m = choose_number("m", "Query at position m", half, 20)
    with right:
        n = choose_number("n", "Key at position n", half, 12)
    with move:
        most = max(0, n_places - 1 - max(m, n))
        by = choose_number("moved_by", "Move both by", most, 25)
    return m, n, by


def _along(scores: np.ndarray, m: int, n: int) -> np.ndarray:
    """Give the scores of two tokens as both move on."""
    at = np.arange(len(scores) - max(m, n))
    return scores[m + at, n + at]
