"""Experiments of a student's own, on any page: started, steered, and how far they are."""

from collections.abc import Callable, Mapping

import streamlit as st

from explorer import content, session
from explorer.compare.naming import side_title
from explorer.engine.experiment import Experiment, ExperimentAction, ExperimentState
from explorer.engine.limits import check_experiment
from explorer.engine.run_state import RunState
from tiny_llama.comparing.durations import in_words
from tiny_llama.comparing.plan import Plan
from tiny_llama.errors import UserError

STANDS: Mapping[ExperimentState, str] = {
    ExperimentState.RUNNING: "Running",
    ExperimentState.PAUSED: "Paused",
    ExperimentState.STOPPED: "Stopped",
    ExperimentState.FINISHED: "Finished",
}
LookAt = Callable[[str], None]
"""Lets a page show the experiment of this name; an empty one: none."""


# Before it starts.


def offer_own(look_at: LookAt, *, compares: bool) -> None:
    """Lead the student back to an experiment of theirs.

    Args:
        look_at: called in the callback of a press.
        compares: list those that compare sides, or those that do not, which are laws.
    """
    every = session.engine().experiments_of(session.owner())
    own = [each for each in every if bool(each.plan.comparisons) is compares]
    if not own:
        return
    with st.popover("Yours", icon=":material/history:"):
        for each in own:
            label = f"{content.escaped(each.plan.title)}, {STANDS[each.state].lower()}"
            st.button(label, key=f"open_{each.id}", on_click=lambda name=each.id: look_at(name))


def start(make: Callable[[], tuple[Plan, str | None]], look_at: LookAt) -> None:
    """Start an experiment and show it, or say why that cannot be.

    Args:
        make: makes its plan, and gives the student's own text, where its runs learn from that.
        look_at: called once it has started; the page runs anew then.
    """
    try:
        plan, text = make()
        name = session.engine().start_experiment(plan, owner=session.owner(), text=text)
    except UserError as error:
        st.error(content.escaped(str(error)), icon=":material/error:")
    else:
        look_at(name)
        st.rerun()


def say_how_long(make: Callable[[], tuple[Plan, str | None]], fair: str) -> None:
    """Say what would be run and how long that takes, measured here; or why it cannot be.

    Args:
        make: as for `start`.
        fair: a sentence of what all runs have in common.
    """
    try:
        plan, _ = make()
        seconds = session.engine().seconds_a_run(plan, owner=session.owner())
        check_experiment(plan, seconds)
    except UserError as error:
        st.warning(content.escaped(str(error)), icon=":material/warning:")
        return
    in_all = sum(seconds.values()) * plan.n_runs / len(plan.sides)
    st.caption(
        f"{plan.n_runs} runs, about **{in_words(in_all)}** if nobody else trains here. {fair}"
    )
    for name, side in plan.sides.items():
        if side.note:
            st.caption(f"{content.escaped(side_title(name))}: {content.escaped(side.note)}")
    for note in plan.notes:
        st.caption(content.escaped(note))


# While it goes on, and after.


def stage_of(experiment: Experiment) -> tuple[object, ...]:
    """Give what decides how the page around a live part looks."""
    is_mine = session.is_mine(experiment)
    return experiment.state, experiment.message, experiment.n_over, is_mine


def pace(experiment: Experiment) -> float:
    """Say how often a live part may ask for news of an experiment, in seconds."""
    is_running = experiment.state is ExperimentState.RUNNING
    return session.refresh_seconds() if is_running else session.SLOWEST_SECONDS


def keep_up(name: str, drawn: tuple[object, ...]) -> Experiment:
    """Say in a live part how far an experiment is; where the page looks different, run it anew.

    Args:
        name: of the experiment.
        drawn: how it stood when the page was drawn; see `stage_of`.
    """
    experiment = session.engine().experiment(name)
    if experiment is None or stage_of(experiment) != drawn:
        st.rerun()
    _say_how_far(experiment)
    return experiment


def steer(experiment: Experiment, look_at: LookAt, *, another: str) -> None:
    """Let its student pause it, go on, stop and delete it; let everybody start one.

    Args:
        experiment: what is steered.
        look_at: called with nothing in the callback of a press on another one.
        another: what that press is called.
    """
    with st.container(horizontal=True, gap="xsmall", key="race_play"):
        if session.is_mine(experiment):
            if experiment.state is ExperimentState.RUNNING:
                _button("Pause", ":material/pause:", "pause", experiment)
            elif experiment.state.can_go_on:
                _button("Go on", ":material/play_arrow:", "resume", experiment)
            if experiment.state in (ExperimentState.RUNNING, ExperimentState.PAUSED):
                _button("Stop", ":material/stop:", "stop", experiment)
        st.button(another, icon=":material/add:", key="new_race", on_click=lambda: look_at(""))
        if session.is_mine(experiment):
            with st.popover("More", icon=":material/more_horiz:", key="race_more"):
                st.caption("Deleted means gone: all its runs, also for who has the link.")
                if st.button("Delete for good", icon=":material/delete_forever:", key="race_gone"):
                    _act(lambda: _delete(experiment, look_at))


def _delete(experiment: Experiment, look_at: LookAt) -> None:
    session.engine().delete_experiment(experiment.id, owner=session.owner())
    look_at("")


def _button(label: str, icon: str, action: ExperimentAction, experiment: Experiment) -> None:
    if st.button(label, icon=icon, key=f"race_{action}"):
        engine, owner = session.engine(), session.owner()
        _act(lambda: engine.control_experiment(experiment.id, action, owner=owner))


def _act(act: Callable[[], None]) -> None:
    try:
        act()
    except UserError as error:
        st.error(content.escaped(str(error)), icon=":material/error:")
    else:
        st.rerun()


def _say_how_far(experiment: Experiment) -> None:
    """Say how far an experiment is, and how long it still takes."""
    said = [
        f"{STANDS[experiment.state]}: step {experiment.steps_done:,} of {experiment.n_steps:,}",
        f"{experiment.n_over} of {experiment.n_runs} runs over",
    ]
    if experiment.state is ExperimentState.RUNNING:
        left = experiment.seconds_left()
        said.append(f"{in_words(left)} left" if left is not None else "time left is being measured")
    st.progress(experiment.steps_done / experiment.n_steps, " · ".join(said))
    waiting = [run for run in experiment.runs.values() if run.status is RunState.WAITING]
    if waiting:
        st.caption(content.escaped(waiting[0].message))
