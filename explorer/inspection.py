"""What is inspected: the current model, after which step, and the text that it reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import streamlit as st

from explorer import content, link, session, showing
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.answer_cache import Answer
from explorer.engine.server.pretrained import DEFAULT, pretrained_run
from explorer.stage import Stage
from explorer.widgets import choose_index, choose_layer, choose_named
from explorer.words import MOST_CHARACTERS
from tiny_llama.analyses.roles import CLEAR, ROLES
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import UserError

FOLLOW_SECONDS = 3.0
"""How often a page that follows a run looks again."""
ALL_STEPS = "time"
"""The view that shows every step that was kept."""
_NOW = "now"
MOST_SHOWN = 26
"""Characters of the text that fit on its line."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A model as it was after a step, and a text that it read; all pictures of a page agree."""

    run: Run
    step: int
    text: str
    reading: Answer
    """See `tiny_llama.analyses.reading`."""
    other: "Inspection | None" = None
    """The model that stands beside it and has read the same text; see `explorer.beside`."""
    is_beside: bool = False
    """Whether it is that other one."""

    @property
    def models(self) -> Sequence["Inspection"]:
        """This one, and the other if there is one."""
        return (self, self.other) if self.other else (self,)

    @property
    def is_half(self) -> bool:
        """Whether its picture has half of the room."""
        return len(self.models) > 1 or self.is_beside

    def key(self, name: str) -> str:
        """Name a part of the page, which has one for each of two models."""
        return f"{name}_beside" if self.is_beside else name

    def analyse(self, analysis: str, **values: Any) -> Answer:
        """Analyse this model; where that fails, say why and end the page."""
        return analyse(analysis, run=self.run, step=self.step, **values)


def inspect(stage: Stage) -> Inspection:
    """Let the student choose text and step, and read the text; ends the page if that cannot be.

    A view of all steps has its own way through them, so the choice of one is not offered beside it.
    """
    with stage.shared:
        found = _inspect(is_of_one_step=stage.view != ALL_STEPS, takes_two=stage.takes_two)
        if found.run.id != DEFAULT and _names_parts(stage):
            st.caption(
                f":material/info: What to try names parts of {DEFAULT}; in this model, others may "
                f"do the same."
            )
        return found


def _names_parts(stage: Stage) -> bool:
    """Tell whether what to try names a layer, a head or a unit, as every model has its own."""
    if not content.has_words(stage.page, stage.view):
        return False
    return bool(
        re.search(r"(layer|head|unit|off) \d", content.inside(stage.page, stage.view).try_it)
    )


def _inspect(*, is_of_one_step: bool, takes_two: bool) -> Inspection:
    run = current_run()
    text = text_line(example_text(run))
    step = _step(run) if is_of_one_step else None
    if not text.strip():
        showing.stop("There is no text to read; write some words.")
    beside = choose_other(run) if takes_two else None
    reading = analyse("reading", run=run, step=_step_of(run, step), text=text)
    _say_how_it_was_read(run, reading)
    other = _read_beside(beside, step, text) if beside else None
    if other and not session.reads_alike(run, other.run):
        st.caption(
            "Each reads the text in tokens of its own tokenizer, so their losses a token do not "
            "compare."
        )
    inspection = Inspection(run=run, step=reading.step, text=text, reading=reading, other=other)
    _follow(inspection)
    return inspection


def choose_other(run: Run, nobody: str = "no other model") -> Run | None:
    """Let the student choose a model to stand beside this one; None: there is to be no other.

    Args:
        run: the model that it stands beside.
        nobody: what the list calls having chosen none.
    """
    named = link.value("beside", among=_Known())
    found = session.titles(session.engine().poll(named) if named else None)
    titles = {"": nobody} | {name: title for name, title in found.items() if name != run.id}
    options = {name: f"Beside it: {title}" for name, title in titles.items()}
    chosen = choose_named("Model beside it", options, key="beside", is_labelled=False)
    return session.engine().poll(chosen) if chosen else None


class _Known:
    """All models of which this server knows; nobody is among them, too."""

    def __contains__(self, name: object) -> bool:
        return not name or session.engine().poll(str(name)) is not None


def _read_beside(run: Run, step: int | None, text: str) -> Inspection | None:
    """Have another model read the text, too; where it cannot, say why, and show the first alone.

    It is taken after the same step as the first, if it has kept that, else as it stands.
    """
    if step not in session.engine().snapshot_steps(run):
        step = None
    name = content.escaped(session.run_name(run))
    try:
        reading = _ask("reading", run=run, step=_step_of(run, step), text=text)
    except UserError as error:
        st.warning(f"{name} cannot be shown beside it: {content.escaped(str(error))}")
        return None
    _say_how_it_was_read(run, reading, f"{name}: ")
    return Inspection(run=run, step=reading.step, text=text, reading=reading, is_beside=True)


def _step_of(run: Run, chosen: int | None) -> int | None:
    """Say after which step a model is looked at; None: as it stands."""
    return session.inspected_step(run) if chosen is None else chosen


def _say_how_it_was_read(run: Run, reading: Answer, whose: str = "") -> None:
    """Say what came of reading a text, and keep to this step of a model that trains."""
    if run.is_moving:
        session.inspect_step(run, reading.step)
    st.caption(whose + _summary(run, reading))
    if reading["note"]:
        st.warning(whose + content.escaped(reading["note"]), icon=":material/warning:")
    say_what_is_not_known(reading, whose)


def say_what_is_not_known(reading: Answer, whose: str = "") -> None:
    """Say which characters of a text the model's tokenizer has lost, or spells in bytes."""
    if lost := content.lost(reading["n_unknown"]):
        st.caption(f":material/warning: {whose}{lost}.")
    if spelled := content.in_bytes(reading["in_bytes"]):
        st.caption(f":material/translate: {whose}{content.escaped(spelled)}.")


def analyse(
    analysis: str, *, run: Run | None = None, step: int | None = None, **values: Any
) -> Answer:
    """Have the engine analyse a model; where that fails, say why and end the page."""
    try:
        return _ask(analysis, run=run, step=step, **values)
    except UserError as error:
        showing.stop(str(error))


def _ask(analysis: str, *, run: Run | None, step: int | None, **values: Any) -> Answer:
    with st.spinner("Looking", show_time=True):
        return session.engine().analyse(
            run.id if run else "", analysis, step=step, owner=session.owner(), **values
        )


def current_run() -> Run:
    """Give the run that pages look at, once its model is there; ends the page if that cannot be."""
    run = session.current_run()
    if run is None:
        showing.stop(
            "The link's run is not on this server any more; choose a model in the bar above."
        )
    if run.status == RunState.STARTING or (run.status == RunState.WAITING and not run.step):
        st.info("This run is still being prepared; its model shows here in a moment.")
        st.fragment(_wait, run_every=1.0)(run.id)
        st.stop()
    return run


def _wait(run_id: str) -> None:
    run = session.engine().poll(run_id)
    if run is None or run.status not in (RunState.WAITING, RunState.STARTING):
        st.rerun()


def example_text(run: Run) -> str:
    """Give a text of the kind that a run learned from."""
    corpus = CORPORA.get(run.setup.corpus)
    if isinstance(corpus, Task):
        n_characters = min(64, run.setup.model.context)
        return corpus.row(Random("example"), n_characters, held_out=True)[0]
    if corpus is not None:
        return content.example(corpus.name)
    return run.samples[-1][1][:120] if run.samples else "The cat sat on the mat, and the cat slept."


def text_line(example: str, label: str = "Text that the model reads") -> str:
    """Say in one line what the model reads; a press opens it, to write another text."""
    with st.popover(
        f"Text: {_beginning(link.value('text', usual=example))}",
        icon=":material/edit_note:",
        key="text_line",
        width="stretch",
    ):
        return text_box(example, label)


def _beginning(text: str) -> str:
    """Give the first words of a text, on one line."""
    words = " ".join(text.split())
    return content.escaped(words if len(words) <= MOST_SHOWN else f"{words[:MOST_SHOWN]}…")


def text_box(example: str, label: str = "Text that the model reads") -> str:
    """Let the student write a text, the same one on every page, or take an example."""
    if link.value("text", usual=example) == "":
        link.forget(["text"])
    words = link.widget(
        st.text_area,
        "text",
        label,
        usual=example,
        then=_cut,
        height=90,
        folded=True,
        help="Any text of yours; every picture on this page is of this text.",
    )
    return str(words or "")


def _cut() -> None:
    """Read the beginning of a text that is too long, and say so; the box alone would drop it."""
    text = link.value("text") or ""
    if len(text) > MOST_CHARACTERS:
        link.put(text=text[:MOST_CHARACTERS])
        st.toast(
            f"Your text has {len(text):,} characters; pages read the first {MOST_CHARACTERS:,}.",
            icon=":material/content_cut:",
            duration="long",
        )


def _step(run: Run) -> int | None:
    """Let the student choose a step of which the run has a snapshot; None: as it stands."""
    steps = [step for step in session.engine().snapshot_steps(run) if step < run.step]
    if not steps:
        return None
    chosen = link.widget(
        st.select_slider, "at", "The model after training step", options=[*map(str, steps), _NOW]
    )
    return None if chosen == _NOW else int(chosen)


def needs_heads(config: ModelConfig) -> None:
    """End the page where a model has no attention."""
    if not (config.has_attention and config.n_layers):
        showing.stop(
            f"This model has no attention to look at (attention='{config.attention}', "
            f"n_layers={config.n_layers}); choose another model."
        )


def choose_head(run: Run, *, folded: bool = False) -> tuple[int, int]:
    """Let the student choose one head of a model, counted from 0; ends the page without any."""
    config = run.setup.model
    needs_heads(config)
    layer, head = st.columns(2)
    usual_layer, usual_head = usual_place(run)
    with layer:
        chosen_layer = choose_layer(config.n_layers, usual_layer, folded=folded)
    with head:
        chosen_head = choose_index("head", "Head", config.n_heads, usual_head, folded=folded)
    return chosen_layer, chosen_head


def usual_place(run: Run) -> tuple[int, int]:
    """Say which layer and head are shown of a model until another is chosen.

    Of a shipped model that has learned a task it is the clearest induction head, if there is one,
    else the first head of all: a model that trains would change what its pages show.
    """
    is_shipped = run.status == RunState.RECORDED
    return _clearest_induction(run.id) if is_shipped and _is_task(run) else (0, 0)


@st.cache_data(show_spinner=False)
def _clearest_induction(name: str) -> tuple[int, int]:
    """Find the place of a shipped model's clearest induction head; such a model never changes."""
    run = pretrained_run(name)
    if not (run.setup.model.has_attention and run.setup.model.n_layers):
        return 0, 0
    roles = session.engine().analyse(name, "heads", text=example_text(run))["roles"]
    scores = np.nan_to_num(roles[..., list(ROLES).index("induction")])
    layer, head = np.unravel_index(scores.argmax(), scores.shape)
    return (int(layer), int(head)) if scores.max() >= CLEAR else (0, 0)


def _is_task(run: Run) -> bool:
    return isinstance(CORPORA.get(run.setup.corpus), Task)


def _summary(run: Run, reading: Answer) -> str:
    n, left_out = len(reading["tokens"]), reading["n_left_out"]
    words = f"{n:,} token{'s' * (n != 1)}"
    if left_out:
        words += f", which fill its context; {left_out:,} more are left out"
    if reading["counts"].any():
        loss = reading["losses"][reading["counts"]].mean()
        words += f" · loss {loss:.3f} nats a token" + " of the answers" * _is_task(run)
    return f"{words} · step {reading.step:,}"


def _follow(inspection: Inspection) -> None:
    """While a model trains, let the student look again, or go on looking."""
    moving = {each.run.id: each.step for each in inspection.models if each.run.is_moving}
    if not moving:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Look again", icon=":material/refresh:", help="Take the model as it is now."):
            _look_again(moving)
        follows = link.widget(st.toggle, "follow", "Follow the training")
    if follows:
        st.fragment(_look_again, run_every=FOLLOW_SECONDS)(moving)


def _look_again(shown: Mapping[str, int]) -> None:
    """Show the models as they are now, if one of them has come further than what is shown."""
    runs = [run for name in shown if (run := session.engine().poll(name)) is not None]
    further = [run for run in runs if run.step > shown[run.id]]
    for run in further:
        session.inspect_step(run, None)
    if further:
        st.rerun()
