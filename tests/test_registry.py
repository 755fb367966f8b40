"""How runs stand: by one table, in one place, whichever threads come; no worker is needed."""

import ast
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
    Turn,
)
from explorer.engine.run import Run
from explorer.engine.run_state import NEXT, RunState
from explorer.engine.server import admission as admission_module
from explorer.engine.server import dispatch as dispatch_module
from explorer.engine.server.admission import Admission
from explorer.engine.server.dispatch import Dispatch
from explorer.engine.server.errors import EngineError
from explorer.engine.server.registry import Registry
from tiny_llama.peak import step_bytes

ROOT = Path(__file__).parent.parent
STATES = list(RunState)


class FakeWorker:
    """A worker that notes what it is asked; how a start ends the test says."""

    def __init__(self):
        self.turn, self.is_ready, self.was_killed = Turn(run=""), True, False
        self.asked, self.then = [], None

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
    """Let a run train in a worker, which is a fake, as are all that come after it."""
    registry, run = with_run()
    dispatch = Dispatch(registry, Admission(registry, OWN))
    workers = [FakeWorker() for _ in range(6)]
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
    dead.turn = Turn(run=turn)
    dispatch.note_death(dead)
    return dead


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)))
def test_a_run_comes_to_stand_only_as_the_table_says(before, after):
    registry, run = with_run(before, message="as it was")
    worker = run.worker = FakeWorker()
    assert registry.move(run, after, "new") == (after in NEXT[before])
    if after in NEXT[before]:
        assert (run.status, run.message, "run" in registry.unsaved) == (after, "new", True)
        has_worker = after.is_live and after is not RunState.WAITING
        assert run.worker is (worker if has_worker else None)
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
    assert revives == {RunState.WAITING, RunState.STARTING, RunState.RUNNING}
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
    assert dispatch.workers[0].asked == [
        Start(run="run", student="me", folder="run", state=RunState.RUNNING)
    ]
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
        Start(run="run", student="me", folder="run", state=RunState.PAUSED),
        Control(run="run", student="me", action="step"),
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


def is_locked(registry):
    """Tell whether no other thread could change a run now."""

    def take():
        if taken := registry.lock.acquire(blocking=False):
            registry.lock.release()
        return taken

    with ThreadPoolExecutor(1) as other:
        return not other.submit(take).result()


def test_a_run_that_many_tabs_let_go_on_starts_once(dispatch, monkeypatch):
    registry, run = dispatch.registry, dispatch.run
    registry.take_news(dispatch.workers.pop(0), news(RunState.STOPPED))
    locked = []
    monkeypatch.setattr(
        dispatch._admission, "fits", lambda run: locked.append(is_locked(registry)) or True
    )
    for _ in range(3):
        dispatch._steer_from_folder(run, "resume")
    assert locked == [True]  # so another tab finds the run either still or started
    assert dispatch.workers[0].asked == [
        Start(run="run", student="me", folder="run", state=RunState.RUNNING)
    ]


def test_the_last_place_is_given_once(monkeypatch):
    registry, locked = Registry(), []
    admission = Admission(registry, replace(OWN, live_runs_a_student=3))
    add = registry.add
    monkeypatch.setattr(registry, "add", lambda run: (locked.append(is_locked(registry)), add(run)))
    for n in range(3):
        admission.admit(a_run(name=f"run {n}"))
    with pytest.raises(EngineError, match="3 runs going, the most"):
        admission.admit(a_run(name="one too many"))
    assert len(registry.all()) == 3
    assert locked == [True] * 3  # so nobody else comes in between the check and the run


# What does not fit waits in a line.

NEED = held_bytes(SETUP)
STEP = step_bytes(SETUP)


def room_for(n_runs):
    """Give a registry with memory for so many runs of the usual size, and who looks after it."""
    registry = Registry()
    most = n_runs * NEED + STEP
    return registry, Admission(registry, replace(OWN, training_bytes=most, live_runs_a_student=9))


def one_more(registry, admission, name, owner, status=RunState.STARTING, **changes):
    run = replace(a_run(status, name=name, **changes), owner=owner)
    registry.add(run)
    return run


def test_students_share_turns_and_each_shares_theirs_among_their_own_runs():
    registry, admission = room_for(9)
    worker = FakeWorker()
    for name, owner in (("a", "one"), ("b", "one"), ("c", "two")):
        one_more(registry, admission, name, owner, RunState.RUNNING, worker=worker)
    one_more(registry, admission, "d", "three", RunState.RUNNING, worker=FakeWorker())
    turns = {run.id: registry.share(run).n_turns for run in registry.all()}
    assert list(turns.values()) == [4, 4, 2, 1]
    assert {registry.share(run).n_all_runs for run in registry.all()} == {4}


def test_memory_counts_for_runs_in_a_worker_and_for_those_that_start():
    registry, admission = room_for(2)
    one_more(registry, admission, "starts", "one")
    paused = one_more(registry, admission, "p", "two", RunState.PAUSED, worker=FakeWorker())
    new = one_more(registry, admission, "new", "three", RunState.WAITING)
    assert not admission.fits(new)
    registry.release(paused)
    assert admission.fits(new)


def test_of_what_steps_take_only_the_largest_counts():
    registry, admission = room_for(3)
    runs = [one_more(registry, admission, f"{n}", f"{n}") for n in range(3)]
    assert all(map(admission.fits, runs))
    wide = replace(SETUP, training=replace(SETUP.training, batch_size=64))
    wider = one_more(registry, admission, "wider", "four", RunState.WAITING)
    wider.setup = wide
    assert not admission.fits(wider)


def test_one_students_runs_leave_room_for_others():
    registry, admission = room_for(8)
    for n in range(5):
        assert admission.fits(one_more(registry, admission, f"{n}", "greedy"))
    assert not admission.fits(one_more(registry, admission, "more", "greedy", RunState.WAITING))
    assert admission.fits(one_more(registry, admission, "another", "modest", RunState.WAITING))


def test_in_the_line_whoever_holds_least_comes_first_and_then_who_has_waited_longest():
    registry, admission = room_for(2)
    one_more(registry, admission, "holds", "greedy")
    since = {"greedy's": 1, "late": 3, "early": 2}
    owners = {"greedy's": "greedy", "late": "one", "early": "two"}
    for name, moment in since.items():
        waiting = one_more(registry, admission, name, owners[name], RunState.WAITING)
        waiting.waits_since = moment
    assert [run.id for run in admission.line()] == ["early", "late", "greedy's"]


def test_a_run_without_room_waits_with_its_place_and_starts_by_itself(dispatch, monkeypatch):
    registry, run, worker = dispatch.registry, dispatch.run, dispatch.workers[0]
    monkeypatch.setattr(admission_module, "held_bytes", lambda setup, text_bytes: 100)
    monkeypatch.setattr(admission_module, "step_bytes", lambda setup: 20)
    dispatch._admission.limits = replace(OWN, training_bytes=200)
    waiting = [one_more(registry, None, f"{n}", f"{n}") for n in range(2)]
    for each in waiting:
        dispatch.launch(each)
    assert [each.status for each in waiting] == [RunState.WAITING] * 2
    assert "place 1 of 2 in the line" in waiting[0].message
    assert "place 2 of 2 in the line" in waiting[1].message
    dispatch.let_in()
    assert waiting[0].status is RunState.WAITING
    registry.take_news(worker, news(RunState.STOPPED))
    dispatch.let_in()
    assert [each.status for each in waiting] == [RunState.STARTING, RunState.WAITING]
    assert worker.asked[-1].run == "0"
    assert "place 1 of 1" in waiting[1].message
    dispatch.steer(waiting[1], "stop")
    assert waiting[1].status is RunState.STOPPED
    assert run.status is RunState.STOPPED


def test_a_student_may_start_only_so_many_runs_a_minute(monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(admission_module.time, "monotonic", lambda: now[0])
    _, admission = room_for(99)
    admission.limits = replace(admission.limits, starts_a_minute=3)
    for n in range(3):
        admission.admit(a_run(RunState.FINISHED, name=f"{n}"))
        now[0] += 10
    with pytest.raises(EngineError, match=r"3 runs within a minute.*wait 30 seconds"):
        admission.admit(a_run(RunState.FINISHED, name="more"))
    admission.admit(replace(a_run(RunState.FINISHED, name="another's"), owner="you"))
    now[0] += 31
    admission.admit(a_run(RunState.FINISHED, name="more"))


# A run that the worker does not survive.


def test_a_run_that_the_worker_is_killed_under_twice_is_parked_and_the_others_go_on(dispatch):
    registry, run = dispatch.registry, dispatch.run
    other = one_more(registry, None, "other", "you")
    dispatch.launch(other)
    registry.take_news(dispatch.workers[0], replace(news(), run="other"))
    dispatch.workers[0].was_killed = True
    die(dispatch)
    assert run.status is other.status is RunState.STARTING
    for each in (run, other):
        registry.take_news(dispatch.workers[0], replace(news(), run=each.id))
    dispatch.workers[0].was_killed = True
    die(dispatch)
    assert (run.status, other.status) == (RunState.INTERRUPTED, RunState.STARTING)
    assert "memory ran out" in run.message
    assert "parked" in run.message
    assert not other.died_at
    n_asked = len(dispatch.workers[0].asked)
    dispatch.let_in()
    assert len(dispatch.workers[0].asked) == n_asked  # it stays parked
    dispatch.steer(run, "resume")  # until its owner lets it go on
    assert run.status is RunState.STARTING
    die(dispatch)
    assert run.status is RunState.STARTING


def test_nobody_is_blamed_for_a_death_during_a_look_or_long_ago(dispatch, monkeypatch):
    for _ in range(2):
        die(dispatch, turn="")
        begin(dispatch)
    assert not dispatch.run.died_at
    now = [1_000.0]
    monkeypatch.setattr(dispatch_module.time, "monotonic", lambda: now[0])
    die(dispatch)
    now[0] += dispatch_module.DEATH_SECONDS + 1
    begin(dispatch)
    dispatch.workers.append(FakeWorker())
    die(dispatch)
    assert dispatch.run.status is RunState.STARTING


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
