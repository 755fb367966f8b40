"""The worker processes of this server: as many as are needed and may be, asked and waited for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.engine.frames import Frame
from explorer.engine.limits import limits
from explorer.engine.machine import n_cores
from explorer.engine.server.process import WorkerProcess
from tiny_llama.errors import UserError

PATIENCE_SECONDS = 60
"""How long a page waits for an answer at the most."""


class EngineError(UserError):
    """What was asked cannot be done; says why in one sentence."""


class Pool:
    """Workers, started when first needed: one a core but for one core, and as the limits allow.

    Args:
        on_news: called with what a worker tells of its runs.
        on_death: called with a worker that has ended by itself.
    """

    def __init__(
        self,
        on_news: Callable[[Mapping[str, Any]], None],
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
        """
        with self._lock:
            self._workers = alive = self._alive()
            idlest = min(alive, key=busy.count, default=None)
            if idlest is None or (busy.count(idlest) and len(alive) < _most_workers()):
                idlest = WorkerProcess(self._on_news, self._on_death)
                self._workers.append(idlest)
            return idlest

    def ask(self, operation: str, values: Mapping[str, Any], worker: WorkerProcess | None) -> Frame:
        """Ask a worker, or any one, and wait for the answer.

        Raises:
            EngineError: if it refuses, has died, or takes too long.
        """
        try:
            answer = (worker or self.idlest()).ask(operation, values)
            frame = answer.result(timeout=PATIENCE_SECONDS)
        except TimeoutError:
            raise EngineError("The worker is too busy to answer; try again in a moment.") from None
        if error := frame.values.get("error"):
            raise EngineError(error)
        return frame

    def close(self) -> None:
        """Let the workers save their runs and end."""
        for worker in self._workers:
            worker.close()

    def _alive(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.is_alive]


def _most_workers() -> int:
    return max(1, min(limits().workers, n_cores() - 1))
