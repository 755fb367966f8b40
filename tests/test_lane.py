"""What is done beside the runs: one piece at a time, that of whoever owes least first."""

import subprocess
import sys
import threading

import pytest
from conftest import until

from explorer.engine.worker.lane import Lane
from explorer.engine.worker.shares import CREDIT, Shares

SPIN = "import time\nwhile time.process_time() < 0.1: pass"


@pytest.fixture
def shares():
    return Shares()


@pytest.fixture
def told():
    return []


@pytest.fixture
def lane(shares, told):
    return Lane(shares, told.append)


class Line:
    """Threads that want their turn while another one has it."""

    def __init__(self, lane):
        self.lane, self.done, self.threads = lane, [], []

    def add(self, student, question=None):
        thread = threading.Thread(target=self._work, args=(student, question))
        self.threads.append(thread)
        thread.start()
        until(lambda: len(self.lane._waiting) == len(self.threads))

    def _work(self, student, question):
        with self.lane.work_for(student, question), self.lane.turn():
            self.done.append(student)

    def end(self):
        for thread in self.threads:
            thread.join(timeout=30)
        return self.done


def test_who_owes_least_is_next_and_others_in_the_order_in_which_they_came(lane, shares):
    shares.lend("greedy", 1.0)
    line = Line(lane)
    with lane.turn():
        for student in ("greedy", "one", "greedy", "other"):
            line.add(student)
        assert line.done == []
    assert line.end() == ["one", "other", "greedy", "greedy"]


def test_what_processes_take_that_end_in_a_turn_is_owed(lane, shares):
    with lane.work_for("student"), lane.turn():
        subprocess.run([sys.executable, "-c", SPIN], check=True)
    assert 0.1 <= shares.owed("student") < CREDIT


def test_whose_question_has_its_turn_is_told_and_when_it_ends_also_by_an_error(lane, told):
    with (
        pytest.raises(ValueError, match="no"),
        lane.work_for("student", question=7),
        lane.turn(),
    ):
        raise ValueError("no")
    assert told == [7, None]
    with lane.work_for("student"), lane.turn():
        pass
    assert told == [7, None, None]
