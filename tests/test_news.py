"""When timers are answered: after page runs, one at a time, and never where they do harm."""

import pytest

from explorer.guard.news import ANSWERS, LONGEST, PATIENCE, SHARE, USUAL_COST, News


class Server:
    """A server on which time passes as the test says, and runs end when it says so."""

    def __init__(self):
        self.now = self.cpu = 0.0
        self.calls = []
        self.busy, self.begun = set(), []
        self.news = News(self.later, self.busy.__contains__, lambda: self.now, lambda: self.cpu)

    def later(self, seconds, act):
        self.calls.append((self.now + seconds, act))

    def ask(self, session, part="panel"):
        def act():
            self.busy.add(session)
            self.begun.append((session, part))

        self.news.ask(session, part, act)

    def draw_page(self, session):
        self.news.note_page(session)
        self.busy.add(session)

    def end(self, session, cost=0.0):
        self.busy.remove(session)
        self.cpu += cost

    def wait(self, seconds):
        end = self.now + seconds
        while self.calls and min(at for at, _ in self.calls) <= end:
            first = min(self.calls, key=lambda call: call[0])
            self.calls.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end


@pytest.fixture
def server():
    return Server()


def test_alone_a_timer_is_answered_at_once(server):
    server.ask("a")
    assert server.begun == [("a", "panel")]


def test_one_part_is_drawn_at_a_time_and_all_get_their_turn(server):
    for session in "abc":
        server.ask(session)
    for n in (1, 2, 3):
        server.wait(0.1)
        assert [session for session, _ in server.begun] == list("abc")[:n]
        server.end("abc"[n - 1])


def test_a_part_that_waits_for_a_worker_holds_up_nobody_for_long(server):
    server.ask("slow")
    server.ask("a")
    server.wait(LONGEST * 0.9)
    assert server.begun == [("slow", "panel")]
    server.wait(LONGEST * 0.2)
    assert server.begun == [("slow", "panel"), ("a", "panel")]


def test_who_asks_again_while_waiting_waits_once_and_keeps_the_place(server):
    server.ask("a")
    for session in "bcb":
        server.ask(session)
    for session in "abc":
        server.wait(0.1)
        server.end(session)
    server.wait(1)
    assert [session for session, _ in server.begun] == ["a", "b", "c"]


def test_no_part_is_drawn_while_anything_of_its_session_runs(server):
    server.busy.add("a")  # as a page run whose end the browser has not been told of
    server.ask("a")
    server.wait(10)
    assert not server.begun
    server.end("a")
    server.wait(0.1)
    assert server.begun == [("a", "panel")]


def test_pages_go_first_but_not_for_ever(server):
    server.draw_page("b")
    server.ask("a")
    server.wait(PATIENCE / 2)
    assert not server.begun
    server.end("b")
    server.wait(0.1)
    assert server.begun == [("a", "panel")]
    server.end("a")
    server.draw_page("b")
    server.ask("a")
    server.wait(PATIENCE * 1.1)
    assert server.begun == [("a", "panel")] * 2


def test_a_page_that_is_drawn_has_all_news(server):
    server.ask("b")
    server.ask("a", "panel")
    server.ask("a", "bar")
    server.draw_page("a")
    server.end("a")
    server.end("b")
    server.wait(10)
    assert server.begun == [("b", "panel")]


def test_many_pages_ask_rarely_enough_for_their_share_of_the_processor(server):
    assert server.news.seconds(30) == pytest.approx(30 * USUAL_COST / SHARE)
    for _ in range(100):
        server.ask("a")
        server.end("a", cost=0.05)
        server.wait(0.05)
    assert server.news.seconds(30) == pytest.approx(30 * 0.05 / SHARE, rel=0.1)


def test_what_a_page_run_costs_meanwhile_is_not_counted(server):
    before = server.news.seconds(30)
    for _ in range(20):
        server.ask("a")
        server.draw_page("b")
        server.end("a", cost=5.0)
        server.end("b")
        server.wait(0.05)
    assert server.news.seconds(30) == pytest.approx(before)


def test_the_longer_answers_take_the_more_rarely_pages_ask_and_it_is_forgotten(server):
    for _ in range(100):
        server.ask("a")
        server.wait(1)
        server.end("a")
        server.wait(0.1)
    slow = server.news.seconds(1)
    assert slow == pytest.approx(ANSWERS, rel=0.1)
    for _ in range(100):
        server.ask("a")
        server.end("a")
        server.wait(0.1)
    assert server.news.seconds(1) < slow / 5


def test_where_nobody_is_answered_pages_ask_more_rarely_all_the_same(server):
    server.busy.add("a")
    server.ask("a")
    server.wait(2)
    assert server.news.seconds(1) == pytest.approx(2 * ANSWERS)
    server.end("a")
    server.wait(0.1)
    server.end("a")
    server.wait(0.1)
    assert server.news.seconds(1) < ANSWERS
