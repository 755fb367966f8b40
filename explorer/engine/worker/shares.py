"""What each student has had of this worker's time, whatever for: who has had least is next.

Runs have it turn by turn. A look comes before them, since somebody waits for it, but it is no gift:
what it took is owed, and a student's turns count double until that is paid. Who owes more than
`CREDIT` looks in turns of their own only, as runs train. So whoever looks all the time, trains many
runs or has tokenizers learned has no more of the worker in the long run than anybody else.

Seconds are those of the processor. Students are known by fingerprints of their secrets.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass

CREDIT = 3.0
"""Seconds: the dearest view of a default model takes as much."""
MOST_KNOWN = 1_000
"""Students, before those are forgotten who would begin anew as they stand."""


@dataclass
class _Account:
    used: float = 0.0
    """Seconds of turns, and of looks that are paid."""
    owed: float = 0.0
    """Seconds of looks that are not paid."""


class Shares:
    """Says who is next; several threads may ask and charge."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._floor = 0.0
        """What those who want turns have used at least: where whoever comes back begins."""
        self._lock = threading.Lock()

    def least(self, students: Collection[str]) -> str:
        """Name the one of these students, who all want a turn, who has had least."""
        with self._lock:
            self._forget_some()
            least = min(students, key=lambda student: self._account(student).used)
            self._floor = self._account(least).used
            return least

    def used(self, student: str) -> float:
        """Give the seconds that a student has had; who was away has had as much as others."""
        with self._lock:
            return self._account(student).used

    def owed(self, student: str) -> float:
        """Give the seconds of looks that a student has not paid for."""
        with self._lock:
            return self._account(student).owed

    def may_hurry(self, student: str) -> bool:
        """Tell whether a student's look comes before other students' turns."""
        return self.owed(student) < CREDIT

    def charge(self, student: str, seconds: float) -> None:
        """Note that a student has had a turn."""
        with self._lock:
            account = self._account(student)
            paid = min(account.owed, seconds)
            account.owed -= paid
            account.used += seconds + paid

    def lend(self, student: str, seconds: float) -> None:
        """Note that something was done for a student out of turn."""
        with self._lock:
            self._account(student).owed += seconds

    def _account(self, student: str) -> _Account:
        """Give a student's account; what they left to others while away pays what they owe."""
        account = self._accounts.setdefault(student, _Account(used=self._floor))
        if (left := self._floor - account.used) > 0:
            account.used, account.owed = self._floor, max(0.0, account.owed - left)
        return account

    def _forget_some(self) -> None:
        if len(self._accounts) > MOST_KNOWN:
            self._accounts = {
                student: account
                for student in self._accounts
                if (account := self._account(student)).owed or account.used > self._floor
            }
