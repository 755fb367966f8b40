"""What can be done with a run: steering it, copying it, asking it, taking it home."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from explorer import content, controls, session
from explorer.engine.limits import limits
from explorer.engine.messages import Action
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.exports import Export
from tiny_llama.cost import count_parameters
from tiny_llama.errors import UserError
from tiny_llama.hugging_face_layouts import layout_for
from tiny_llama.sample_config import SampleConfig
from tiny_llama.script import check_pieces, write_script
from tiny_llama.setup import OWN_TEXT, Setup, changes


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the widgets ask for: a setup, and the student's own text where that is the corpus."""

    setup: Setup
    text: str | None


def start(wanted: Wanted) -> None:
    """Start a run and look at it; the run looked at before counts as the one that was changed."""
    before = session.current_run()
    parent = before.id if before and session.is_mine(before) else None
    run_id = session.engine().start(
        wanted.setup, owner=session.owner(), text=wanted.text, parent=parent
    )
    session.look_at(run_id)


def messages(run: Run) -> None:
    """Say what happened to a run, if anything did, and what a recorded one is."""
    if run.status == RunState.RECORDED:
        setup = run.setup
        st.info(
            f"**Recorded:** the model {run.id}, {count_parameters(setup.model):,} parameters on "
            f"{setup.corpus}, {setup.training.steps:,} steps, trained by this project's own "
            f"script. Press Train to see one of your own.",
            icon=":material/history:",
        )
    elif run.status in (RunState.FAILED, RunState.INTERRUPTED):
        st.error(content.escaped(run.message), icon=":material/error:")
    elif run.message:
        st.info(content.escaped(run.message), icon=":material/info:")
    if run.damage:
        st.warning(content.escaped(run.damage), icon=":material/warning:")


def buttons(run: Run, wanted: Wanted | None) -> None:
    """Offer what can be done with a run as it stands, to its owner or to somebody else."""
    with st.container(horizontal=True):
        if session.is_mine(run):
            _steer(run)
            if wanted:
                _restart(run, wanted)
        elif run.status != RunState.RECORDED:
            _button(
                "Lay over mine", ":material/layers:", "overlay", lambda: session.overlay(run.id)
            )
        if run.status not in (RunState.RECORDED, RunState.STARTING, RunState.FAILED):
            _fork(run)
        if run.is_readable:
            _take_settings(run)
        if session.is_mine(run):
            _delete(run)


_ICONS: Mapping[Action, str] = {
    "pause": ":material/pause:",
    "resume": ":material/play_arrow:",
    "step": ":material/skip_next:",
    "stop": ":material/stop:",
}


def _steer(run: Run) -> None:
    if run.is_moving:
        _control("Pause", "pause", run, disabled=run.status == RunState.STARTING)
    elif run.status in (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED):
        _control("Go on", "resume", run)
    if run.is_live:
        _control("One step", "step", run, disabled=run.status != RunState.PAUSED)
        _control("Stop", "stop", run, disabled=run.status == RunState.STARTING)


def _control(label: str, action: Action, run: Run, *, disabled: bool = False) -> None:
    def steer() -> None:
        session.engine().control(run.id, action, owner=session.owner())

    _button(label, _ICONS[action], action, steer, disabled=disabled)


def _restart(run: Run, wanted: Wanted) -> None:
    """Stop this run, if it still goes, and start anew with what the widgets say now."""

    def restart() -> None:
        if run.is_live:
            session.engine().control(run.id, "stop", owner=session.owner())
        start(wanted)

    label = "Restart with changes" if changes(run.setup, wanted.setup) else "Restart"
    is_early = run.status == RunState.STARTING
    _button(label, ":material/restart_alt:", "restart", restart, disabled=is_early)


def _fork(run: Run) -> None:
    """Go on from here in a copy of one's own; one that is finished trains as long again."""
    done, most = run.setup.training.steps, limits().steps
    steps = done if run.status != RunState.FINISHED else min(2 * done, most)
    if run.status == RunState.FINISHED and steps == done:
        return

    def fork() -> None:
        session.look_at(session.engine().fork(run.id, owner=session.owner(), steps=steps))

    label = f"Train on to {steps:,}" if run.status == RunState.FINISHED else "Fork"
    hint = "Go on from here in a copy of your own; this run stays as it is."
    _button(label, ":material/fork_right:", "fork", fork, hint=hint)


def _take_settings(run: Run) -> None:
    def take() -> None:
        text = None
        if run.setup.corpus == OWN_TEXT:
            try:
                text = session.engine().text_of(run.id, owner=session.owner())
            except UserError as error:
                st.toast(str(error), icon=":material/lock:", duration="long")
        controls.take_setup(run.setup, text)

    st.button(
        "Take its settings",
        icon=":material/tune:",
        key="run_settings",
        on_click=take,
        help="Set every control on this page to what this run was started with.",
    )


def _delete(run: Run) -> None:
    def delete() -> None:
        session.engine().delete(run.id, owner=session.owner())
        session.look_at("")

    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("The run, its model and its log are gone then, also for those with the link.")
        _button("Delete for good", ":material/delete_forever:", "delete", delete)


def _button(
    label: str,
    icon: str,
    key: str,
    act: Callable[[], None],
    *,
    disabled: bool = False,
    hint: str | None = None,
) -> None:
    if not st.button(label, icon=icon, key=f"run_{key}", disabled=disabled, help=hint):
        return
    try:
        act()
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.rerun()


def prompt(run: Run) -> None:
    """Let the model, as it stands, go on from the student's words."""
    if run.status in (RunState.FAILED, RunState.STARTING):
        return
    with st.form("prompt", border=False):
        words = st.text_input(
            "Begin a text and let the model, as it stands, go on", max_chars=1000, key="prompt_text"
        )
        if not st.form_submit_button("Write on", icon=":material/edit:"):
            return
    try:
        with st.spinner("Writing"):
            text = session.engine().generate(run.id, words, SampleConfig())
        st.code(text, language=None, wrap_lines=True)
    except UserError as error:
        st.error(str(error), icon=":material/error:")


def downloads(run: Run) -> None:
    """Offer the run to take home, each packed only when it is asked for."""
    if run.status == RunState.STARTING or not run.is_readable:
        return
    st.subheader("Take it home", anchor=False)
    why_no_layout = _why_not(lambda: layout_for(run.setup.model))
    why_no_script = _why_not(lambda: check_pieces(run.setup))
    with st.container(horizontal=True):
        _download(run, "Run folder (zip)", "folder", f"{run.id}.zip", _run_hint(run))
        _download(
            run,
            "For transformers (zip)",
            "hugging_face",
            f"{run.id}-hugging-face.zip",
            why_no_layout or _HUGGING_FACE_HINT,
            disabled=bool(why_no_layout),
        )
        _download(run, "Metrics (CSV)", "metrics", f"{run.id}.csv", "Every step as a line.")
        st.download_button(
            "Script (.py)",
            data=lambda: write_script(run.setup),
            file_name=f"{run.id}.py",
            mime="text/x-python",
            icon=":material/download:",
            key="download_script",
            on_click="ignore",
            disabled=bool(why_no_script),
            help=why_no_script or _SCRIPT_HINT,
        )


def _run_hint(run: Run) -> str:
    if run.setup.corpus == OWN_TEXT and not session.is_text_mine(run):
        return "Weights, tokenizer, setup and log; the text is another student's and stays theirs."
    return "Weights, tokenizer, setup and log; `python -m tiny_llama train --resume` goes on."


_HUGGING_FACE_HINT = "A folder that `AutoModelForCausalLM.from_pretrained` opens."
_SCRIPT_HINT = "This setup as one file of PyTorch that needs nothing of this app."


def _download(
    run: Run, label: str, form: Export, name: str, hint: str, *, disabled: bool = False
) -> None:
    owner = session.owner()  # it is packed where no session is known
    st.download_button(
        label,
        data=lambda: session.engine().export(run.id, form, owner=owner),
        file_name=name,
        key=f"download_{form}",
        icon=":material/download:",
        on_click="ignore",
        disabled=disabled,
        help=hint,
    )


def _why_not(ask: Callable[[], object]) -> str:
    """Why something cannot be made of a run; empty where it can."""
    try:
        ask()
    except UserError as error:
        return str(error)
    return ""
