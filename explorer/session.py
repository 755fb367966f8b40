"""The only home of session state, link parameters and caches."""

import secrets

import streamlit as st

from explorer.components.identity import remembered_owner
from explorer.engine.client import Engine
from explorer.engine.run import Run

_RUN = "run"
_OWNER = "owner_secret"


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The one engine of this server, its worker starting while the first page is read."""
    engine = Engine()
    engine.warm_up()
    return engine


def owner() -> str:
    """The secret by which this student's runs are known; in no link."""
    if _OWNER not in st.session_state:
        st.session_state[_OWNER] = secrets.token_urlsafe(16)
    return str(st.session_state[_OWNER])


def remember_owner() -> None:
    """Take up the secret that this browser kept from an earlier visit, if there is one."""
    if (kept := remembered_owner(owner())) and kept != owner():
        st.session_state[_OWNER] = kept
        st.rerun()


def current_run() -> Run | None:
    """The run that this page looks at: the one in the link; None if there is none any more."""
    run_id = st.query_params.get(_RUN)
    return engine().poll(run_id) if run_id else None


def look_at(run_id: str) -> None:
    """Look at a run from now on, and put it in the link."""
    st.query_params[_RUN] = run_id


def lost_run() -> bool:
    """Whether the link names a run that this server does not know."""
    return _RUN in st.query_params and current_run() is None
