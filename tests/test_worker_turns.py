"""How a worker shares its time between runs and questions, with a clock that the test turns."""

import io
from collections import Counter

import pytest
from tiny_runs import Clock

from explorer.engine.messages import Control, Done, encode
from explorer.engine.worker import serving
from explorer.engine.worker.live_runs import SLICE_SECONDS
from explorer.engine.worker.serving import Job, Worker


class FakeRuns:
    """Runs that always want the next turn, and take as long for it as they are told."""

    are_moving = True

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.used = clock, seconds, 0.0

    def train_a_slice(self):
        self.clock.now += self.seconds
        self.used += self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(serving, "time", clock)
    return clock


@pytest.fixture
def worker(clock):
    worker = Worker(io.BytesIO(), io.BytesIO())
    worker._runs = FakeRuns(clock, SLICE_SECONDS)
    return worker


def ask(worker, clock, number, seconds, n_pieces):
    """Ask a question of so many pieces, and note when it was answered."""
    answered = []

    def pieces():
        for _ in range(n_pieces):
            clock.now += seconds
            yield None
        answered.append(clock.now)
        yield Done()

    worker._jobs.append(Job(number=number, pieces=pieces()))
    return answered


@pytest.mark.parametrize("step_seconds", [0.05, 0.5])
@pytest.mark.parametrize("piece_seconds", [0.002, 0.3])
def test_questions_and_runs_have_half_of_the_time_each(worker, clock, step_seconds, piece_seconds):
    worker._runs.seconds = step_seconds
    ask(worker, clock, 1, piece_seconds, 10**6)
    while clock.now < 60:
        worker._work_a_slice()
    assert worker._runs.used == pytest.approx(30, abs=1)


def test_a_question_is_begun_before_the_next_turn_of_a_run(worker, clock):
    worker._work_a_slice()
    began = clock.now
    answered = ask(worker, clock, 1, 0.01, 3)
    worker._work_a_slice()
    assert answered == [pytest.approx(began + 0.03)]


def test_a_short_question_does_not_wait_for_long_ones(worker, clock):
    for number in range(12):
        ask(worker, clock, number, 0.04, 10**6)
    while clock.now < 60:
        worker._work_a_slice()
    began = clock.now
    answered = ask(worker, clock, 99, 0.04, 10)
    while not answered:
        worker._work_a_slice()
    assert answered[0] - began < 2 * 10 * 0.04 + 3 * SLICE_SECONDS


def test_who_asks_again_and_again_leaves_runs_their_half(worker, clock):
    for number in range(200):
        answered = ask(worker, clock, number, 0.2, 1)  # in one piece of four slices
        while not answered:
            worker._work_a_slice()
    assert worker._runs.used >= 0.45 * clock.now


def test_with_no_run_moving_questions_have_all_of_the_time(worker, clock):
    worker._runs.are_moving = False
    answered = ask(worker, clock, 1, 0.04, 100)
    while not answered:
        worker._work_a_slice()
    assert (answered[0], worker._runs.used) == (pytest.approx(4), 0)


def test_however_many_requests_wait_runs_have_turns_in_between(worker, clock, monkeypatch):
    turns = Counter()

    def take(asked):
        clock.now += 0.02  # as a checkpoint takes
        turns["requests"] += 1

    monkeypatch.setattr(worker, "_take", take)
    for number in range(100):
        worker._waiting.put(encode(Control(run="x", action="pause"), number))
    while turns["requests"] < 100:
        assert worker._take_what_waits()
        worker._work_a_slice()
    assert worker._runs.used >= 0.4 * clock.now
