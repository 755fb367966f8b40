"""Who is here and which run is looked at: the engine, the student, and the current run.

One run is the current one, and every page looks at it: a student's own, somebody else's out of a
link, or a pretrained model. The link names it; where it names none, it is a pretrained one.
"""

import secrets
import time
from collections.abc import Sequence

import streamlit as st

from explorer import link, state
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.pretrained import DEFAULT

OWNER = "owner_secret"
"""Under this name a tab keeps its student's secret."""
_SAMPLE = "sample_step"
_INSPECTED = "inspected step of "

FASTEST_SECONDS = 0.5
"""How often a page asks for news while few look."""
SLOWEST_SECONDS = 3.0
UPDATES_A_SECOND = 25
"""What the server may spend on live updates of everybody: some 6 ms each, a sixth of a core."""
MOST_OVERLAID = 5


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The one engine of this server, its worker starting while the first page is read."""
    engine = Engine()
    engine.warm_up()
    return engine


def owner() -> str:
    """The secret by which this student's runs are known; in no link."""
    return state.kept(OWNER, lambda: secrets.token_urlsafe(16))


def current_id() -> str:
    """The name of the run that pages look at: the link's, else a pretrained one."""
    return link.value("run") or DEFAULT


def current_run() -> Run | None:
    """The run that pages look at; None if the link's is not on this server any more."""
    return engine().poll(current_id())


def look_at(run_id: str) -> None:
    """Look at a run from now on, and put it in the link."""
    link.put(run="" if run_id == DEFAULT else run_id)


def is_mine(run: Run) -> bool:
    """Whether this student may steer a run."""
    return engine().is_owner(run, owner())


def is_text_mine(run: Run) -> bool:
    """Whether the own text that a run learns from is this student's."""
    return engine().is_text_owner(run, owner())


def own_runs() -> list[Run]:
    """This student's runs, newest first."""
    return engine().runs_of(owner())


def run_name(run: Run) -> str:
    """What a run is called on the screen: the student's own are numbered as they were started."""
    if run.status == RunState.RECORDED:
        return run.id
    return own_names().get(run.id, f"Run {run.id}")


def own_names() -> dict[str, str]:
    """What this student's runs are called, by their ids, newest first."""
    own = own_runs()
    return {
        run.id: f"Run {number}" for run, number in zip(own, range(len(own), 0, -1), strict=True)
    }


def overlaid_runs(run: Run) -> list[Run]:
    """Runs to lay over a run: those named in the link, then the student's last ones."""
    own = [each.id for each in own_runs() if each.step]
    named = link.value("overlay")
    ids = [each for each in dict.fromkeys([*named, *own]) if each != run.id]
    found = [engine().poll(each) for each in ids[:MOST_OVERLAID]]
    return [each for each in found if each is not None and each.step]


def overlay(run_id: str) -> None:
    """Lay a run over the current one from now on, and put it in the link."""
    names = dict.fromkeys([run_id, *link.value("overlay")])
    link.put(overlay=list(names)[:MOST_OVERLAID])


def refresh_seconds() -> float:
    """How often this page may ask for news: the more look at once, the less often each."""
    viewers, now = _viewers(), time.monotonic()
    viewers[owner()] = now
    for each in [each for each, seen in list(viewers.items()) if now - seen > 2 * SLOWEST_SECONDS]:
        viewers.pop(each, None)
    return min(SLOWEST_SECONDS, max(FASTEST_SECONDS, len(viewers) / UPDATES_A_SECOND))


def sample_step(steps: Sequence[int]) -> None:
    """Let the choice of a sample follow the newest one, unless the student looks at another."""
    newest = f"{_SAMPLE}: newest"
    chosen = state.shown(_SAMPLE)
    if chosen not in steps or chosen == state.shown(newest):
        state.show(_SAMPLE, steps[-1])
    state.keep(newest, steps[-1])


def inspected_step(run: Run) -> int | None:
    """The step at which this student looks into a run that goes on; None: as it stands."""
    step: int | None = state.kept(f"{_INSPECTED}{run.id}", lambda: None)
    return step if run.is_moving else None


def inspect_step(run: Run, step: int | None) -> None:
    """Look into a run as it is after this step, until told otherwise; None: as it then stands."""
    state.keep(f"{_INSPECTED}{run.id}", step)


@st.cache_resource(show_spinner=False)
def _viewers() -> dict[str, float]:
    """When each student's page last asked for news."""
    return {}
