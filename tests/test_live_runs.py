"""How runs take turns in a worker, with a clock that the test turns."""

import pytest

from explorer.engine.messages import Control, News, Turn
from explorer.engine.run_state import RunState
from explorer.engine.worker import live_runs
from explorer.engine.worker.live_runs import NEWS_SECONDS, SLICE_SECONDS, LiveRun, LiveRuns
from tiny_llama.errors import CheckpointError


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


class FakeTrainer:
    """Takes as long for a step as it is told."""

    def __init__(self, clock, seconds, steps=10_000):
        self.config, self.next_step = self, 0
        self.clock, self.seconds, self.steps = clock, seconds, steps

    def __next__(self):
        self.clock.now += self.seconds
        self.next_step += 1
        return self.next_step - 1


class FakeRecorder:
    is_full = False

    def note(self, report):
        return {"step": report}

    def write_if_due(self):
        if self.is_full:
            raise CheckpointError("model.safetensors cannot be written (no space); make room.")

    def checkpoint(self):
        self.write_if_due()

    def flush(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(live_runs, "time", clock)
    return clock


@pytest.fixture
def told():
    return []


@pytest.fixture
def runs(told):
    return LiveRuns(told.append)


def add(runs, clock, name, seconds, *, steps=10_000, used=0.0):
    runs._runs[name] = LiveRun(
        id=name,
        trainer=FakeTrainer(clock, seconds, steps),
        recorder=FakeRecorder(),
        used=used,
        state=RunState.RUNNING,
        is_measured=True,
    )
    return runs._runs[name]


def test_runs_take_turns_and_each_has_the_same_time_however_long_its_steps_are(runs, clock):
    quick, middling, slow = (add(runs, clock, f"{n}", n / 1000) for n in (1, 7, 90))
    for _ in range(200):
        runs.train_a_slice()
    times = [run.trainer.next_step * run.trainer.seconds for run in (quick, middling, slow)]
    assert max(times) - min(times) <= 0.09 + SLICE_SECONDS
    assert quick.trainer.next_step > 50 * slow.trainer.next_step


def test_a_run_that_comes_back_does_not_make_up_for_its_pause(runs, clock):
    one, other = add(runs, clock, "one", 0.01), add(runs, clock, "other", 0.01)
    runs.control(Control(run="one", action="pause"))
    for _ in range(100):
        runs.train_a_slice()
    runs.control(Control(run="one", action="resume"))
    before = other.trainer.next_step
    for _ in range(20):
        runs.train_a_slice()
    assert one.trainer.next_step > 0
    assert other.trainer.next_step > before


def test_each_turn_is_told_before_it_begins_and_rows_at_most_so_often(runs, clock, told):
    add(runs, clock, "run", 0.01)
    for _ in range(40):
        runs.train_a_slice()
    assert isinstance(told[0], Turn)
    news = [each for each in told if isinstance(each, News)]
    rows = [row["step"] for each in news for row in each.rows]
    assert rows == list(range(len(rows)))
    assert len(news) <= clock.now / NEWS_SECONDS + 1
    assert len([each for each in told if isinstance(each, Turn)]) == 40


def test_a_run_does_its_first_step_at_once_however_long_it_takes(runs, clock, told):
    add(runs, clock, "run", 3 * SLICE_SECONDS)
    runs.train_a_slice()
    assert [row["step"] for each in told if isinstance(each, News) for row in each.rows] == [0, 1]


def test_a_run_that_ends_is_told_and_let_go(runs, clock, told):
    add(runs, clock, "run", 0.01, steps=3)
    runs.train_a_slice()
    assert told[-1].state is RunState.FINISHED
    assert not runs.are_moving
    with pytest.raises(CheckpointError, match="not live"):
        runs.control(Control(run="run", action="pause"))


def test_on_a_full_disk_a_run_waits_with_what_it_has_learned(runs, clock, told):
    run = add(runs, clock, "run", 0.01)
    run.recorder.is_full = True
    runs.train_a_slice()
    assert told[-1].state is RunState.PAUSED
    assert "could not be saved" in told[-1].message
    run.recorder.is_full = False
    runs.control(Control(run="run", action="resume"))
    assert (told[-1].state, told[-1].message) == (RunState.RUNNING, "")


def test_what_does_not_fit_how_a_run_stands_changes_nothing(runs, clock):
    run = add(runs, clock, "run", 0.01)
    runs.control(Control(run="run", action="step"))
    assert run.trainer.next_step == 0
    runs.control(Control(run="run", action="pause"))
    runs.control(Control(run="run", action="pause"))
    runs.control(Control(run="run", action="step"))
    assert (run.trainer.next_step, run.state) == (1, RunState.PAUSED)
