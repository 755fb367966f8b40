"""How a worker shares its time between students, runs and looks, with a clock that a test turns."""

import io
from collections import Counter, defaultdict

import pytest
from tiny_runs import Clock

from explorer.engine.messages import Control, Done, encode
from explorer.engine.worker import serving
from explorer.engine.worker.live_runs import SLICE_SECONDS
from explorer.engine.worker.serving import Job, Worker
from explorer.engine.worker.shares import CREDIT


class FakeRuns:
    """Runs that always want the next turn, and take as long for it as they are told."""

    are_moving = True

    def __init__(self, clock, shares, seconds):
        self.clock, self.shares, self.seconds = clock, shares, seconds
        self.students = ["run"]
        self.used = Counter()

    @property
    def n_students(self):
        return len(self.students)

    def whose_turn(self, others):
        return self.shares.least({*self.students, *others})

    def train_a_slice(self, student):
        self.clock.now += self.seconds
        self.used[student] += self.seconds
        self.shares.charge(student, self.seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(serving, "time", clock)
    return clock


@pytest.fixture
def worker(clock):
    worker = Worker(io.BytesIO(), io.BytesIO())
    worker._runs = FakeRuns(clock, worker._shares, SLICE_SECONDS)
    return worker


def ask(worker, clock, number, seconds, n_pieces, student=None):
    """Ask a question of so many pieces, and note when it was answered."""
    answered = []

    def pieces():
        for _ in range(n_pieces):
            clock.now += seconds
            yield None
        answered.append(clock.now)
        yield Done()

    student = student or f"student {number}"
    worker._jobs.append(Job(student=student, number=number, pieces=pieces()))
    return answered


def work_until(worker, clock, condition):
    """Let the worker work, and say how long that took."""
    began = clock.now
    while not condition():
        worker._work_a_slice()
    return clock.now - began


@pytest.mark.parametrize("step_seconds", [0.05, 0.5])
@pytest.mark.parametrize("piece_seconds", [0.002, 0.3])
def test_questions_and_runs_have_half_of_the_time_each(worker, clock, step_seconds, piece_seconds):
    worker._runs.seconds = step_seconds
    ask(worker, clock, 1, piece_seconds, 10**6)
    work_until(worker, clock, lambda: clock.now > 60)
    assert worker._runs.used["run"] == pytest.approx(30, abs=1)


def test_while_several_students_train_looks_have_a_third_of_the_time(worker, clock):
    worker._runs.students = ["one", "two", "three"]
    for number in range(200):  # each by somebody new
        answered = ask(worker, clock, number, 0.2, 1)
        work_until(worker, clock, lambda answered=answered: answered)
    assert sum(worker._runs.used.values()) == pytest.approx(clock.now * 2 / 3, rel=0.05)


def test_a_question_is_begun_before_the_next_turn_of_a_run(worker, clock):
    worker._work_a_slice()
    began = clock.now
    answered = ask(worker, clock, 1, 0.01, 3)
    worker._work_a_slice()
    assert answered == [pytest.approx(began + 0.03)]


def test_a_short_question_does_not_wait_for_long_ones(worker, clock):
    for number in range(12):
        ask(worker, clock, number, 0.04, 10**6)
    work_until(worker, clock, lambda: clock.now > 60)
    answered = ask(worker, clock, 99, 0.04, 10)
    took = work_until(worker, clock, lambda: answered)
    assert took < 2 * 10 * 0.04 + 3 * SLICE_SECONDS


def test_who_asks_again_and_again_leaves_runs_their_half(worker, clock):
    for number in range(200):
        answered = ask(worker, clock, number, 0.2, 1)  # in one piece of four slices
        work_until(worker, clock, lambda answered=answered: answered)
    assert worker._runs.used["run"] >= 0.45 * clock.now


def test_with_no_run_moving_questions_have_all_of_the_time(worker, clock):
    worker._runs.are_moving, worker._runs.students = False, []
    answered = ask(worker, clock, 1, 0.04, 100)
    took = work_until(worker, clock, lambda: answered)
    assert (took, worker._runs.used["run"]) == (pytest.approx(4), 0)


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
    assert worker._runs.used["run"] >= 0.4 * clock.now


# Nobody has more than their share in the long run, whatever they look at.


@pytest.fixture
def class_of_ten(worker):
    worker._runs.students = [f"student {number}" for number in range(10)]
    return worker


@pytest.mark.parametrize("n_tabs", [1, 12])
@pytest.mark.parametrize("piece_seconds", [0.002, 0.3])
def test_who_looks_all_the_time_pays_with_their_own_runs_turns(
    class_of_ten, clock, n_tabs, piece_seconds
):
    for number in range(n_tabs):
        ask(class_of_ten, clock, number, piece_seconds, 10**6, student="student 0")
    work_until(class_of_ten, clock, lambda: clock.now > 100)
    used = class_of_ten._runs.used
    others = [used[f"student {number}"] for number in range(1, 10)]
    assert min(others) > (100 - CREDIT) / 10 - 1
    assert max(others) - min(others) <= SLICE_SECONDS * 1.01


def test_who_only_looks_has_a_students_share_too(class_of_ten, clock):
    ask(class_of_ten, clock, 1, 0.01, 10**6, student="visitor")
    work_until(class_of_ten, clock, lambda: clock.now > 110)
    assert sum(class_of_ten._runs.used.values()) == pytest.approx(100, abs=CREDIT + 0.5)


def test_a_first_look_comes_at_once_however_many_train_and_look_all_the_time(class_of_ten, clock):
    ask(class_of_ten, clock, 1, 0.01, 10**6, student="student 0")
    work_until(class_of_ten, clock, lambda: clock.now > 100)
    answered = ask(class_of_ten, clock, 2, 0.05, 4, student="student 5")
    assert work_until(class_of_ten, clock, lambda: answered) <= 3 * 0.2 + 3 * SLICE_SECONDS


def test_looks_now_and_then_never_wait_and_a_run_never_stands_still_for_them(class_of_ten, clock):
    runs, moved_at, longest = class_of_ten._runs, defaultdict(float), 0.0
    for number in range(200):
        student = f"student {number % 10}"
        answered = ask(class_of_ten, clock, number, 0.05, 4, student=student)
        assert work_until(class_of_ten, clock, lambda a=answered: a) <= 3 * 0.2 + 3 * SLICE_SECONDS
        for _ in range(20):
            before = Counter(runs.used)
            class_of_ten._work_a_slice()
            for each in runs.used - before:
                longest = max(longest, clock.now - moved_at[each])
                moved_at[each] = clock.now
    assert longest < 3.0
    spread = [runs.used[each] for each in runs.students]
    assert max(spread) - min(spread) < 1.0


def test_who_was_away_neither_owes_for_ever_nor_makes_up_for_it(class_of_ten, clock):
    ask(class_of_ten, clock, 1, 0.05, 200, student="visitor")
    work_until(class_of_ten, clock, lambda: not class_of_ten._jobs)
    assert not class_of_ten._shares.may_hurry("visitor") or class_of_ten._shares.owed("visitor")
    work_until(class_of_ten, clock, lambda: clock.now > 1_000)
    assert class_of_ten._shares.owed("visitor") == 0
    before, began = sum(class_of_ten._runs.used.values()), clock.now
    ask(class_of_ten, clock, 2, 0.05, 10**6, student="visitor")
    work_until(class_of_ten, clock, lambda: clock.now > began + 110)
    used = sum(class_of_ten._runs.used.values()) - before
    assert used == pytest.approx(100, abs=CREDIT + 0.5)
