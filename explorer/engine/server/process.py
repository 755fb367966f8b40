"""A worker process as the server sees it: started, asked, listened to, and noticed when it dies."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar, cast

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.messages import (
    BesideTurn,
    Message,
    MessageError,
    Ready,
    Refused,
    Request,
    Turn,
    decode,
    encode,
    number_of,
)

DIED = Refused(sentence="The worker process ended before it could answer; try again.", died=True)
R = TypeVar("R")
Answer = Future[Any]
"""Of what a request says that it is answered with, or `Refused`."""

_ENVIRONMENT = {
    # Otherwise each thread that prepares a text keeps an arena of memory that nobody else can use.
    # Trimming what is free, too, would halve the speed: it also makes large tensors be mapped anew.
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",  # libraries start no threads of their own
}


class WorkerProcess:
    """A worker and the thread that listens to it.

    Args:
        on_news: called in that thread with this object and what the worker tells of its runs.
        on_death: called in that thread with this object when the worker has ended by itself.
    """

    def __init__(
        self,
        on_news: Callable[["WorkerProcess", Message], None],
        on_death: Callable[["WorkerProcess"], None],
    ) -> None:
        self.turn = Turn(run="")
        """Whose turn it was when the worker last said so."""
        self.beside = BesideTurn(question=None)
        """What was done beside the turns then."""
        self.is_ready = False
        """Whether it has got as far as waiting for requests."""
        self._on_news, self._on_death = on_news, on_death
        self._numbers = itertools.count()
        self._open: dict[int, Answer] = {}
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

    @property
    def was_killed(self) -> bool:
        """Whether the system, or somebody, has ended it without asking it: as if memory ran out."""
        return self._process.poll() == -signal.SIGKILL

    def ask(
        self, request: Request[R], then: Callable[[R | Refused], None] | None = None
    ) -> "Future[R | Refused]":
        """Send a request; the future gets the answer, a refusal too if the worker dies first.

        Args:
            request: what to do.
            then: called with the answer before any later news are, in the thread that listens.
        """
        answer: Future[R | Refused] = Future()
        if then is not None:
            answer.add_done_callback(lambda done: then(done.result()))
        with self._lock:
            number = next(self._numbers)
            self._open[number] = answer
            try:
                write_frame(cast(BinaryIO, self._process.stdin), encode(request, number))
            except (OSError, ValueError):  # the pipe is broken, or closed already
                is_lost = self._open.pop(number, None) is not None
            else:
                is_lost = False
        if is_lost:
            answer.set_result(DIED)
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
            unanswered = dict(self._open)
            self._open.clear()
            self._close_requests()
        for number, answer in unanswered.items():
            answer.set_result(replace(DIED, blame=self._blame(number, unanswered)))
        answers.close()
        self._process.wait(timeout=30)
        if not self._closing:
            self._on_death(self)

    def _blame(self, number: int, unanswered: Collection[int]) -> float:
        """Say how likely a request was why the worker ended, as far as one knows."""
        asked = {self.turn.question, self.beside.question} & set(unanswered)
        return 1 / (len(asked) + bool(self.turn.run)) if number in asked else 0.0

    def _take(self, frame: Frame) -> None:
        number = number_of(frame)
        try:
            message = decode(frame)
        except MessageError as error:
            message = Refused(sentence=str(error))
        if number is not None:
            if (answer := self._open.pop(number, None)) is not None:
                answer.set_result(message)
        elif isinstance(message, Turn):
            self.turn = message
        elif isinstance(message, BesideTurn):
            self.beside = message
        elif isinstance(message, Ready):
            self.is_ready = True
        else:
            self._on_news(self, message)

    def _close_requests(self) -> None:
        """Send no more; what a dead worker did not read is lost anyway."""
        with suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()
