"""Runs at once on this machine, each in one of a few processes."""

import json
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock, local
from typing import IO, cast

from tiny_llama.comparing.runners.at_once import TRIES, AtOnce
from tiny_llama.comparing.runners.order import Order

_Worker = subprocess.Popen[str]


class Processes(AtOnce):
    """Does runs in so many processes, each with a thread here that gives it its orders.

    Args:
        n_processes: how many.
        threads: of each of them.
    """

    lost = ChildProcessError

    def __init__(self, n_processes: int, *, threads: int) -> None:
        processors = os.cpu_count() or 1
        self.n_at_once = max(1, min(n_processes, processors // threads))
        self._threads = threads
        self._givers = ThreadPoolExecutor(n_processes)
        self._of_this_giver = local()
        self._workers: list[_Worker] = []
        self._lock = Lock()
        """Held while a process is started, so that none is after all were stopped."""
        self._is_stopping = False

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that live."""
        return [worker.pid for worker in self._workers if worker.poll() is None]

    def submit(self, order: Order) -> "Future[str]":
        """Have a run done by the next process that is free."""
        return self._givers.submit(self._done, json.dumps(order) + "\n")

    def stop(self) -> None:
        """Let all processes keep what they have done, and end.

        Raises:
            KeyboardInterrupt: if it comes meanwhile; then they are killed at once.
        """
        with self._lock:
            self._is_stopping = True
        self._givers.shutdown(wait=False, cancel_futures=True)
        try:
            for worker in self._workers:
                with suppress(OSError):  # it has ended by itself
                    _pipe(worker.stdin).close()
            for worker in self._workers:
                worker.wait()
        except BaseException:
            for worker in self._workers:
                worker.kill()
            raise
        self._givers.shutdown()
        for worker in self._workers:
            _pipe(worker.stdout).close()

    def _done(self, order: str) -> str:
        """Have a run done, if need be by one process after another, and give the answer."""
        for _ in range(TRIES):
            if (worker := self._worker()) is None:
                return ""
            if answer := _answer(worker, order):
                return str(json.loads(answer))
        raise ChildProcessError

    def _worker(self) -> _Worker | None:
        """Give the process of this thread, a new one if it has ended; None: all are to stop."""
        with self._lock:
            if self._is_stopping:
                return None
            worker: _Worker | None = getattr(self._of_this_giver, "worker", None)
            if worker is None or worker.poll() is not None:
                worker = self._of_this_giver.worker = self._started()
                self._workers.append(worker)
            return worker

    def _started(self) -> _Worker:
        return subprocess.Popen(
            [sys.executable, "-m", "tiny_llama.comparing.runners.worker", str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for whoever gives the orders
        )


def _answer(worker: _Worker, order: str) -> str:
    """Give a process an order and wait for its answer; empty: it has ended without one."""
    with suppress(OSError, ValueError):  # it has just ended, or is to
        _pipe(worker.stdin).write(order)
        _pipe(worker.stdin).flush()
    if not (answer := _pipe(worker.stdout).readline()):
        worker.wait()
    return answer


def _pipe(end: IO[str] | None) -> IO[str]:
    return cast(IO[str], end)
