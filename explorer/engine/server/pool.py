"""The worker processes of this server: as many as are needed and may be, asked and waited for."""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from explorer.engine.limits import limits
from explorer.engine.machine import n_cores
from explorer.engine.messages import Message, Refused, Request
from explorer.engine.server.errors import EngineError, WorkerDiedError
from explorer.engine.server.process import WorkerProcess

PATIENCE_SECONDS = 60
"""How long a page waits for an answer at the most."""
R = TypeVar("R")


class Pool:
    """Workers, started when first needed: one a core but for one core, and as the limits allow.

    Args:
        on_news: called with a worker and what it tells of its runs.
        on_death: called with a worker that has ended by itself.
    """

    def __init__(
        self,
        on_news: Callable[[WorkerProcess, Message], None],
        on_death: Callable[[WorkerProcess], None],
    ) -> None:
        self._on_news, self._on_death = on_news, on_death
        self._workers: list[WorkerProcess] = []
        self._lock = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.pid for worker in self._alive()]

    def idlest(self, busy: Sequence[WorkerProcess | None] = ()) -> WorkerProcess:
        """Give the worker with the fewest runs; one more is started while all have some.

        Args:
            busy: the worker of each run that moves, as often as it has runs.

        Raises:
            EngineError: if none is there and none can be started.
        """
        with self._lock:
            self._workers = alive = self._alive()
            idlest = min(alive, key=busy.count, default=None)
            if idlest is None or (busy.count(idlest) and len(alive) < _most_workers()):
                idlest = self._started() or idlest
            if idlest is None:
                raise EngineError("No worker process can be started; try again in a moment.")
            return idlest

    def ask(self, request: Request[R], worker: WorkerProcess | None) -> R:
        """Ask a worker, or any one, and wait for the answer.

        Raises:
            EngineError: if it refuses, has died, or takes too long.
        """
        try:
            asked = (worker or self.idlest()).ask(request)
            answer = asked.result(timeout=PATIENCE_SECONDS)
        except TimeoutError:
            raise EngineError("The worker is too busy to answer; try again in a moment.") from None
        if isinstance(answer, Refused):
            if answer.died:
                raise WorkerDiedError(answer.sentence, answer.blame)
            raise EngineError(answer.sentence)
        return answer

    def close(self) -> None:
        """Let the workers save their runs and end."""
        for worker in self._workers:
            worker.close()

    def _started(self) -> WorkerProcess | None:
        """Start one more worker; None where the system has no room for it."""
        try:
            self._workers.append(WorkerProcess(self._on_news, self._on_death))
        except OSError as error:
            sys.stderr.write(f"engine: no worker can be started: {error}\n")
            return None
        return self._workers[-1]

    def _alive(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.is_alive]


def _most_workers() -> int:
    return max(1, min(limits().workers, n_cores() - 1))
