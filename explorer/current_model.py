"""The model that all pages look at, said in the bar, and a way to look at another."""

import streamlit as st

from explorer import content, link, session, state
from explorer.engine.run import BROWSER, Run
from explorer.engine.run_state import RunState
from explorer.page_list import TRAIN
from explorer.train.live_run import STATUS
from tiny_llama.cost import count_parameters
from tiny_llama.setup import setup_in_one_line

SLOWER = 4
"""How many times as rarely as a page's own live part the bar asks for news."""
_BACK = "Back to your run"
_CHOICE, _NAMED = "model_choice", "how the model is named"


def show() -> None:
    """Say which model the pages look at, and let the student switch."""
    run = session.current_run()
    with st.container(key="model", horizontal=True, vertical_alignment="center", gap="small"):
        _switch(run)
        if run is None:
            st.caption("The link's run is not on this server any more; choose another one.")
            return
        session.live(_state_of, lambda: _seconds(run))(run.id)
        _offer_own(run)


def _seconds(run: Run) -> float | None:
    """Say how often to ask for news; of a recorded run there are none."""
    if run.status == RunState.RECORDED:
        return None
    return SLOWER * (session.refresh_seconds() if run.is_moving else session.SLOWEST_SECONDS)


def _switch(run: Run | None) -> None:
    names = session.titles(run)
    link.show(_CHOICE, run.id if run else None)
    if run and state.kept(_NAMED, lambda: names[run.id]) != names[run.id]:
        # Streamlit 1.67 does not tell the browser that what is chosen is called otherwise now, as
        # when a student is known again, or has renamed their run.
        state.keep(_NAMED, names[run.id])
        state.show(_CHOICE, run.id)
    st.selectbox(
        "Model",
        list(names),
        format_func=lambda run_id: names.get(run_id, run_id),
        key=_CHOICE,
        on_change=link.by_hand(_CHOICE, _look),
        placeholder="Choose a model",
        label_visibility="collapsed",
        width=184,
    )


def _look() -> None:
    chosen = state.shown(_CHOICE)
    # After a restart of the server, the browser sends what it showed, which may name nothing yet.
    if chosen and session.engine().poll(chosen):
        session.look_at(chosen)


def _offer_own(run: Run) -> None:
    """Lead who looks at another model back to their own run that trains, or may go on."""
    own_runs = session.own_runs()
    waiting = (each for each in own_runs if _waits_in_browser(each))
    own = next((each for each in own_runs if each.is_moving), None) or next(waiting, None)
    if session.is_mine(run):
        return
    if own is None:
        _offer_lost()
        return
    if _waits_in_browser(own):
        hint = "It trains in this browser, or waits there to go on."
        if st.button(_BACK, icon=":material/play_circle:", key="own_run", help=hint):
            link.go(TRAIN, run=own.id)
        return
    st.button(
        "Your run trains",
        icon=":material/play_circle:",
        key="own_run",
        type="primary",
        on_click=lambda: session.look_at(own.id),
        help="Look at your own run, which trains meanwhile.",
    )


def _offer_lost() -> None:
    """Lead to a run that the server does not have any more, where this browser has kept it."""
    if run_id := next(iter(session.lost_runs()), ""):
        hint = "This browser has kept it; the server does not have it any more."
        if st.button(_BACK, icon=":material/restore:", key="own_run", help=hint):
            link.go(TRAIN, run=run_id)


def _waits_in_browser(run: Run) -> bool:
    return run.place == BROWSER and run.status is RunState.PAUSED


def _state_of(run_id: str) -> None:
    """Say how far the model is trained; a press says what it is, and how well it does."""
    run = session.engine().poll(run_id)
    if run is None:
        return
    with st.popover(_stands(run), type="tertiary", key="model_state"):
        if run.warning:
            st.warning(content.escaped(run.warning), icon=":material/warning:")
        if not run.is_readable:
            return
        n_parameters = count_parameters(run.setup.model)
        st.markdown(content.escaped(setup_in_one_line(run.setup)))
        st.markdown(f"{n_parameters:,} parameters; {_whose(run)}, {_how_well(run)}.")


def _stands(run: Run) -> str:
    if run.warning:
        return "Damaged" if run.is_readable else "Cannot be read"
    if not run.step:
        return "Untrained"
    return f"Training, step {run.step:,}" if run.is_moving else f"Step {run.step:,}"


def _whose(run: Run) -> str:
    if run.status == RunState.RECORDED:
        return "shipped with the app, training recorded"
    return "your own run" if session.is_mine(run) else "somebody else's run"


def _how_well(run: Run) -> str:
    status = "trained" if run.status == RunState.RECORDED else STATUS[run.status].lower()
    loss = run.last("held_out_loss")
    return f"{status}, step {run.step:,}" + (f", held-out loss {loss:.3f}" if loss else "")
