"""A worker process as the server sees it: started, asked, listened to, and noticed when it dies."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, BinaryIO, cast

from explorer.engine.frames import Frame, read_frame, write_frame

DIED = "The worker process ended before it could answer; try again."

_ENVIRONMENT = {
    # Otherwise each thread that prepares a text keeps an arena of memory that nobody else can use.
    # Trimming what is free, too, would halve the speed: it also makes large tensors be mapped anew.
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",  # libraries start no threads of their own
}


class WorkerProcess:
    """A worker and the thread that listens to it.

    Args:
        on_news: called in that thread with what the worker tells of its runs.
        on_death: called in that thread with this object when the worker has ended by itself.
    """

    def __init__(
        self,
        on_news: Callable[[Mapping[str, Any]], None],
        on_death: Callable[["WorkerProcess"], None],
    ) -> None:
        self.turn = ""
        """The run whose turn it was when the worker last said so."""
        self.is_ready = False
        """Whether it has got as far as waiting for requests."""
        self._on_news, self._on_death = on_news, on_death
        self._numbers = itertools.count()
        self._open: dict[int, Future[Frame]] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "explorer.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
        )
        self._closing = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs and is listened to."""
        return not self._closing and self._process.poll() is None and self._listener.is_alive()

    def ask(self, operation: str, values: Mapping[str, Any]) -> "Future[Frame]":
        """Send a request; the future gets the answer, or an error if the worker dies first."""
        answer: Future[Frame] = Future()
        with self._lock:
            number = next(self._numbers)
            self._open[number] = answer
            frame = Frame(values={**values, "operation": operation, "request": number})
            try:
                write_frame(cast(BinaryIO, self._process.stdin), frame)
            except (OSError, ValueError):  # the pipe is broken, or closed already
                del self._open[number]
                answer.set_result(_died())
        return answer

    def close(self) -> None:
        """Let the worker save its runs and end."""
        self._closing = True
        with self._lock:
            self._close_requests()
        self._listener.join(timeout=30)

    def _listen(self) -> None:
        answers = cast(BinaryIO, self._process.stdout)
        while (frame := read_frame(answers)) is not None:
            self._take(frame)
        with self._lock:
            unanswered = list(self._open.values())
            self._open.clear()
            self._close_requests()
        for answer in unanswered:
            answer.set_result(_died())
        answers.close()
        self._process.wait(timeout=30)
        if not self._closing:
            self._on_death(self)

    def _take(self, frame: Frame) -> None:
        if "turn" in frame.values:
            self.turn = frame.values["turn"]
        elif "ready" in frame.values:
            self.is_ready = True
        elif "news" in frame.values:
            self._on_news(frame.values)
        else:
            self._open.pop(frame.values["request"]).set_result(frame)

    def _close_requests(self) -> None:
        """Send no more; what a dead worker did not read is lost anyway."""
        with suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()


def _died() -> Frame:
    return Frame(values={"error": DIED, "died": True})
