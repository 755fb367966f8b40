"""Lets a run of a page say all that it has to say before the next question reaches Streamlit.

The thread of a run hands what it says to the server's event loop. In Streamlit 1.67, a question
that comes when the thread has ended, but the loop has not got so far, starts a new thread, and what
the old one still had to say is thrown away: the page then stands as it was before, in whole or in
parts, until it is asked for again. Of timers that ask for news, one in fifty page runs met that
moment on a busy machine; now they wait in `news.py` first, and what is left is a student's presses.
"""

import time
from collections import deque
from collections.abc import Callable

from explorer.guard.turns import Act

PATIENCE_SECONDS = 2.0
"""So long an end is waited for; then the question passes all the same."""
POLL_SECONDS = 0.002


class Endings:
    """Passes questions on, in the thread of the server's event loop, each session's in their order.

    Args:
        later: calls something after so many seconds, as an event loop's `call_later`.
        is_ending: tells whether a session's last run takes no more questions, but has not been
            heard to its end.
        clock: seconds, which only grow.
    """

    def __init__(
        self,
        later: Callable[[float, Act], object],
        is_ending: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._later, self._is_ending, self._clock = later, is_ending, clock
        self._waiting: dict[str, deque[Act]] = {}

    def pass_on(self, session: str, act: Act) -> None:
        """Pass a question on, at once unless the run before it is ending."""
        if (waiting := self._waiting.get(session)) is not None:
            waiting.append(act)
        elif self._is_ending(session):
            self._waiting[session] = deque([act])
            self._wait(session, since=self._clock())
        else:
            act()

    def _wait(self, session: str, since: float) -> None:
        self._later(POLL_SECONDS, lambda: self._try(session, since))

    def _try(self, session: str, since: float) -> None:
        waiting = self._waiting[session]
        while waiting and (
            not self._is_ending(session) or self._clock() - since > PATIENCE_SECONDS
        ):
            waiting.popleft()()
        if waiting:
            self._wait(session, since)
        else:
            del self._waiting[session]
