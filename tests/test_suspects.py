"""Looks that a worker did not survive are refused, and nobody else's are."""

import pytest
from tiny_runs import Clock

from explorer.engine.server.errors import EngineError, WorkerDiedError
from explorer.engine.server.suspects import REFUSED_SECONDS, Suspects


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def suspects(clock):
    return Suspects(clock.monotonic)


def look(suspects, exactly, alike, blame=None):
    """Look at something that ends the worker, if there is somebody to blame."""
    with suspects.watched(exactly=exactly, alike=alike):
        if blame is not None:
            raise WorkerDiedError("The worker process ended.", blame)


def die(suspects, exactly, alike, blame):
    with pytest.raises(WorkerDiedError):
        look(suspects, exactly, alike, blame)


def test_a_look_that_ended_the_worker_is_refused_to_everybody_and_others_are_not(suspects):
    die(suspects, "a", "me", 1.0)
    for who in ("me", "you"):
        with pytest.raises(EngineError, match="not tried again for an hour"):
            look(suspects, "a", who)
    look(suspects, "b", "me")


def test_where_something_else_may_have_been_why_it_is_refused_the_second_time(suspects):
    die(suspects, "a", "me", 0.5)
    die(suspects, "a", "you", 0.5)
    with pytest.raises(EngineError, match="not tried again"):
        look(suspects, "a", "me")


def test_what_only_was_there_when_the_worker_ended_is_not_refused(suspects):
    for _ in range(5):
        die(suspects, "a", "me", 0.0)
    look(suspects, "a", "me")


def test_who_asks_for_the_same_in_other_words_is_refused_it_in_any_words(suspects):
    die(suspects, "a", "me", 1.0)
    die(suspects, "b", "me", 1.0)
    with pytest.raises(EngineError, match="not tried again"):
        look(suspects, "c", "me")
    look(suspects, "c", "you")


def test_after_an_hour_it_is_tried_again(suspects, clock):
    die(suspects, "a", "me", 1.0)
    clock.now += REFUSED_SECONDS + 1
    look(suspects, "a", "me")
