"""What is done beside the runs, one at a time: the piece of whoever owes least comes first.

Tokenizers learn here, in processes of their own, each of which takes memory and a core.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from explorer.engine.worker.shares import Shares


class Lane:
    """Lets one thread in at a time, and has students owe what is done for them beside.

    Args:
        shares: who owes how much.
        tell: told the number of the question whose turn begins, if it is one, and None at its end.
    """

    def __init__(self, shares: Shares, tell: Callable[[int | None], None]) -> None:
        self._shares, self._tell = shares, tell
        self._changed = threading.Condition()
        self._waiting: list[_Place] = []
        self._is_busy = False
        self._here = threading.local()

    @contextmanager
    def work_for(self, student: str, question: int | None = None) -> Iterator[None]:
        """Have a student owe what this thread does meanwhile, its turns and waiting aside.

        Args:
            student: for whom.
            question: the number of the request that is answered so, where it is one.
        """
        self._here.place = _Place(student, question)
        began = time.thread_time()
        try:
            yield
        finally:
            self._shares.lend(student, time.thread_time() - began)
            del self._here.place

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this thread's turn; what processes that it ends meanwhile took is owed, too."""
        place = getattr(self._here, "place", None) or _Place("", None)
        self._enter(place)
        began = _children_seconds()
        try:
            self._tell(place.question)
            yield
        finally:
            self._shares.lend(place.student, _children_seconds() - began)
            self._leave(place)

    def _enter(self, place: "_Place") -> None:
        with self._changed:
            self._waiting.append(place)
            self._changed.wait_for(lambda: not self._is_busy and self._first() is place)
            self._waiting.remove(place)
            self._is_busy = True

    def _leave(self, place: "_Place") -> None:
        if place.question is not None:
            self._tell(None)
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()

    def _first(self) -> "_Place":
        return min(self._waiting, key=lambda place: self._shares.owed(place.student))


class _Place:
    """A thread that waits, or has its turn."""

    def __init__(self, student: str, question: int | None) -> None:
        self.student, self.question = student, question


def _children_seconds() -> float:
    """Give the processor time of all processes that this one has started and seen end."""
    times = os.times()
    return times.children_user + times.children_system
