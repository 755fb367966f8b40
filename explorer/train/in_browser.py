"""A run that trains in its student's own browser: what that is given, and how it is shown."""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from explorer import content, link, session, state
from explorer.components.browser_trainer import browser_trainer
from explorer.components.browser_trainer.material import material
from explorer.components.browser_trainer.shape import not_covered
from explorer.components.live_chart import updates
from explorer.engine.limits import check_lent
from explorer.engine.messages import Found
from explorer.engine.run import BROWSER, SERVER, Run
from explorer.engine.run_state import RunState
from explorer.train import live_run
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.setup import OWN_TEXT, Setup

PLACES = {SERVER: "The server", BROWSER: "This browser"}
_REST = "Saves battery and heat; it goes on by itself when you come back."
_BORROWER = "what this tab is known by that trains"
_TROUBLE = "trouble of the browser's run"


def choose() -> str:
    """Let the student choose where the next run trains, and whether it rests in a hidden tab."""
    place = link.widget(
        st.segmented_control,
        "where",
        "Where it trains",
        options=list(PLACES),
        format_func=PLACES.__getitem__,
        required=True,
        label_visibility="collapsed",
    )
    if place == BROWSER:
        link.widget(st.toggle, "rest", "Pause while this tab is hidden", help=_REST)
    return str(place)


def check(setup: Setup) -> None:
    """Refuse a run that no browser can train, or not this one.

    Raises:
        ConfigError: with the first reason.
    """
    if session.is_browser_unable():
        raise ConfigError(
            "This browser cannot train: it has no WebAssembly with 128-bit vectors, as every "
            "browser since 2023 has, or this page may not use it; choose the server."
        )
    if name := not_covered(setup):
        raise ConfigError(
            f"{name}: a browser cannot train that yet; choose another one, or let the run train on "
            f"the server."
        )
    check_lent(setup)


def offer_lost() -> None:
    """Offer to go on with a run that only this browser has; the page ends if it is looked at."""
    lost, current = session.lost_runs(), session.current_id()
    if not lost:
        return
    run_id = current if current in lost else next(iter(lost))
    step, steps = lost[run_id]
    whose = "this run" if run_id == current else "a run of yours"
    with st.container(key="lost_run", gap="xsmall"):
        st.info(
            f"The server does not have {whose} any more; this browser has kept it up to step "
            f"{step:,} of {steps:,}.",
            icon=":material/history:",
        )
        with st.container(horizontal=True, gap="xsmall", key="lost_row"):
            is_coming = session.wanted_back() == run_id
            st.button(
                "Bringing it back" if is_coming else "Go on with it",
                icon=":material/restore:",
                key="bring_back",
                type="primary",
                disabled=is_coming,
                on_click=partial(_bring_back, run_id),
                help="The server gets it from this browser: the same run, with its curve.",
            )
            st.button(
                "Drop it",
                icon=":material/delete:",
                key="drop_lost",
                on_click=partial(session.note_deleted, run_id),
                help="This browser forgets it, too.",
            )
        if why := session.why_not_back():
            st.error(content.escaped(why), icon=":material/error:")
    if run_id == current:
        st.stop()


def _bring_back(run_id: str) -> None:
    session.want_back(run_id)
    session.look_at(run_id)


def is_shown(run: Run) -> bool:
    """Tell whether a run is one that this student's browser trains, or may go on with."""
    return run.place == BROWSER and run.status is RunState.PAUSED and session.is_mine(run)


def show(run: Run, stage: live_run.Stage, options: live_run.CurveOptions) -> None:
    """Train a run in the browser and show it; arguments as of `live_run.show`."""
    st.fragment(_trainer)(run.id, options, stage)


def _trainer(run_id: str, options: live_run.CurveOptions, stage: live_run.Stage) -> None:
    run = session.engine().poll(run_id)
    if run is None or live_run.stage_of(run) != stage:
        st.rerun()  # the whole page looks different now
    browser_trainer(_values(run, options), lend=lambda: _lend(run))


def _values(run: Run, options: live_run.CurveOptions) -> dict[str, Any]:
    curve = live_run.CURVES[options.curve]
    others = session.overlaid_runs(run) if options.earlier else []
    return {
        "run": run.id,
        "owner": run.owner,
        "status": run.status,
        "steps": run.setup.training.steps,
        "nextRow": run.next_row,
        "tokensAStep": run.setup.tokens_a_step,
        "curve": {
            "axis": curve.axis,
            "lines": [[name, title, name in curve.smooth] for name, title in curve.lines],
        },
        "axis": live_run.AXES[options.axis],
        "log": options.log,
        "tiles": live_run.tiles(run),
        "lines": updates(live_run.lines_of(others, curve, options.axis), {}),
        "samples": [*run.samples[:1], *run.samples[1:][-1:]],
        "trouble": state.kept(_TROUBLE, str),
        "restsHidden": link.value("rest"),
    }


def _lend(run: Run) -> tuple[bytes, Mapping[str, Any]]:
    """Give what the browser needs; where it cannot be had, nothing, and the page says why."""
    history = {
        name: {
            "steps": series.steps.tolist(),
            "seconds": series.seconds.tolist(),
            "values": series.values.tolist(),
        }
        for name, series in run.series.items()
    }
    borrower = state.kept(_BORROWER, lambda: secrets.token_urlsafe(6))
    try:
        found = session.engine().lend(run.id, owner=session.owner(), borrower=borrower)
        keeps = _keeps(run, found)
    except UserError as error:
        state.keep(_TROUBLE, str(error))
        return b"", history
    state.keep(_TROUBLE, "")
    return material(run.setup, {**found.values, "keeps": keeps}, found.arrays), history


def _keeps(run: Run, found: Found) -> dict[str, Any]:
    """Give what the browser has to keep of a run to bring it back to a server that has lost it."""
    keeps = {"setup": run.setup.as_dict(), "deed": run.deed, "mark": found.values["mark"]}
    if run.setup.corpus == OWN_TEXT:
        keeps["text"] = session.engine().text_of(run.id, owner=session.owner())
    return keeps
