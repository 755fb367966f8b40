"""Whose browser may hand over what it has trained: few at once, and each when it is asked to.

What a browser hands over is megabytes, and as much again with each form that it goes through until
it is in its run's folder. Of a class of thirty in their browsers, on a server that cannot follow,
all would stand in its memory. So a page asks first, in a few words, and sends when it has a
turn; a hand-over that comes without one is left out of its message. Nothing is lost by waiting, as
a browser keeps what it has learned by itself.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SENT_WITHIN = 60.0
"""Seconds after which a turn ends of which nothing has come: 3.5 MB at half a megabit a second."""
TAKEN_WITHIN = 180.0
"""Seconds after which what has come counts as taken or lost: no page waits longer for a worker."""
USUAL = 1.0
"""Seconds that a turn is taken to last before any has been seen."""
LEARNING = 0.2
"""How much of what is known of that each turn replaces."""
SOONEST, LATEST = 2.0, 60.0
"""Seconds after which who waits is to ask again."""
GRACE = 15.0
"""Seconds by which who waits may ask later than that, and keep their place."""


@dataclass
class _Turn:
    began: float
    has_come: bool = False

    def lasts(self, now: float) -> bool:
        return now - self.began < (TAKEN_WITHIN if self.has_come else SENT_WITHIN)


class HandOvers:
    """Gives turns to sessions, in the order in which they asked; may be used by several threads.

    Args:
        most: so many turns at once.
        is_gone: tells whether a session has ended.
        clock: seconds, which only grow.
    """

    def __init__(
        self,
        most: int,
        is_gone: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._is_gone, self._clock = most, is_gone, clock
        self._turns: dict[str, _Turn] = {}
        self._line: dict[str, float] = {}
        """Who waits, the longest first, and until when they keep their place without asking."""
        self._seconds = USUAL
        self._lock = threading.Lock()

    def ask(self, session: str) -> float:
        """Give a session a turn, and 0; or say after how many seconds it is to ask again."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            if (turn := self._turns.get(session)) is not None:
                if turn.has_come:
                    return SOONEST
                turn.began = now
                return 0.0
            self._line.setdefault(session, now)
            n_before = list(self._line).index(session) - (self._most - len(self._turns))
            if n_before < 0:
                del self._line[session]
                self._turns[session] = _Turn(now)
                return 0.0
            wait = min(LATEST, max(SOONEST, (n_before + 1) * self._seconds / self._most))
            self._line[session] = now + wait + GRACE
            return wait

    def comes(self, session: str) -> bool:
        """Note that a hand-over comes; False if the session has no turn, or has used it."""
        with self._lock:
            now = self._clock()
            turn = self._turns.get(session)
            if turn is None or turn.has_come or not turn.lasts(now):
                return False
            turn.has_come = True
            return True

    def end(self, session: str) -> None:
        """Note that a session's hand-over is taken, or refused: the next one may come."""
        with self._lock:
            if (turn := self._turns.pop(session, None)) is not None:
                self._seconds += LEARNING * (self._clock() - turn.began - self._seconds)

    @property
    def n_turns(self) -> int:
        """How many have a turn now."""
        with self._lock:
            self._forget(self._clock())
            return len(self._turns)

    def _forget(self, now: float) -> None:
        """Forget turns and places of who has gone, or has not been heard of for too long."""
        for session, turn in tuple(self._turns.items()):
            if not turn.lasts(now) or self._is_gone(session):
                del self._turns[session]
        for session, until in tuple(self._line.items()):
            if until < now or self._is_gone(session):
                del self._line[session]
