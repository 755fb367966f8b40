"""How often a live part of a page asks for news, and how it changes that without a page run."""

from types import SimpleNamespace

import pytest

from explorer import guard, session
from explorer.session import FASTEST_SECONDS, LONGEST_SECONDS, UPDATES_A_SECOND


@pytest.fixture
def said(monkeypatch):
    """Lend the messages that a part sends while it is drawn by itself."""
    said = []
    context = SimpleNamespace(fragment_ids_this_run=["part"], enqueue=said.append)
    monkeypatch.setattr(session, "get_script_run_ctx", lambda: context)
    monkeypatch.setattr(session.st, "fragment", lambda draw, run_every: draw)
    return said


def test_a_part_tells_the_browser_its_new_pace_once_and_is_drawn_all_the_same(said):
    paces, drawn = iter([0.5, 0.6, 2.0, 2.2, 0.5]), []
    draw = session.live(drawn.append, lambda: next(paces))
    for n in range(4):
        draw(n)
    assert drawn == [0, 1, 2, 3]
    assert [(each.auto_rerun.fragment_id, each.auto_rerun.interval) for each in said] == [
        ("part", 2.0),
        ("part", 0.5),
    ]


def test_a_part_without_news_never_asks(said):
    session.live(lambda: None, lambda: None)()
    assert not said


@pytest.mark.parametrize(
    ("n_lookers", "follows_at", "seconds"),
    [
        (1, 0.0, FASTEST_SECONDS),
        (100, 0.0, 100 / UPDATES_A_SECOND),
        (1, 2.5, 2.5),
        (1, 1_000.0, LONGEST_SECONDS),
    ],
)
def test_pages_ask_as_often_as_the_server_can_follow(monkeypatch, n_lookers, follows_at, seconds):
    lookers = {}
    monkeypatch.setattr(session, "_viewers", lambda: lookers)
    monkeypatch.setattr(guard, "seconds_between_news", lambda n_pages: follows_at)
    for number in range(n_lookers):
        monkeypatch.setattr(session, "owner", lambda number=number: f"student {number}")
        found = session.refresh_seconds()
    assert found == seconds
