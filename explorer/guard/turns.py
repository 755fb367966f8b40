"""Whose question the server takes next, where a student asks faster than a hand can.

All pages share one thread of Python, of which a page run takes a tenth of a second, or more on a
slower machine. Who asks at a human pace never waits here, whatever a page run takes. What each
session has asked for lately is counted, in page runs of the usual cost. Who asks again soon may,
up to `EAGER` times, but all such questions together only ten times a second. Who asks for more
stands in a line with all others who do: the server takes one question of that line at a time, and
while others are there it rests three times as long as that took of the processor. So a script in
ten tabs takes no more of the server than a script in one, a quarter of it at most, and does not
begin with a burst of each.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

EAGER = 5.0
"""Page runs in a row of one session."""
SOON = 0.5
"""Who has asked for less than so many lately is taken at once, whatever others do."""
EXTRA_A_SECOND, MOST_EXTRA = 10.0, 4.0
"""How many page runs of all sessions that ask again soon may begin a second, and how many at once.
"""
FORGIVEN = 0.4
"""Page runs that are forgotten again each second: one every two or three seconds."""
DEAREST = 3.0
"""What one page run counts at most, such as the first of all, for which pages are loaded."""
USUAL = 0.1
"""Seconds of the processor that a page run is taken to cost before any has said what it took."""
CHEAPEST = 0.02
"""Less no whole page run costs anywhere; one that is broken off at once may."""
LEARNING = 0.05
"""How much of what is known of the usual cost each page run replaces."""
LONGEST = 0.5
"""Seconds that the line waits for one question: many a page run waits for a worker, and takes
nothing meanwhile."""
RESTS = 3.0
"""How many times as long as such a question took of the processor the line rests after it."""
MOST_WAITING = 4
"""Questions of one session that wait; another one then takes the place of the last of them."""
TICKS_A_SECOND, MOST_TICKS = 6.0, 12.0
"""How often timers of one session may ask, and how often at once: a page's own ask some five times
a second together."""
PRESENT = 10.0
"""Seconds for which somebody who has asked counts as present."""
MOST_NEW = 40
"""So many sessions may be new within these seconds before more of them wait in line: a class may
come at once, but a script may have a new tab for each press.
"""
MESSAGES_A_SECOND, MOST_MESSAGES = 20.0, 60.0
"""How many messages of one session are read a second, and how many at once: reading them takes
time, too, even if they only wait."""
SLOWER = 4.0
"""How many times slower they are read of who waits with `MOST_WAITING` questions already."""

Act = Callable[[], None]


@dataclass
class _Asker:
    """What one session has asked for lately."""

    seen_at: float
    spent: float = 0.0
    """Page runs that it has asked for, as far as they are not forgiven."""
    ticks: float = MOST_TICKS
    """How often its timers may ask now."""
    messages: float = MOST_MESSAGES
    """How many messages of it may be read now without a pause."""
    waiting: deque[Act] = field(default_factory=deque)
    n_left_out: int = 0


class Turns:
    """Passes questions on, in the thread of the server's event loop.

    Args:
        later: calls something after so many seconds, as an event loop's `call_later`.
        is_gone: tells whether a session has ended.
        clock: seconds, which only grow.
    """

    def __init__(
        self,
        later: Callable[[float, Act], object],
        is_gone: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._later, self._is_gone, self._clock = later, is_gone, clock
        self._new: deque[float] = deque(maxlen=MOST_NEW)
        """When the last new sessions came."""
        self._askers: dict[str, _Asker] = {}
        self._line: deque[str] = deque()
        self._extra, self._extra_at = MOST_EXTRA, clock()
        """How many who ask again soon may now be taken at once, and when that was counted."""
        self._turn: str | None = None
        """Whose question is being answered out of the line; empty: the line rests."""
        self._n_turns = 0
        self._began = 0.0
        self._usual = USUAL

    def ask(self, session: str, act: Act) -> None:
        """Pass on what a student asks for: at once, or when its turn has come.

        Args:
            session: who asks.
            act: passes it on.
        """
        asker = self._seen(session)
        if not asker.waiting and self._may_pass(asker):
            asker.spent += 1
            act()
            return
        if len(asker.waiting) == MOST_WAITING:
            asker.waiting.pop()
            asker.n_left_out += 1
        asker.waiting.append(act)
        if len(asker.waiting) == 1:
            self._line.append(session)
        self._take_next()

    def tick(self, session: str, act: Act) -> None:
        """Pass on what a timer asks for, or leave it out: it will ask again."""
        asker = self._seen(session)
        if not asker.waiting and asker.ticks >= 1:
            asker.ticks -= 1
            act()

    def note_end(self, session: str, *, began: float, took: float) -> None:
        """Take note that a page run has ended.

        Args:
            session: whose page it was.
            began: when it began, by the clock.
            took: seconds of the processor.
        """
        asker = self._seen(session)
        cost = min(DEAREST, took / self._usual)
        asker.spent = max(0.0, asker.spent + cost - 1)
        self._usual = max(CHEAPEST, self._usual * (1 + LEARNING * (cost - 1)))
        if self._turn == session and began >= self._began:  # else it is one from before
            self._end_turn(self._n_turns, took)

    def left_out(self, session: str) -> int:
        """Say how many questions of a session were left out since this was last asked."""
        asker = self._askers.get(session)
        if asker is None:
            return 0
        n, asker.n_left_out = asker.n_left_out, 0
        return n

    def pause(self, session: str) -> float:
        """Say how many seconds to wait before the next message of a session is read."""
        asker = self._seen(session)
        asker.messages -= SLOWER if len(asker.waiting) == MOST_WAITING else 1
        return max(0.0, -asker.messages / MESSAGES_A_SECOND)

    def forget_gone(self) -> None:
        """Forget the sessions that have ended."""
        for session in filter(self._is_gone, tuple(self._askers)):
            del self._askers[session]

    def _seen(self, session: str) -> _Asker:
        """Note that a session asks now, and forgive what is long ago."""
        now = self._clock()
        if (asker := self._askers.get(session)) is None:
            asker = self._askers[session] = self._newcomer(now)
        passed, asker.seen_at = now - asker.seen_at, now
        asker.spent = max(0.0, asker.spent - FORGIVEN * passed)
        asker.ticks = min(MOST_TICKS, asker.ticks + TICKS_A_SECOND * passed)
        asker.messages = min(MOST_MESSAGES, asker.messages + MESSAGES_A_SECOND * passed)
        return asker

    def _newcomer(self, now: float) -> _Asker:
        """Note that somebody new asks, who waits in line where all too many are new."""
        is_crowd = len(self._new) == MOST_NEW and now - self._new[0] < PRESENT
        self._new.append(now)
        return _Asker(now, spent=EAGER if is_crowd else 0.0)

    def _may_pass(self, asker: _Asker) -> bool:
        """Tell whether a question is taken at once; that of who asks again soon is counted."""
        if asker.spent < SOON or asker.spent >= EAGER:
            return asker.spent < SOON
        now = self._clock()
        passed, self._extra_at = now - self._extra_at, now
        self._extra = min(MOST_EXTRA, self._extra + EXTRA_A_SECOND * passed)
        if may_pass := self._extra >= 1:
            self._extra -= 1
        return may_pass

    def _take_next(self) -> None:
        """Take the first question of the line, unless it waits for another one."""
        while self._line and self._turn is None:
            session = self._line.popleft()
            asker = self._askers.get(session)
            if asker is None or not asker.waiting or self._is_gone(session):
                continue
            act = asker.waiting.popleft()
            if asker.waiting:
                self._line.append(session)
            asker.spent += 1
            self._turn, self._began = session, self._clock()
            self._n_turns += 1
            self._later(LONGEST, partial(self._end_turn, self._n_turns, self._usual))
            act()

    def _end_turn(self, number: int, took: float) -> None:
        """End a turn, if it has not ended yet, and let the line rest where others are there.

        Args:
            number: which one.
            took: seconds of the processor.
        """
        if self._turn and number == self._n_turns:
            self._turn = ""
            rest = min(RESTS * took, LONGEST) if self._has_others() else 0.0
            self._later(rest, self._end_rest)

    def _end_rest(self) -> None:
        self._turn = None
        self._take_next()

    def _has_others(self) -> bool:
        """Tell whether anybody is present who does not stand in the line."""
        now = self._clock()
        return any(
            now - asker.seen_at < PRESENT and asker.spent < EAGER for asker in self._askers.values()
        )
