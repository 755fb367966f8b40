"""A run that a student's browser trains becomes the server's own, whichever page they look at.

The browser asks for a turn, gives what it has when it has one, and hears what has come of it: each
answer is what `hand_over.js` is drawn with next.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer import guard, session, state
from explorer.components.hand_over import hand_over
from explorer.page_list import TRAIN
from tiny_llama.errors import UserError

_ANSWERS, _ANSWER = "answers to the browser", "the last answer to the browser"
_SHOWS = "the page shows what the browser gave"


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
    said = {"answers": state.kept(_ANSWERS, int), "answer": state.kept(_ANSWER, dict)}
    hand_over(
        {"page": page, **said},
        ask=_ask,
        take=lambda given: _take(given, page),
        note_unable=lambda: _note_unable(page),
    )


def _note_unable(page: str) -> None:
    session.note_unable_browser()
    state.keep(_SHOWS, page == TRAIN)


def _ask(given: Mapping[str, Any]) -> None:
    """Say whether the browser may give what it has made of a run now, or when it is to ask again.

    Where the server has all of it, as an answer was lost, that is said.
    """
    run_id, step = str(given.get("run", "")), given.get("step")
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
    run = session.engine().poll(run_id)
    next_row = run.next_row if run is not None and session.is_mine(run) else 0
    state.keep(_ANSWER, {"run": run_id, "nextRow": next_row, **said})
    state.keep(_ANSWERS, state.kept(_ANSWERS, int) + 1)
