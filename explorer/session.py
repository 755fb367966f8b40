"""Who is here and which run is looked at: the engine, the student, and the current run.

One run is the current one, and every page looks at it: a student's own, somebody else's out of a
link, or a pretrained model. The link names it; where it names none, it is a pretrained one.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer import guard, link, state
from explorer.engine.experiment import Experiment
from explorer.engine.run import Mark, Run
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.pretrained import DEFAULT, PRETRAINED
from explorer.engine.store import fingerprint
from explorer.settings import Started, Text, name_by_what_differs, text_named
from tiny_llama.errors import UserError
from tiny_llama.setup import OWN_TEXT

P = ParamSpec("P")
OWNER = "owner_secret"
"""Under this name a tab keeps its student's secret."""
_SAMPLE = "sample_step"
_LOST, _DELETED = "runs that only this browser has", "runs that are deleted"
_WANTED_BACK, _WHY_NOT_BACK = "the run that is wanted back", "why it has not come"
_UNABLE = "this browser cannot train"
_INSPECTED = "inspected step of "

FASTEST_SECONDS = 0.5
"""How often a page asks for news while few look."""
SLOWEST_SECONDS = 3.0
"""How often it asks where little happens."""
LONGEST_SECONDS = 8.0
"""How often it asks of a server that cannot follow."""
UPDATES_A_SECOND = 25
"""Of everybody together there are about so many, however fast the server is."""
MOST_OVERLAID, MOST_LISTED = 5, 12
"""Runs that are laid over one, and runs that can be chosen for it."""


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """Lend the one engine of this server, its worker starting while the first page is read."""
    engine = Engine()
    engine.warm_up()
    return engine


def owner() -> str:
    """Give the secret by which this student's runs are known; in no link."""
    return state.kept(OWNER, lambda: secrets.token_urlsafe(16))


def current_id() -> str:
    """Name the run that pages look at: the link's, else a pretrained one."""
    return link.value("run") or DEFAULT


def current_run() -> Run | None:
    """Find the run that pages look at; None if the link's is not on this server any more."""
    return engine().poll(current_id())


def look_at(run_id: str) -> None:
    """Look at a run from now on, and put it in the link."""
    link.put(run="" if run_id == DEFAULT else run_id)


def is_mine(one: Run | Experiment) -> bool:
    """Tell whether this student may steer a run, or an experiment."""
    return engine().is_owner(one, owner())


def owner_mark() -> str:
    """Give the fingerprint by which runs know this student, which is useless to others."""
    return fingerprint(owner())


def note_kept_runs(kept: Mapping[str, tuple[int, int]]) -> None:
    """Note which runs this browser has kept, each with its last step and with how many it has.

    Those that the server has lost may be brought back; those that their student has deleted, not.
    """
    there = engine()
    for run_id in filter(there.is_deleted, kept):
        note_deleted(run_id)
    lost = {run_id: steps for run_id, steps in kept.items() if there.poll(run_id) is None}
    state.keep(_LOST, {each: lost[each] for each in lost if each not in deleted_runs()})


def lost_runs() -> Mapping[str, tuple[int, int]]:
    """List this student's runs that only their browser has, as `note_kept_runs` was told."""
    return state.kept(_LOST, dict[str, tuple[int, int]])


def wanted_back() -> str:
    """Name the run that the student wants brought back now; empty: none."""
    return state.kept(_WANTED_BACK, str)


def want_back(run_id: str) -> None:
    """Have the browser give back a run that the server has lost."""
    state.keep(_WANTED_BACK, run_id)
    state.keep(_WHY_NOT_BACK, "")


def why_not_back() -> str:
    """Say why the last run that was wanted back has not come; empty: it has."""
    return state.kept(_WHY_NOT_BACK, str)


def note_brought_back(run_id: str, refusal: str = "") -> None:
    """Note that the server has a run again, or why it has not."""
    if not refusal:
        state.keep(_LOST, {each: steps for each, steps in lost_runs().items() if each != run_id})
    if wanted_back() == run_id:
        state.keep(_WANTED_BACK, "")
        state.keep(_WHY_NOT_BACK, refusal)


def deleted_runs() -> list[str]:
    """List the runs of which this browser is to keep nothing."""
    return state.kept(_DELETED, list[str])


def note_deleted(run_id: str) -> None:
    """Note that a run is deleted, so that the browser drops what it has kept of it."""
    state.keep(_DELETED, [*deleted_runs(), run_id])
    note_brought_back(run_id)


def note_unable_browser() -> None:
    """Note that this student's browser has no engine that it could train with."""
    state.keep(_UNABLE, True)


def is_browser_unable() -> bool:
    """Tell whether this student's browser has said that it cannot train."""
    return state.kept(_UNABLE, bool)


def is_text_mine(run: Run) -> bool:
    """Tell whether the own text that a run learns from is this student's."""
    return engine().is_text_owner(run, owner())


def own_runs() -> list[Run]:
    """List this student's runs, newest first."""
    return engine().runs_of(owner())


def listed_runs() -> list[Run]:
    """List this student's runs that are not hidden: pinned ones first, then the newest."""
    shown = [run for run in own_runs() if run.mark is not Mark.HIDDEN]
    return sorted(shown, key=lambda run: run.mark is not Mark.PINNED)


def hidden_runs() -> list[Run]:
    """List this student's runs that are hidden, newest first."""
    return [run for run in own_runs() if run.mark is Mark.HIDDEN]


def run_name(run: Run) -> str:
    """Say what a run is called on screen: as its student calls it, else numbered as started."""
    if run.status == RunState.RECORDED:
        return run.id
    return run.name or own_names().get(run.id, f"Run {run.id}")


def own_names() -> dict[str, str]:
    """Say what this student's runs are called, by their ids, newest first."""
    own = own_runs()
    return {
        run.id: run.name or f"Run {number}"
        for run, number in zip(own, range(len(own), 0, -1), strict=True)
    }


def titles(named: Run | None) -> dict[str, str]:
    """List the models that can be chosen, and what each is called in a list.

    Args:
        named: the one that the link names; also listed where it is neither one's own nor shipped.
    """
    names = {each.id: full_name(each) for each in listed_runs()}
    names |= {name: f"{name}, shipped" for name in PRETRAINED}
    if named and named.id not in names:
        whose = "hidden" if is_mine(named) else "somebody else's"
        whose = "of an experiment" if named.experiment else whose
        names = {named.id: f"{run_name(named)}, {whose}"} | names
    return names


def full_name(run: Run) -> str:
    """Give a run's name, its text, and what is not as in Tiny LLaMA."""
    if not run.is_readable:
        return f"{run_name(run)}, cannot be read"
    words = [run_name(run), started(run).text_name, name_by_what_differs(run.setup)]
    return ", ".join(word for word in words if word)


def started(run: Run) -> Started:
    """Give all that decides what a run does; of another's text, only that it is another one."""
    text = None
    if run.setup.corpus == OWN_TEXT:
        try:
            text = _text_of(run.id, owner())
        except UserError:
            text = Text(name="somebody else's text", digest=run.id)
    return Started(setup=run.setup, text=text)


@st.cache_data(max_entries=2_000, show_spinner=False)
def _text_of(run_id: str, owner: str) -> Text:
    """Read the own text of a run; a run's text never changes."""
    return text_named(engine().text_of(run_id, owner=owner))


# Runs that are laid over the current one.


def overlaid_runs(run: Run) -> list[Run]:
    """List runs to lay over a run: those asked for, then the student's own that compare.

    Losses compare where text and tokenizer are the same.
    """
    return [each for each in comparable_runs(run) if is_overlaid(each, run)][:MOST_OVERLAID]


def comparable_runs(run: Run) -> list[Run]:
    """List runs that may be laid over a run: those asked for, then the student's as listed."""
    own = [each.id for each in listed_runs()[:MOST_LISTED] if each.step]
    ids = [each for each in dict.fromkeys([*link.value("overlay"), *own]) if each != run.id]
    found = [engine().poll(each) for each in ids]
    return [each for each in found if each is not None and each.step]


def is_overlaid(other: Run, run: Run) -> bool:
    """Tell whether a run is laid over another one."""
    if other.id in link.value("without"):
        return False
    return is_asked_for(other.id) or reads_alike(other, run)


def is_asked_for(run_id: str) -> bool:
    """Tell whether the link lays a run over whatever is looked at."""
    return run_id in link.value("overlay")


def reads_alike(one: Run, other: Run) -> bool:
    """Tell whether two runs learned the same text in the same tokens, so that losses compare."""
    texts = {started(each).text_id for each in (one, other)}
    tokenizers = {(each.setup.tokenizer, each.setup.vocab_size) for each in (one, other)}
    return len(texts) == len(tokenizers) == 1


def overlay(run_id: str, *, on: bool = True) -> None:
    """Lay a run over the current one from now on, or not any more, and say so in the link."""
    asked, without = (
        [each for each in link.value(word) if each != run_id] for word in ("overlay", "without")
    )
    link.put(
        overlay=[run_id, *asked][:MOST_OVERLAID] if on else asked,
        without=without if on else [run_id, *without][:MOST_LISTED],
    )


def refresh_seconds() -> float:
    """Say how often this page may ask for news.

    The more look at once, and the longer the server takes to answer, the less often each.
    """
    viewers, now = _viewers(), time.monotonic()
    viewers[owner()] = now
    for each in [each for each, seen in list(viewers.items()) if now - seen > 2 * LONGEST_SECONDS]:
        viewers.pop(each, None)
    n = len(viewers)
    wanted = max(FASTEST_SECONDS, n / UPDATES_A_SECOND, guard.seconds_between_news(n))
    return min(LONGEST_SECONDS, wanted)


def live(draw: Callable[P, None], pace: Callable[[], float | None]) -> Callable[P, None]:
    """Make a part of the page that asks for news by itself, as often as the server can follow.

    Its pace changes without a page run, which would cost a server that cannot follow the most.

    Args:
        draw: draws the part.
        pace: says how often it is to ask now, in seconds; None: there are no news.
    """
    told = pace()

    @wraps(draw)
    def draw_at_pace(*given: P.args, **named: P.kwargs) -> None:
        nonlocal told
        context, wanted = get_script_run_ctx(), pace()
        parts = context.fragment_ids_this_run if context else None
        if context and parts and told and wanted and not 0.6 < wanted / told < 1.6:
            told = wanted
            message = ForwardMsg()
            message.auto_rerun.fragment_id, message.auto_rerun.interval = parts[0], wanted
            context.enqueue(message)
        draw(*given, **named)

    return st.fragment(draw_at_pace, run_every=told)


def sample_step(steps: Sequence[int]) -> None:
    """Let the choice of a sample follow the newest one, unless the student looks at another."""
    newest = f"{_SAMPLE}: newest"
    chosen = state.shown(_SAMPLE)
    if chosen not in steps or chosen == state.shown(newest):
        state.show(_SAMPLE, steps[-1])
    state.keep(newest, steps[-1])


def inspected_step(run: Run) -> int | None:
    """Give the step at which this student looks into a run that goes on; None: as it stands."""
    step: int | None = state.kept(f"{_INSPECTED}{run.id}", lambda: None)
    return step if run.is_moving else None


def inspect_step(run: Run, step: int | None) -> None:
    """Look into a run as it is after this step, until told otherwise; None: as it then stands."""
    state.keep(f"{_INSPECTED}{run.id}", step)


@st.cache_resource(show_spinner=False)
def _viewers() -> dict[str, float]:
    """Keep when each student's page last asked for news."""
    return {}
