"""When the live parts of pages get their news: after what students press, and one at a time.

A timer of a page asks for a part of it, again and again, whether or not the server can follow. Such
a question waits while a page is being drawn, but not for long, and while another part is. If it is
asked anew meanwhile it keeps its place, so of each part one question waits at the most, and a
server that cannot follow shows news later rather than pages. What an answer takes is measured, and
pages ask more rarely the longer it is.

A part is only run where nothing of its session runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from explorer.guard.turns import Act

PATIENCE = 1.0
"""Seconds for which a question waits for page runs, many of which wait for a worker themselves."""
LONGEST = 0.3
"""Seconds for which one part is waited for: one that takes longer waits for a worker, too."""
LOOK = 0.005
"""Seconds between two looks at whether a run has ended."""
LEARNING = 0.1
"""How much of what is known of costs and answers each live update replaces."""
USUAL_COST = 0.015
"""Seconds of the processor that a live update is taken to cost before any has been seen."""
SHARE = 0.25
"""Of a core, for the live updates of everybody."""
ANSWERS = 4.0
"""A page asks again no sooner than after so many times what an answer takes."""


@dataclass
class _Question:
    asked_at: float
    act: Act


@dataclass
class _Run:
    """A part that is being drawn."""

    session: str
    asked_at: float
    began_at: float
    cpu: float
    is_alone: bool
    """Whether nothing else has been drawn meanwhile."""


class News:
    """Passes on what timers ask for, in the thread of the server's event loop.

    Args:
        later: calls something after so many seconds, as an event loop's `call_later`.
        is_busy: tells whether anything of a session runs, or has not been told to its end.
        clock: seconds, which only grow.
        cpu: seconds of the processor that the server has taken.
    """

    def __init__(
        self,
        later: Callable[[float, Act], object],
        is_busy: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._later, self._is_busy, self._clock, self._cpu = later, is_busy, clock, cpu
        self._waiting: dict[tuple[str, str], _Question] = {}
        """By session and part, the longest first."""
        self._pages: set[str] = set()
        """Sessions whose page is being drawn."""
        self._running: list[_Run] = []
        self._is_looking = False
        self._cost, self._answer = USUAL_COST, 0.0
        self._oldest_at: float | None = None
        """When the question that waits the longest was asked."""

    def ask(self, session: str, part: str, act: Act) -> None:
        """Pass on what a timer asks for, when its turn has come.

        Args:
            session: whose page it is.
            part: of the page.
            act: passes it on.
        """
        before = self._waiting.get((session, part))
        asked_at = self._clock() if before is None else before.asked_at
        self._waiting[session, part] = _Question(asked_at, act)
        self._look()

    def note_page(self, session: str) -> None:
        """Take note that a whole page is drawn now, with all of its parts."""
        self._pages.add(session)
        for each in [each for each in self._waiting if each[0] == session]:
            del self._waiting[each]
        for run in self._running:
            run.is_alone = False

    def seconds(self, n_pages: int) -> float:
        """Say, in any thread, how often a page may ask, of so many, for the server to follow."""
        oldest_at = self._oldest_at
        waited = 0.0 if oldest_at is None else self._clock() - oldest_at
        return max(n_pages * self._cost / SHARE, ANSWERS * max(self._answer, waited))

    def _look(self) -> None:
        """See what has ended, take what is next, and look again soon if there is more to come."""
        self._note_ends()
        if not any(self._clock() - run.began_at < LONGEST for run in self._running):
            self._take_next()
        self._oldest_at = next((each.asked_at for each in self._waiting.values()), None)
        if (self._running or self._waiting) and not self._is_looking:
            self._is_looking = True
            self._later(LOOK, self._look_again)

    def _look_again(self) -> None:
        self._is_looking = False
        self._look()

    def _note_ends(self) -> None:
        self._pages = {each for each in self._pages if self._is_busy(each)}
        for run in [run for run in self._running if not self._is_busy(run.session)]:
            self._running.remove(run)
            self._answer += LEARNING * (self._clock() - run.asked_at - self._answer)
            if run.is_alone:
                self._cost += LEARNING * (self._cpu() - run.cpu - self._cost)

    def _take_next(self) -> None:
        latest = self._clock() - PATIENCE if self._pages else self._clock()
        for (session, part), question in self._waiting.items():
            if question.asked_at > latest:
                return
            if not self._is_busy(session):
                del self._waiting[session, part]
                for run in self._running:
                    run.is_alone = False
                is_alone = not (self._pages or self._running)
                now, cpu = self._clock(), self._cpu()
                self._running.append(_Run(session, question.asked_at, now, cpu, is_alone))
                question.act()
                return
