"""Texts four times as long as in training: who copes, and what helps afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import streamlit as st

from explorer import content, link, session, showing
from explorer.engine.run import Run
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.pretrained import DEFAULT, pretrained_run
from explorer.figures.positions import Curve, losses_by_position
from explorer.inside.rotary.distance import SCHEMES
from explorer.inspection import Inspection
from explorer.stage import Stage
from tiny_llama.analyses.rotary_theory import STRETCHES
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import UserError
from tiny_llama.menu import POSITION

EARLY_SECONDS = 0.7
"""How long a page waits for further models once it can draw a first one."""
FACTORS = ("1.5", "2", "3", "4", "8")
NAMES = {"none": "no positions", "rope": "RoPE", "alibi": "ALiBi"}
"""Where the name on the menu is no name for a curve."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A model that reads long texts, and how it is stretched."""

    name: str
    run: Run
    step: int | None
    stretch: str = ""
    factor: float = 1.0

    @property
    def values(self) -> dict[str, Any]:
        """What the view wants to know."""
        return {"stretch": self.stretch, "factor": self.factor} if self.stretch else {}


def show(stage: Stage, inspection: Inspection) -> None:
    """Show the loss by position of the pretrained models, stretched ones and the current one."""
    with stage.controls:
        readers = _choose(inspection)
    answers, refused, n_asked = _ask(readers)
    if not answers:
        st.info("Choose at least one model.", icon=":material/info:")
    else:
        guessing = log(readers[0].run.setup.model.vocab_size)
        curves = [_curve(reader, answer) for reader, answer in answers]
        showing.draw(losses_by_position(curves, guessing=guessing), key="longer")
        stage.below.markdown(table(answers))
        stage.below.caption(_honest(answers))
    if n_asked < len(readers):
        st.fragment(_read_on, run_every=0.1)([])
    for each in refused:
        st.caption(f":material/info: {content.escaped(each)}")
    first = answers[0][1]["losses"][None] if answers else None
    stage.explain(
        code="tiny_llama.parts.positions.rope:Rope.retune",
        tensor=None
        if first is None
        else showing.LiveTensor(
            path=f"losses by bin of positions, {answers[0][0].name}", axes="n", values=first
        ),
    )


def table(answers: Sequence[tuple[Reader, Answer]]) -> str:
    """Give the mean loss within the context and within each further one, as Markdown."""
    rows = [
        "| model | within the context | 1 to 2 contexts | 2 to 3 | 3 to 4 | what was changed |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for reader, answer in answers:
        losses = [f"{loss:.3f}" for loss in answer["by_context"]]
        longest = answer["length"]
        what, rest = "nothing", "not read"
        if reader.stretch:
            what = f"factor {reader.factor:g}: {STRETCHES[reader.stretch].paper}"
        elif POSITION[reader.run.setup.model.position].has_table:
            what = f"nothing can be: the learned table ends at position {longest:,}"
            rest = f"ends at {longest:,}"
        if len(losses) < 4:
            losses += [rest, "–", "–"][: 4 - len(losses)]
        rows.append(f"| {content.escaped(reader.name)} | {' | '.join(losses[:4])} | {what} |")
    return "\n".join(rows)


def _choose(inspection: Inspection) -> list[Reader]:
    """Let the student choose models: pretrained, stretched, and the current one if it is new.

    Where another stands beside the current one, these two are drawn, and more only if chosen.
    """
    schemes = link.widget(
        st.pills,
        "schemes",
        "Models as trained",
        usual=[] if inspection.other else list(SCHEMES),
        options=list(SCHEMES),
        selection_mode="multi",
    )
    base = _stretchable(inspection)
    stretches = link.widget(
        st.pills,
        "stretch",
        f"Switched on after training, in {session.run_name(base.run)}",
        options=list(STRETCHES),
        selection_mode="multi",
        help="; ".join(f"{name}: {each.title}" for name, each in STRETCHES.items()),
    )
    factor = link.widget(st.select_slider, "factor", "Factor s", options=FACTORS)
    own = [
        Reader(
            name=f"{session.run_name(each.run)} ({_whose(each)})",
            run=each.run,
            step=each.step,
        )
        for each in inspection.models
        if inspection.other or each.run.id not in SCHEMES.values()
    ]
    named = {reader.run.id for reader in own}
    readers = [
        Reader(
            name=_named(scheme),
            run=pretrained_run(name),
            step=inspection.step if inspection.run.id == name else None,
        )
        for scheme, name in SCHEMES.items()
        if scheme in schemes and name not in named
    ]
    return (own + readers if inspection.other else readers + own) + [
        Reader(
            name=f"{STRETCHES[each].title}, s = {factor}",
            run=base.run,
            step=base.step,
            stretch=each,
            factor=float(factor),
        )
        for each in STRETCHES
        if each in stretches
    ]


def _whose(model: Inspection) -> str:
    return "beside it" if model.is_beside else "this model"


def _stretchable(inspection: Inspection) -> Reader:
    """Give the current model if it turns and has learned a text, else the pretrained one."""
    model = inspection.run.setup.model
    is_text = not isinstance(CORPORA.get(inspection.run.setup.corpus), Task)
    if POSITION[model.position].turns and is_text:
        return Reader(name="", run=inspection.run, step=inspection.step)
    return Reader(name="", run=pretrained_run(DEFAULT), step=None)


def _read_on(calls: list[None]) -> None:
    """Have the page run again once it is drawn; who was asked before is kept with the answer."""
    if calls:
        st.rerun()
    calls.append(None)


def _ask(readers: Sequence[Reader]) -> tuple[list[tuple[Reader, Answer]], list[str], int]:
    """Ask the readers one after the other, as long as a page may wait once it can draw something.

    Returns:
        What each found; why some found nothing; and how many were asked.
    """
    answers: list[tuple[Reader, Answer]] = []
    refused: list[str] = []
    bar, end = st.empty(), time.monotonic() + EARLY_SECONDS
    for at, reader in enumerate(readers):
        bar.progress(at / len(readers), f"Reading long texts: {content.escaped(reader.name)}")
        if answers and time.monotonic() > end:
            return answers, refused, at
        try:
            answer = session.engine().analyse(
                reader.run.id,
                "loss_by_position",
                step=reader.step,
                owner=session.owner(),
                **reader.values,
            )
        except UserError as error:
            refused.append(f"{reader.name}: {error}")
        else:
            answers.append((reader, answer))
    bar.empty()
    return answers, refused, len(readers)


def _curve(reader: Reader, answer: Answer) -> Curve:
    return Curve(
        name=reader.name,
        starts=answer["starts"],
        losses=answer["losses"],
        errors=answer["errors"],
        context=answer["context"],
        bin=answer["bin"],
    )


def _honest(answers: Sequence[tuple[Reader, Answer]]) -> str:
    n_texts = min(answer["n_texts"] for _, answer in answers)
    error = max(float(answer["errors"].max()) for _, answer in answers)
    n_steps = {reader.run.setup.training.steps for reader, _ in answers}
    steps = f"{n_steps.pop():,} steps each" if len(n_steps) == 1 else "different steps"
    corpora = {reader.run.setup.corpus for reader, _ in answers}
    length = max(answer["length"] for _, answer in answers)
    words = (
        f"Means over {n_texts} held-out windows of {length:,} tokens, computed now; the largest "
        f"standard error of a point is {error:.2f} nats. Trained for {steps}, none of them on "
        f"texts longer than its context. The first tokens of a window are hard for every model, "
        f"which raises the means within the context."
    )
    if len(corpora) > 1:
        words += " The models have learned different texts, so compare shapes, not levels."
    return words


def _named(scheme: str) -> str:
    return NAMES.get(scheme, scheme)
