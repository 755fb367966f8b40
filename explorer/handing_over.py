"""A run that a student's browser trains becomes the server's own, whichever page they look at.

The browser asks for a turn, gives what it has when it has one, and hears what has come of it: each
answer is what `hand_over.js` is drawn with next. In the same way it gives back a run that the
server has lost, once its student has asked for that.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer import guard, session, state
from explorer.components.browser_trainer.shape import not_covered
from explorer.components.hand_over import hand_over
from explorer.engine.limits import limits
from explorer.engine.server.errors import EngineError
from explorer.engine.server.lost import read_lost
from explorer.engine.store import is_run_id
from explorer.page_list import TRAIN
from tiny_llama.errors import UserError

_ANSWERS, _ANSWER = "answers to the browser", "the last answer to the browser"
_VISIT = "this visit, by a name that no other has"
_SHOWS = "the page shows what the browser gave"


_MOST_KEPT = 10
"""Runs of which a browser says that it keeps them; it keeps three."""


def listen(page: str) -> None:
    """Take what the browser gives while a page is looked at.

    Args:
        page: its name.
    """
    st.fragment(_listen)(page)


def _listen(page: str) -> None:
    if state.kept(_SHOWS, bool):
        state.keep(_SHOWS, False)
        st.rerun()
    said = {
        "answers": state.kept(_ANSWERS, int),
        "answer": state.kept(_ANSWER, dict),
        "visit": state.kept(_VISIT, lambda: secrets.token_urlsafe(6)),
        "owner": session.owner_mark(),
        "deleted": session.deleted_runs(),
        "wanted": session.wanted_back(),
    }
    hand_over(
        {"page": page, **said},
        ask=_ask,
        note_kept=_note_kept,
        bring_back=_bring_back,
        take=lambda given: _take(given, page),
        note_unable=lambda: _note_unable(page),
    )


def _note_unable(page: str) -> None:
    session.note_unable_browser()
    state.keep(_SHOWS, page == TRAIN)


def _note_kept(given: Mapping[str, Any]) -> None:
    """Take note of the runs that the browser has kept; the page offers those that are lost."""
    said = given.get("runs")
    runs = said[:_MOST_KEPT] if isinstance(said, list) else []
    session.note_kept_runs(
        {each["run"]: (each["step"], each["steps"]) for each in runs if _is_kept_run(each)}
    )
    state.keep(_SHOWS, bool(session.lost_runs()))


def _is_kept_run(said: Any) -> bool:
    """Tell whether this says of a run what its name is, and how many of its steps are done."""
    if not isinstance(said, dict):
        return False
    run_id, step, steps = (said.get(name) for name in ("run", "step", "steps"))
    if type(step) is not int or type(steps) is not int or not 0 <= step <= steps:
        return False
    return isinstance(run_id, str) and is_run_id(run_id) and steps <= limits().steps


def _bring_back(given: Mapping[str, Any]) -> None:
    """Make a run anew that the server has lost, and say what has come of it."""
    run_id, refusal = str(given.get("run", "")), ""
    try:
        lost = read_lost(given)
        if name := not_covered(lost.setup):
            raise EngineError(f"{name}: no browser can have trained this; start a new run.")
        session.engine().bring_back(lost, owner=session.owner())
    except UserError as error:
        refusal = str(error)
    finally:
        guard.end_turn()
    session.note_brought_back(run_id, refusal)
    _answer(run_id, refusal=refusal)
    state.keep(_SHOWS, True)


def _ask(given: Mapping[str, Any]) -> None:
    """Say whether the browser may give what it has made of a run now, or when it is to ask again.

    Where the server has all of it, as an answer was lost, that is said.
    """
    run_id, step = str(given.get("run", "")), given.get("step")
    if run_id and run_id == session.wanted_back():
        _answer(run_id, wait=guard.seconds_until_turn())
        return
    try:
        has_all = session.engine().has_taken(
            run_id,
            step=step if isinstance(step, int) else -1,
            stops=given.get("stops") is True,
            owner=session.owner(),
        )
    except UserError as error:
        _answer(run_id, refusal=str(error))
    else:
        if has_all:
            _answer(run_id, refusal="")
        else:
            _answer(run_id, wait=guard.seconds_until_turn())


def _take(given: Mapping[str, Any], page: str) -> None:
    """Keep what the browser has made of a run, and say what has come of it.

    A page that looks inside a model stays as it is until the student asks for something, as it does
    where the server trains; it is drawn anew where they have just come, or where the run has ended.
    """
    run_id, engine = str(given.get("run", "")), session.engine()
    run, refusal = engine.poll(run_id), ""
    before = run.status if run else None
    try:
        engine.take_back(run_id, given, owner=session.owner())
    except UserError as error:
        refusal = str(error)
    finally:
        guard.end_turn()
    _answer(run_id, refusal=refusal)
    has_ended = run is not None and run.status is not before
    state.keep(_SHOWS, not refusal and (page == TRAIN or has_ended or given.get("shows") is True))


def _answer(run_id: str, **said: Any) -> None:
    """Answer the browser, as `hand_over.js` takes it."""
    engine = session.engine()
    run, is_deleted = engine.poll(run_id), engine.is_deleted(run_id)
    next_row = run.next_row if run is not None and session.is_mine(run) else 0
    state.keep(_ANSWER, {"run": run_id, "nextRow": next_row, "isDeleted": is_deleted, **said})
    state.keep(_ANSWERS, state.kept(_ANSWERS, int) + 1)
