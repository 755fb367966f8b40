"""How runs stand: by one table, in one place, whichever threads come; no worker is needed."""

import ast
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from tiny_runs import SETUP

from explorer.engine.limits import OWN, held_bytes
from explorer.engine.messages import (
    AlreadyDone,
    Control,
    Done,
    Measured,
    News,
    Refused,
    Start,
    Started,
)
from explorer.engine.run import Run
from explorer.engine.run_state import NEXT, RunState
from explorer.engine.server.admission import Admission
from explorer.engine.server.dispatch import Dispatch
from explorer.engine.server.errors import EngineError
from explorer.engine.server.registry import Registry

ROOT = Path(__file__).parent.parent
STATES = list(RunState)


class FakeWorker:
    """A worker that notes what it is asked; how a start ends the test says."""

    def __init__(self):
        self.turn, self.is_ready, self.asked, self.then = "", True, [], None

    def ask(self, request, then=None):
        self.asked.append(request)
        self.then = then
        answer = Future()
        answer.set_result(Done())
        return answer


def a_run(status=RunState.STARTING, name="run", **changes):
    return Run(id=name, setup=SETUP, owner="me", folder=Path(name), status=status, **changes)


def with_run(status=RunState.STARTING, **changes):
    run = a_run(status, **changes)
    registry = Registry()
    registry.add(run)
    return registry, run


def news(state=RunState.RUNNING, *, message="", steps=()):
    rows = [{"step": step, "loss": 1.0, "seconds": 0.5} for step in steps]
    return News(run="run", state=state, message=message, rows=rows)


@pytest.fixture
def dispatch(monkeypatch):
    """A run that trains in a worker, which is a fake, as are all that come after it."""
    registry, run = with_run()
    dispatch = Dispatch(registry, Admission(registry, OWN))
    workers = [FakeWorker() for _ in range(4)]
    monkeypatch.setattr(dispatch.pool, "idlest", lambda busy: workers[0])
    dispatch.launch(run)
    dispatch.registry, dispatch.run, dispatch.workers = registry, run, workers
    begin(dispatch)
    return dispatch


def begin(dispatch, worker=None):
    """Let the worker say that the run has started, and that it runs."""
    worker = worker or dispatch.workers[0]
    worker.then(Started(next_step=dispatch.run.step + 1, vocab_size=12, note=""))
    dispatch.registry.take_news(worker, news())


def die(dispatch, *, turn="run"):
    """Let the worker die, and the next one be there."""
    dead = dispatch.workers.pop(0)
    dead.turn = turn
    dispatch.note_death(dead)
    return dead


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)))
def test_a_run_comes_to_stand_only_as_the_table_says(before, after):
    registry, run = with_run(before, message="as it was")
    worker = run.worker = FakeWorker()
    assert registry.move(run, after, "new") == (after in NEXT[before])
    if after in NEXT[before]:
        assert (run.status, run.message, "run" in registry.unsaved) == (after, "new", True)
        assert run.worker is (worker if after.is_live else None)
    else:
        assert (run.status, run.message, registry.unsaved) == (before, "as it was", {})
        assert run.worker is worker


def test_the_table_has_a_row_for_every_state_and_leads_everywhere_but_to_recorded():
    assert set(NEXT) == set(STATES)
    assert set().union(*NEXT.values()) == set(STATES) - {RunState.RECORDED}
    assert not NEXT[RunState.FINISHED]
    assert [state for state in STATES if state.can_go_on] == [
        RunState.PAUSED,
        RunState.STOPPED,
        RunState.FAILED,
        RunState.INTERRUPTED,
    ]


def test_only_the_registry_says_how_a_run_stands_and_which_worker_has_it():
    found = set()
    for path in [*(ROOT / "explorer").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            flat = [each for it in targets for each in getattr(it, "elts", [it])]
            if {"status", "worker"} & {it.attr for it in flat if isinstance(it, ast.Attribute)}:
                found.add(path.name)
    assert found == {"registry.py"}


def test_a_run_that_moved_when_the_server_ended_goes_on_when_somebody_looks():
    runs = [a_run(state, name=state) for state in STATES]
    registry = Registry(runs)
    revives = {run.id for run in registry.all() if run.revives}
    assert revives == {RunState.STARTING, RunState.RUNNING}
    assert all(registry.find(name).status is RunState.INTERRUPTED for name in revives)
    assert {run.status for run in runs if not run.revives} == set(STATES) - revives
    assert not registry.unsaved  # else it would not be taken up by the server after this one


def test_news_add_rows_and_say_how_a_run_stands(dispatch):
    registry, run, worker = dispatch.registry, dispatch.run, dispatch.workers[0]
    registry.take_news(worker, news(steps=[1, 2]))
    registry.take_news(worker, news(RunState.PAUSED, message="No room.", steps=[3]))
    registry.take_measure(worker, "run", {"weights": 7})
    assert list(run.series["loss"].steps) == [1, 2, 3]
    assert (run.status, run.message, run.measured) == (RunState.PAUSED, "No room.", {"weights": 7})


def test_what_a_worker_says_that_has_the_run_no_more_is_not_believed(dispatch):
    registry, run = dispatch.registry, dispatch.run
    dead = die(dispatch)
    begin(dispatch)
    registry.take_news(dispatch.workers[0], news(steps=[1]))
    registry.take_news(dead, news(RunState.FINISHED, steps=[1, 2, 3]))
    registry.take_measure(dead, "run", {"weights": 7})
    dead.then(Refused(sentence="Too late."))
    registry.take_start(run, dead, Started(next_step=1, vocab_size=99, note=""), "Too late.")
    assert (run.status, run.measured) == (RunState.RUNNING, {})
    assert list(run.series["loss"].steps) == [1]
    assert run.setup.model.vocab_size == 12
    assert "Too late" not in run.message


def test_news_of_a_run_that_is_gone_or_done_change_nothing(dispatch):
    registry, run, worker = dispatch.registry, dispatch.run, dispatch.workers[0]
    registry.take_news(worker, news(RunState.STOPPED))
    registry.take_news(worker, news(RunState.RUNNING, steps=[5]))
    assert (run.status, run.step, run.worker) == (RunState.STOPPED, 0, None)
    registry.remove("run")
    registry.take_news(worker, news(RunState.RUNNING, steps=[6]))
    assert run.step == 0


def test_a_start_that_is_refused_or_needless_is_noted(dispatch):
    registry, run = dispatch.registry, dispatch.run
    die(dispatch)
    dispatch.workers[0].then(Refused(sentence="It is too short."))
    assert (run.status, run.message, run.worker) == (RunState.FAILED, "It is too short.", None)
    dispatch.steer(run, "resume")
    dispatch.workers[0].then(AlreadyDone())
    assert (run.status, run.message, run.worker) == (RunState.FINISHED, "", None)
    n_asked = len(dispatch.workers[0].asked)
    for action in ("resume", "step", "pause", "stop"):
        dispatch.steer(run, action)
    assert run.status is RunState.FINISHED
    assert len(dispatch.workers[0].asked) == n_asked
    assert "run" in registry.unsaved


def test_a_run_goes_on_in_another_worker_but_not_after_two_deaths_in_its_own_turn(dispatch):
    run = dispatch.run
    die(dispatch)
    assert (run.status, run.worker) == (RunState.STARTING, dispatch.workers[0])
    assert dispatch.workers[0].asked == [Start(run="run", folder="run", state=RunState.RUNNING)]
    begin(dispatch)
    assert "ended unexpectedly. This run went on from step 0" in run.message
    die(dispatch, turn="another")
    begin(dispatch)
    die(dispatch)
    assert (run.status, run.worker) == (RunState.INTERRUPTED, None)
    assert "ended twice" in run.message


def test_a_paused_run_whose_worker_ends_stays_paused(dispatch):
    dispatch.registry.take_news(dispatch.workers[0], news(RunState.PAUSED))
    die(dispatch)
    assert (dispatch.run.status, dispatch.run.worker) == (RunState.PAUSED, None)
    dispatch.steer(dispatch.run, "step")
    assert dispatch.workers[0].asked == [
        Start(run="run", folder="run", state=RunState.PAUSED),
        Control(run="run", action="step"),
    ]


def test_where_no_worker_can_start_or_gets_ready_the_run_says_so(dispatch, monkeypatch):
    dispatch.workers[0].is_ready = False
    die(dispatch)
    assert "could not start" in dispatch.run.message
    dispatch.steer(dispatch.run, "resume")
    begin(dispatch)

    def no_room(*_args, **_settings):
        raise BlockingIOError("no room for one more process")

    monkeypatch.undo()
    monkeypatch.setattr("explorer.engine.server.process.subprocess.Popen", no_room)
    die(dispatch, turn="another")
    assert dispatch.run.status is RunState.INTERRUPTED
    assert "No worker process can be started" in dispatch.run.message
    with pytest.raises(EngineError, match="No worker process"):
        dispatch.steer(dispatch.run, "resume")
    assert dispatch.run.status is RunState.INTERRUPTED


def at_once(n_threads, work):
    """Do something in several threads that all begin at the same moment; what each returned."""
    gate = threading.Barrier(n_threads)

    def do():
        gate.wait()
        return work()

    with ThreadPoolExecutor(n_threads) as threads:
        return [each.result() for each in [threads.submit(do) for _ in range(n_threads)]]


def test_a_run_that_many_tabs_let_go_on_starts_once(dispatch):
    registry, run = dispatch.registry, dispatch.run
    registry.take_news(dispatch.workers[0], news(RunState.STOPPED))
    dispatch.workers.pop(0)
    at_once(8, lambda: dispatch.steer(run, "resume") if run.worker is None else None)
    starts = [each for each in dispatch.workers[0].asked if isinstance(each, Start)]
    assert starts == [Start(run="run", folder="run", state=RunState.RUNNING)]


def test_the_last_room_is_given_once():
    registry = Registry()
    admission = Admission(registry, replace(OWN, live_runs_a_student=3))
    names = iter(range(100))

    def try_one():
        try:
            admission.admit(a_run(name=f"run {next(names)}"))
        except EngineError as error:
            return str(error)
        return ""

    refusals = [each for each in at_once(8, try_one) if each]
    assert len(registry.all()) == 3
    assert len(refusals) == 5
    assert all("3 runs going, the most" in each for each in refusals)


def test_memory_counts_for_runs_in_a_worker_and_for_those_that_start():
    registry = Registry()
    admission = Admission(registry, replace(OWN, training_bytes=2 * held_bytes(SETUP)))
    admission.admit(a_run(name="starts"))
    admission.admit(a_run(RunState.PAUSED, name="waits", worker=FakeWorker()))
    with pytest.raises(EngineError, match="choose a smaller model"):
        admission.check_memory(SETUP)
    registry.release(registry.find("waits"))
    admission.check_memory(SETUP)


def test_a_change_is_saved_only_as_far_as_it_was_written():
    registry, run = with_run()
    registry.say(run, "one")
    n_changes = registry.unsaved["run"]
    registry.say(run, "two")
    registry.note_saved("run", n_changes)
    assert registry.unsaved
    registry.note_saved("run", registry.unsaved["run"])
    assert not registry.unsaved


def test_something_is_said_only_of_a_run_that_still_stands_so():
    registry, run = with_run(RunState.RUNNING)
    registry.say(run, "Paused, since nobody looked.", of=RunState.PAUSED)
    assert run.message == ""
    registry.move(run, RunState.PAUSED)
    registry.say(run, "Paused, since nobody looked.", of=RunState.PAUSED)
    assert run.message


def test_measured_messages_go_to_the_run_that_they_name(dispatch):
    dispatch._take(dispatch.workers[0], Measured(run="run", measured={"weights": 7}))
    dispatch._take(dispatch.workers[0], Measured(run="gone", measured={"weights": 8}))
    assert dispatch.run.measured == {"weights": 7}
