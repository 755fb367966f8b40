"""What can be done with a run: steering it, copying it, asking it, taking it home."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from explorer import content, controls, session, state
from explorer.engine.limits import limits
from explorer.engine.messages import Action
from explorer.engine.run import BROWSER, SERVER, Run
from explorer.engine.run_state import RunState
from explorer.engine.server.errors import EngineError
from explorer.engine.server.exports import Export
from explorer.settings import Started, differences, text_named
from tiny_llama.errors import UserError
from tiny_llama.hugging_face_layouts import layout_for
from tiny_llama.sample_config import SampleConfig
from tiny_llama.script import check_pieces, write_script
from tiny_llama.setup import OWN_TEXT, Setup

PRESSED_TWICE = 5.0
"""Seconds in which Train, pressed again for the same run, means that one: small models do their
first step before the page has shown that the press has been heard."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the widgets ask for: a setup, and the student's own text where that is the corpus."""

    setup: Setup
    text: str | None
    place: str = SERVER
    """Where it is to train."""

    @property
    def started(self) -> Started:
        """As a run that is started with it will be."""
        text = None if self.text is None else text_named(self.text)
        return Started(setup=self.setup, text=text)


def start(wanted: Wanted, *, within: float = PRESSED_TWICE) -> None:
    """Start a run and look at it; the run looked at before counts as the one that was changed.

    Args:
        wanted: what to train.
        within: seconds for which the same wish once more means the run that has just begun.
    """
    before = session.current_run()
    parent = before.id if before and session.is_mine(before) else None
    run_id = session.engine().start_once(
        wanted.setup,
        owner=session.owner(),
        text=wanted.text,
        parent=parent,
        place=wanted.place,
        within=within,
    )
    session.look_at(run_id)


def changed(run: Run, wanted: Wanted) -> dict[str, tuple[Any, Any]]:
    """Tell how what the widgets ask for differs from a run."""
    return differences(session.started(run), wanted.started)


def messages(run: Run) -> None:
    """Say what happened to a run, if anything did, and what a recorded one is."""
    if run.status == RunState.RECORDED:
        st.info(
            f"**Recorded:** {run.id} on {run.setup.corpus}, trained by this project's own script "
            f"for {run.step:,} steps. Press Train to see one of your own.",
            icon=":material/history:",
        )
    elif run.status in (RunState.FAILED, RunState.INTERRUPTED):
        st.error(content.escaped(run.message), icon=":material/error:")
    elif run.message:
        st.info(content.escaped(run.message), icon=":material/info:")
    if run.is_readable and run.warning:
        st.warning(content.escaped(run.warning), icon=":material/warning:")


def buttons(run: Run, wanted: Wanted | None) -> None:
    """Offer what is done with a run as it goes on, to its owner, or to lay somebody else's over."""
    if session.is_mine(run):
        if not run.experiment:  # which steers all its runs together
            _steer(run)
        if wanted:
            _restart(run, wanted)
    elif run.status != RunState.RECORDED:
        _lay_over(run)


def more(run: Run) -> None:
    """Offer what is done with a run once in a while; what it was for another run folds itself."""
    with st.popover("More", icon=":material/more_horiz:", key=f"more_{run.id}"):
        if run.status not in _WITHOUT_MODEL:
            _fork(run)
        if run.is_readable:
            _take_settings(run)
        _stop_all()
        _downloads(run)
        if session.is_mine(run) and not run.experiment:
            _delete(run)


UNKNOWN = "\ufffd"
"""What a tokenizer makes of a character that it does not know."""
_WITHOUT_MODEL = (RunState.RECORDED, RunState.WAITING, RunState.STARTING, RunState.FAILED)
_ICONS: Mapping[Action, str] = {
    "pause": ":material/pause:",
    "resume": ":material/play_arrow:",
    "step": ":material/skip_next:",
    "stop": ":material/stop:",
}
_AT_REST = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED)
_PRESSED = "pressed to steer"


def _steer(run: Run) -> None:
    if run.place == BROWSER:
        _bring_home(run)
        return
    if run.is_moving:
        _pause_or_go_on(run, "Pause", "pause")
    elif run.status in _AT_REST:
        _pause_or_go_on(run, "Go on", "resume")
    if run.is_live:
        _control("One step", "step", run, disabled=run.status != RunState.PAUSED)
        _control("Stop", "stop", run, disabled=run.status == RunState.STARTING)


def _bring_home(run: Run) -> None:
    """Let a run that its student's browser has stopped training, or cannot train, go on here."""
    can_wait = run.status is RunState.PAUSED and not session.is_browser_unable()
    if can_wait or run.status not in _AT_REST:
        return

    def bring() -> None:
        session.engine().bring_home(run.id, owner=session.owner())

    _button("Go on on the server", ":material/dns:", "home", bring)


def _pause_or_go_on(run: Run, label: str, action: Action) -> None:
    """Draw one button for both, which keeps the focus; it does what it said when it was pressed."""

    def steer() -> None:
        pressed: Action = state.kept(_PRESSED, lambda: action)
        session.engine().control(run.id, pressed, owner=session.owner())

    _button(
        label,
        _ICONS[action],
        "pause",
        steer,
        disabled=run.status in (RunState.WAITING, RunState.STARTING),
        before=lambda: state.keep(_PRESSED, action),
    )


def _control(label: str, action: Action, run: Run, *, disabled: bool = False) -> None:
    def steer() -> None:
        session.engine().control(run.id, action, owner=session.owner())

    _button(label, _ICONS[action], action, steer, disabled=disabled)


def _lay_over(run: Run) -> None:
    """Lay somebody else's run over one's own, or take it off again."""
    if session.is_asked_for(run.id):
        _button("Not over mine", ":material/layers_clear:", "overlay", lambda: _take_off(run))
    else:
        _button("Lay over mine", ":material/layers:", "overlay", lambda: session.overlay(run.id))


def _take_off(run: Run) -> None:
    session.overlay(run.id, on=False)


def _stop_all() -> None:
    """Stop every run of this student's that goes on, where there is more than one."""
    moving = [each for each in session.own_runs() if each.is_moving]
    if len(moving) < 2:
        return

    def stop() -> None:
        failed = [why for each in moving if (why := _why_not(partial(_stop, each)))]
        if failed:
            raise EngineError(failed[0])

    _button(f"Stop all mine ({len(moving)})", ":material/stop_circle:", "stop_all", stop)


def _stop(run: Run) -> None:
    session.engine().control(run.id, "stop", owner=session.owner())


def _restart(run: Run, wanted: Wanted) -> None:
    """Stop this run, if it still goes, and start anew with what the widgets say now."""

    def restart() -> None:
        if run.is_live and not run.experiment:
            _stop(run)
        start(wanted, within=0.0)

    label = "**Restart with changes**" if changed(run, wanted) else "Restart"
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
        session.note_deleted(run.id)
        session.look_at("")

    st.caption("Deleted means gone: run, model and log, also for those who have the link.")
    _button("Delete for good", ":material/delete_forever:", "delete", delete)


def _button(
    label: str,
    icon: str,
    key: str,
    act: Callable[[], None],
    *,
    disabled: bool = False,
    hint: str | None = None,
    before: Callable[[], None] | None = None,
) -> None:
    name = f"run_{key}"
    if not st.button(label, icon=icon, key=name, disabled=disabled, help=hint, on_click=before):
        return
    try:
        act()
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.rerun()


def prompt(run: Run) -> None:
    """Let the model, as it stands, go on from the student's words."""
    if run.status in (RunState.FAILED, RunState.WAITING, RunState.STARTING):
        return
    with st.form("prompt", border=False):
        words = st.text_input(
            "Begin a text and let the model, as it stands, go on", max_chars=1000, key="prompt_text"
        )
        if not st.form_submit_button("Write on", icon=":material/edit:"):
            return
    settings = SampleConfig(seed=secrets.randbits(32))  # another text at every press
    try:
        with st.spinner("Writing"):
            written = session.engine().generate(run.id, words, settings, owner=session.owner())
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        _written(words, written.text)
        if spelled := content.in_bytes(written.in_bytes):
            st.caption(f":material/translate: {content.escaped(spelled)}.")


def _written(prompt: str, text: str) -> None:
    """Show the prompt as the model read it, and apart from it what the model wrote."""
    read, said = text[: len(prompt)], text[len(prompt) :]
    if any(ours not in (theirs, UNKNOWN) for theirs, ours in zip(prompt, read, strict=False)):
        read, said = "", text  # a tokenizer that keeps no spaces, say
    if read:
        st.caption("Your words, as the model reads them")
        st.code(read, language=None, wrap_lines=True)
    if UNKNOWN in read and UNKNOWN not in prompt:
        st.caption(f"Its tokenizer does not know some of these characters: each is “{UNKNOWN}”.")
    st.caption("The model goes on" if read else "Your words, and how the model goes on")
    st.code(said, language=None, wrap_lines=True)


def _downloads(run: Run) -> None:
    """Offer the run to take home, each packed only when it is asked for."""
    has_none = run.status in (RunState.WAITING, RunState.STARTING) or not run.is_readable
    if has_none:
        return
    st.caption("Take it home")
    why_no_layout = _why_not(lambda: layout_for(run.setup.model))
    why_no_script = _why_not(lambda: check_pieces(run.setup))
    with st.container(gap="xsmall"):
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
        return "Weights, tokenizer, setup and log, without the text, which is another student's."
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
    """Say why something cannot be made of a run; empty where it can."""
    try:
        ask()
    except UserError as error:
        return str(error)
    return ""
