"""Whose question comes next: who asks as a hand does never waits, who asks faster waits."""

import heapq
from itertools import count, pairwise

import pytest

from explorer.guard.turns import (
    EAGER,
    EXTRA_A_SECOND,
    LONGEST,
    MESSAGES_A_SECOND,
    MOST_EXTRA,
    MOST_MESSAGES,
    MOST_NEW,
    MOST_TICKS,
    MOST_WAITING,
    SLOWER,
    Turns,
)

RUN = 0.1
"""Seconds that a page run takes here, of the clock and of the processor."""


class Server:
    """A clock, and a server on it whose page runs take their time side by side."""

    def __init__(self):
        self.now, self._soon, self._numbers = 0.0, [], count()
        self.gone = set()
        self.turns = Turns(self.later, self.gone.__contains__, lambda: self.now)
        self.log = []

    def later(self, seconds, act):
        heapq.heappush(self._soon, (self.now + seconds, next(self._numbers), act))

    def pass_until(self, moment):
        while self._soon and self._soon[0][0] <= moment:
            self.now, _, act = heapq.heappop(self._soon)
            act()
        self.now = moment

    def press(self, session, *, takes=RUN, ends=True):
        asked = self.now

        def run():
            begun = self.now
            self.log.append((session, asked, begun))
            if ends:
                self.later(takes, lambda: self.turns.note_end(session, began=begun, took=takes))

        self.turns.ask(session, run)

    def begun(self, session):
        return sum(who == session for who, _, _ in self.log)


@pytest.fixture
def server():
    return Server()


def flood(server, sessions, seconds, every=0.005):
    """Press as fast as a script can, in so many tabs."""
    end = server.now + seconds
    while server.now < end:
        for session in sessions:
            server.press(session)
        server.pass_until(server.now + every)


def test_who_presses_as_a_hand_does_never_waits(server):
    for _ in range(100):
        server.press("student")
        server.pass_until(server.now + 3)
    assert server.begun("student") == 100
    assert all(asked == begun for _, asked, begun in server.log)


@pytest.mark.parametrize("takes", [0.02, 0.1, 0.5, 1.0])
def test_a_class_never_waits_however_slow_the_machine_is(server, takes):
    for second in range(200):
        for number in range(30):
            if (second + number) % 8 == 0:
                server.press(f"student {number}", takes=takes * (1 + 0.5 * (number % 3)))
        server.pass_until(server.now + 1)
    assert len(server.log) == 30 * 25
    assert all(asked == begun for _, asked, begun in server.log)


def test_a_few_presses_at_once_are_taken_at_once(server):
    few = 1 + round(MOST_EXTRA)
    for _ in range(few):
        server.press("student")
    assert server.begun("student") == few


def test_a_flood_of_one_gets_one_run_at_a_time_and_the_last_press_is_not_lost(server):
    flood(server, ["flood"], seconds=20)
    at_once = round(EAGER)
    begun = [moment for _, _, moment in server.log[at_once + 2 :]]
    assert all(later - earlier >= RUN * 0.99 for earlier, later in pairwise(begun))
    assert server.turns.left_out("flood") > 1000
    assert server.turns.left_out("flood") == 0, "said once"
    pressed = server.now
    server.press("flood")
    server.pass_until(server.now + 10)
    assert server.log[-1][:2] == ("flood", pressed)
    assert server.begun("flood") <= at_once + 2 + 20 / RUN + MOST_WAITING


@pytest.mark.parametrize("n_tabs", [1, 12])
def test_beside_a_flood_a_student_never_waits_and_most_of_the_server_is_left(server, n_tabs):
    tabs = [f"tab {number}" for number in range(n_tabs)]
    flood(server, tabs, seconds=5)
    server.log.clear()
    for _ in range(10):
        server.press("student")
        flood(server, tabs, seconds=2)
    waits = [begun - asked for who, asked, begun in server.log if who == "student"]
    assert waits == [0] * 10
    assert sum(map(server.begun, tabs)) * RUN <= 20 * 0.3
    assert all(map(server.begun, tabs))


def test_alone_who_presses_fast_does_not_wait_for_a_rest(server):
    flood(server, ["student"], seconds=10)
    assert server.begun("student") >= 10 / RUN * 0.9


def test_a_run_that_waits_for_a_worker_holds_up_nobody_for_long(server):
    for _ in range(20):
        server.press("a", ends=False)
        server.press("b", ends=False)
    server.pass_until(server.now + 20 * LONGEST)
    assert server.begun("a") + server.begun("b") >= 2 + MOST_EXTRA + 2 * MOST_WAITING


def test_what_is_long_ago_is_forgiven(server):
    flood(server, ["student"], seconds=5)
    server.pass_until(server.now + 1000)
    server.log.clear()
    for _ in range(5):
        server.press("student")
    assert server.begun("student") == 5


def test_timers_may_ask_as_often_as_a_page_has_them_ask(server):
    passed = []
    for number in range(600):
        server.pass_until(number * 0.2)
        server.turns.tick("student", lambda: passed.append(server.now))
    assert len(passed) == 600
    passed.clear()
    for _ in range(1000):
        server.turns.tick("student", lambda: passed.append(server.now))
    assert len(passed) <= MOST_TICKS


def test_timers_do_not_overtake_what_was_pressed(server):
    flood(server, ["student"], seconds=1)
    server.press("student")
    passed = []
    server.turns.tick("student", lambda: passed.append(1))
    assert not passed


def test_who_is_gone_is_forgotten_and_keeps_nobody_waiting(server):
    flood(server, ["gone", "there"], seconds=2)
    server.gone.add("gone")
    server.turns.forget_gone()
    server.log.clear()
    server.pass_until(server.now + 20)
    assert not server.begun("gone")
    assert server.begun("there") == MOST_WAITING
    assert server.turns.left_out("gone") == 0


def test_messages_are_read_no_faster_than_a_student_sends_them(server):
    pauses = []
    for _ in range(1000):
        pauses.append(server.turns.pause("flood"))
        server.pass_until(server.now + pauses[-1])
    assert not any(pauses[: round(MOST_MESSAGES)])
    assert server.now > (1000 - MOST_MESSAGES) / MESSAGES_A_SECOND * 0.9
    for _ in range(100):
        server.pass_until(server.now + 0.1)
        assert not server.turns.pause("student")


def test_messages_of_who_waits_already_are_read_more_slowly(server):
    for _ in range(1000):
        server.press("flood")
        server.pass_until(server.now + server.turns.pause("flood"))
    began = server.now
    for _ in range(100):
        server.press("flood")
        server.pass_until(server.now + server.turns.pause("flood"))
    assert server.now - began > 100 * SLOWER / MESSAGES_A_SECOND * 0.5


def test_a_class_may_come_at_once_but_a_new_tab_a_press_is_a_flood(server):
    for number in range(MOST_NEW):
        server.press(f"student {number}")
    assert len(server.log) == MOST_NEW
    for number in range(200):
        server.press(f"tab {number}")
    assert len(server.log) <= MOST_NEW + 1
    server.gone.update(f"tab {number}" for number in range(200))
    server.press("late")
    server.pass_until(server.now + 5)
    assert server.log[-1][0] == "late"


def test_a_flood_in_many_tabs_does_not_begin_with_a_burst_of_each(server):
    tabs = [f"tab {number}" for number in range(12)]
    flood(server, tabs, seconds=1)
    assert len(server.log) <= 12 + MOST_EXTRA + EXTRA_A_SECOND + 0.5 / RUN + 2
