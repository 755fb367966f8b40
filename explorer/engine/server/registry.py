"""The runs of this server, and the only place where how they stand ever changes.

Three kinds of threads come here: those of pages, those that listen to workers, and the caretaker's.
Pages read a run as they like; whatever changes one goes through the methods here, under one lock.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from explorer.engine import store
from explorer.engine.messages import News, Started
from explorer.engine.run import Run
from explorer.engine.run_state import NEXT, RunState
from explorer.engine.server.process import WorkerProcess
from tiny_llama.setup import Setup, changes


@dataclass(frozen=True, kw_only=True)
class Share:
    """How a run's worker is shared."""

    n_turns: int
    """One turn in so many is this run's: students whose runs train there have the same time, and
    share it among their own."""
    n_workers: int
    """Workers in all."""
    n_all_runs: int
    """Runs that take turns on any worker."""


class Registry:
    """All runs of this server.

    Args:
        found: the runs that an earlier server left; those that moved then go on when somebody
            looks at them.
    """

    def __init__(self, found: Iterable[Run] = ()) -> None:
        self.lock = threading.RLock()
        """Held by whoever must not see a run change between two looks."""
        self.changed = threading.Event()
        """Set when there is something to be written down soon."""
        self._runs = {run.id: run for run in found}
        self._unsaved: dict[str, int] = {}
        self._histories = threading.Lock()
        for run in self._runs.values():
            run.seen_at = -inf
            if run.is_moving:  # its record goes on saying so, for one more server that ends
                run.revives = True
                run.status = RunState.INTERRUPTED
                run.message = "The server ended while this run trained."

    # Which runs there are.

    def find(self, run_id: str) -> Run | None:
        """Find a run by its name; None if there is none."""
        return self._runs.get(run_id)

    def all(self) -> list[Run]:
        """List every run there is now."""
        with self.lock:
            return list(self._runs.values())

    def find_begun(
        self, setup: Setup, *, owner: str, text_mark: str, within: float = 0.0
    ) -> Run | None:
        """Find a student's run that begins with the same setup and text; None if there is none.

        It begins as long as it has done no step, and for some time after it was asked for.

        Args:
            setup: of the run.
            owner: fingerprint of the student's secret.
            text_mark: fingerprint of the student's own text; empty: the corpus is another one.
            within: that time, in seconds.
        """
        for run in self.moving():
            is_same = (run.owner, run.text_mark, run.experiment) == (owner, text_mark, "")
            begins = not run.step or 0 <= time.time() - run.created < within
            if is_same and begins and not changes(run.setup, setup):
                return run
        return None

    def note_text(self, run_id: str, text_mark: str) -> None:
        """Note with which text of the student's own a run was started; see `find_begun`."""
        with self.lock:
            if run := self.find(run_id):
                run.text_mark = text_mark

    def moving(self) -> list[Run]:
        """List the runs that take turns, or soon will."""
        return [run for run in self.all() if run.is_moving]

    def share(self, run: Run) -> Share:
        """Say how many runs take turns where this one does."""
        moving = [each for each in self.moving() if each.status is not RunState.WAITING]
        beside = [each for each in moving if each.worker is run.worker]
        own = [each for each in beside if each.owner == run.owner]
        return Share(
            n_turns=len({each.owner for each in beside}) * len(own),
            n_workers=max(1, len({id(other.worker) for other in moving})),
            n_all_runs=len(moving),
        )

    def add(self, run: Run) -> None:
        """Take in one more run."""
        with self.lock:
            self._runs[run.id] = run

    def remove(self, run_id: str, *, only_idle: bool = False) -> bool:
        """Forget a run; False if it is not idle, where only such a one is to be forgotten."""
        with self.lock:
            run = self._runs.get(run_id)
            if only_idle and run is not None and (run.worker or run.is_moving):
                return False
            self._runs.pop(run_id, None)
            self._unsaved.pop(run_id, None)
            return True

    # How they stand.

    def move(self, run: Run, to: RunState, message: str | None = None) -> bool:
        """Let a run stand otherwise from now on, if `NEXT` allows it from how it stands.

        Args:
            run: the run.
            to: how it stands then; one that is not live then has no worker.
            message: what to say of it; None: what is said already.

        Returns:
            Whether it may; otherwise nothing has changed.
        """
        with self.lock:
            if to not in NEXT[run.status]:
                return False
            run.status = to
            run.paces.clear()
            if message is not None:
                run.message = message
            if not run.is_live or to is RunState.WAITING:
                run.worker = None
            if to is RunState.WAITING:
                run.waits_since = time.monotonic()
            self.note_change(run)
            return True

    def launch(self, run: Run, worker: WorkerProcess) -> bool:
        """Note that a run starts, in a worker, if it may; False otherwise."""
        with self.lock:
            if not self.move(run, RunState.STARTING, ""):
                return False
            run.worker = worker
            return True

    def say(self, run: Run, message: str, *, of: RunState | None = None) -> None:
        """Say something else of a run, or only as long as it stands like this."""
        with self.lock:
            if of in (None, run.status) and run.message != message:
                run.message = message
                self.note_change(run)

    def place(self, run: Run, place: str) -> None:
        """Note where a run trains from now on."""
        with self.lock:
            run.place, run.loan = place, ""
            self.note_change(run)

    def release(self, run: Run) -> None:
        """Note that a paused run has left its worker's memory."""
        with self.lock:
            if run.status is RunState.PAUSED:
                run.worker = None

    # What workers tell; of a run that another worker has by now, nothing is believed.

    def take_start(self, run: Run, worker: WorkerProcess, started: Started, message: str) -> None:
        """Note where a run begins or goes on; what it had done beyond that will be done again."""
        with self.lock:
            if run.worker is worker:
                model = replace(run.setup.model, vocab_size=started.vocab_size)
                run.setup = replace(run.setup, model=model)
                run.forget_from(started.next_step)
                run.message = message
                self.note_change(run)

    def take_news(self, worker: WorkerProcess, news: News) -> None:
        """Note what a run has reported, and how it stands."""
        with self.lock:
            run = self.find(news.run)
            if run is None or run.worker is not worker:
                return
            for row in news.rows:
                run.take_row(row)
            run.note_pace()
            if news.state is not run.status:
                self.move(run, news.state)
            if news.message:
                self.say(run, news.message)

    def take_measure(self, worker: WorkerProcess, run_id: str, measured: dict[str, int]) -> None:
        """Note what a run really takes."""
        with self.lock:
            run = self.find(run_id)
            if run is not None and run.worker is worker:
                run.measured = measured

    def lose(self, worker: WorkerProcess) -> list[Run]:
        """Take all its runs from a worker that has ended, and return them."""
        with self.lock:
            orphans = [run for run in self._runs.values() if run.worker is worker]
            for run in orphans:
                run.worker = None
            return orphans

    # Histories, which take long to read: under a lock of their own, as no worker has such a run.

    def remember(self, run: Run) -> None:
        """Have series and samples of a run in memory."""
        with self._histories:
            if not run.has_history:
                store.read_history(run)

    def forget(self, run: Run, *, unseen_since: float) -> None:
        """Free the memory of a run's series and samples, unless somebody needs them."""
        with self._histories, self.lock:
            if run.worker is None and not run.is_moving and run.seen_at < unseen_since:
                run.forget_history()

    # What has to be written down.

    @property
    def unsaved(self) -> dict[str, int]:
        """The runs of which the record is out of date: names, and how often each has changed."""
        with self.lock:
            return dict(self._unsaved)

    def note_saved(self, run_id: str, n_changes: int) -> None:
        """Note that a record is on disk as it was after so many changes."""
        with self.lock:
            if self._unsaved.get(run_id) == n_changes:
                del self._unsaved[run_id]

    def note_change(self, run: Run) -> None:
        """Note that the record of a run is out of date."""
        if self._runs.get(run.id) is run:
            self._unsaved[run.id] = self._unsaved.get(run.id, 0) + 1
            self.changed.set()
