"""The worker process: holds the tensors, trains all live runs in turns, answers between turns.

It reads requests from its standard input and writes answers and news of its runs to its standard
output, as `messages`. It ends when its input ends, so it never outlives the web server.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.messages import (
    Message,
    Ready,
    Refused,
    Request,
    Turn,
    decode_request,
    encode,
    number_of,
)
from explorer.engine.worker.handlers import AtOnce, Beside, InSlices, handlers
from explorer.engine.worker.live_runs import SLICE_SECONDS, LiveRuns
from explorer.engine.worker.questions import Questions
from explorer.engine.worker.refusing import tried


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, and the number under which the server waits for its answer."""

    request: Request[Any]
    number: int | None


@dataclass(kw_only=True)
class Job:
    """A request that is done in slices."""

    number: int | None
    pieces: Iterator[Message | None]
    used: float = 0.0
    """Seconds that it has had: the one that has had least is next, so a short one waits for none
    of the long ones."""


class Worker:
    """Takes turns among runs and requests.

    Args:
        requests: where requests come from.
        answers: where answers and news go to.
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests, self._answers = requests, answers
        self._waiting: queue.Queue[Frame | Callable[[], None] | None] = queue.Queue()
        self._held_up: dict[str, list[Asked]] = {}
        self._jobs: list[Job] = []
        self._owed = 0.0
        """Seconds that jobs have had more than runs, while both wanted some."""
        self._sending = threading.Lock()
        self._runs = LiveRuns(self._send)
        self._handlers = handlers(self._runs, Questions(self._runs))

    def serve(self) -> None:
        """Work until the input ends; then keep what the runs have learned."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(Ready())
        threading.Thread(target=self._runs.warm_up, daemon=True).start()
        while self._take_what_waits():
            self._work_a_slice()
        self._runs.save()

    def _listen(self) -> None:
        while (frame := read_frame(self._requests)) is not None:
            self._waiting.put(frame)
        self._waiting.put(None)

    def _take_what_waits(self) -> bool:
        """Take up what waits; with nothing else to do, wait. False when the server has gone.

        However much waits, runs and jobs get their slices in between.
        """
        block, end = not (self._jobs or self._runs.are_moving), time.monotonic() + SLICE_SECONDS
        while block or time.monotonic() < end:
            try:
                waiting = self._waiting.get(block=block)
            except queue.Empty:
                return True
            if waiting is None:
                return False
            if isinstance(waiting, Frame):
                self._read(waiting)
            else:
                waiting()
            block = False
        return True

    def _read(self, frame: Frame) -> None:
        request, number = tried(lambda: decode_request(frame)), number_of(frame)
        if isinstance(request, Refused):
            self._send(request, number)
        else:
            self._take(Asked(request=request, number=number))

    def _take(self, asked: Asked) -> None:
        """Do what is asked, in the way that the table of handlers says."""
        request, number = asked.request, asked.number
        if request.run in self._held_up:
            self._held_up[request.run].append(asked)
            return
        match self._handlers[type(request)]:
            case AtOnce() as at_once:
                answer = tried(lambda: at_once.work(request))
                if isinstance(answer, Message):
                    self._send(answer, number)
                else:
                    self._jobs.append(Job(number=number, pieces=answer))
            case InSlices() as in_slices:
                self._jobs.append(Job(number=number, pieces=in_slices.work(request)))
            case Beside() as beside:
                if beside.holds_up:
                    self._held_up[request.run] = []
                threading.Thread(target=self._work, args=(asked, beside), daemon=True).start()

    def _work(self, asked: Asked, beside: Beside) -> None:
        """Do what may be done in a thread of its own, and leave the rest to the one that serves."""
        rest = tried(lambda: beside.work(asked.request))
        self._waiting.put(lambda: self._finish(asked, beside, rest))

    def _finish(self, asked: Asked, beside: Beside, rest: Callable[[], Message] | Refused) -> None:
        """Answer what was begun beside, then what was asked of its run in the meantime."""
        self._send(rest if isinstance(rest, Refused) else tried(rest), asked.number)
        self._runs.tell_new()
        for each in self._held_up.pop(asked.request.run) if beside.holds_up else ():
            self._take(each)

    def _work_a_slice(self) -> None:
        """Give a slice to the jobs or to the runs, so that both have half of the time."""
        began, is_for_jobs = time.monotonic(), self._is_for_jobs()
        if is_for_jobs:
            self._do_a_job()
        else:
            self._runs.train_a_slice()
        seconds = time.monotonic() - began
        self._owed += seconds if is_for_jobs else -seconds
        if not self._runs.are_moving:
            self._owed = 0.0
        elif not self._jobs:
            self._owed = max(0.0, self._owed)  # who asks again and again gains nothing by pauses

    def _is_for_jobs(self) -> bool:
        return bool(self._jobs) and (self._owed <= 0 or not self._runs.are_moving)

    def _do_a_job(self) -> None:
        """Go on with the job that has had the least time."""
        job, began = min(self._jobs, key=lambda job: job.used), time.monotonic()
        self._send(Turn(run="", question=job.number))
        answer = tried(lambda: _pieces_of_a_slice(job.pieces))
        job.used += time.monotonic() - began
        if answer is not None:
            self._jobs.remove(job)
            self._send(answer, job.number)

    def _send(self, message: Message, number: int | None = None) -> None:
        with self._sending, suppress(BrokenPipeError):  # the server has gone, as its requests have
            write_frame(self._answers, encode(message, number))


def _pieces_of_a_slice(pieces: Iterator[Message | None]) -> Message | None:
    end, answer = time.monotonic() + SLICE_SECONDS, next(pieces)
    while answer is None and time.monotonic() < end:
        answer = next(pieces)
    return answer
