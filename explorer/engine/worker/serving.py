"""The worker process: holds the tensors, trains all live runs in turns, answers between turns.

It reads requests from its standard input and writes answers and news of its runs to its standard
output, as `messages`. It ends when its input ends, so it never outlives the web server.
"""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.messages import (
    BesideTurn,
    Message,
    Ready,
    Refused,
    Request,
    Turn,
    decode_request,
    encode,
    number_of,
)
from explorer.engine.worker.handlers import AtOnce, Beside, InSlices, Pieces, handlers
from explorer.engine.worker.lane import Lane
from explorer.engine.worker.live_runs import SLICE_SECONDS, LiveRuns
from explorer.engine.worker.questions import Questions
from explorer.engine.worker.refusing import tried
from explorer.engine.worker.shares import Shares


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, and the number under which the server waits for its answer."""

    request: Request[Any]
    number: int | None


@dataclass(kw_only=True)
class Job:
    """A request that is done in slices."""

    student: str
    number: int | None
    pieces: Pieces
    used: float = 0.0
    """Seconds that it has had."""
    sent: Any = None
    """What was found beside, for the next piece."""
    is_beside: bool = False
    """Whether it waits for what is done beside."""


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
        self._ahead = 0.0
        """Seconds that looks out of turn have had more than their part, while both wanted some."""
        self._sending = threading.Lock()
        self._shares = Shares()
        self.lane = Lane(self._shares, lambda number: self._send(BesideTurn(question=number)))
        """Where tokenizers learn."""
        self._runs = LiveRuns(self._send, self._shares)
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
        block, end = not (self._ready() or self._runs.are_moving), time.monotonic() + SLICE_SECONDS
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
                    self._begin(asked, answer)
            case InSlices() as in_slices:
                self._begin(asked, in_slices.work(request))
            case Beside() as beside:
                self._held_up[request.run] = []
                self._in_a_thread(
                    lambda: beside.work(request),
                    lambda rest: self._finish(asked, rest),
                    student=request.student,
                )

    def _begin(self, asked: Asked, pieces: Pieces) -> None:
        student = asked.request.student
        self._jobs.append(Job(student=student, number=asked.number, pieces=pieces))

    def _in_a_thread(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        *,
        student: str,
        question: int | None = None,
    ) -> None:
        """Do what may be done beside, and leave what comes of it to the thread that serves."""

        def do() -> None:
            with self.lane.work_for(student, question):
                found = tried(work)
            self._waiting.put(partial(then, found))

        threading.Thread(target=do, daemon=True).start()

    def _finish(self, asked: Asked, rest: Callable[[], Message] | Refused) -> None:
        """Answer what was begun beside, then what was asked of its run in the meantime."""
        self._send(rest if isinstance(rest, Refused) else tried(rest), asked.number)
        self._runs.tell_new()
        for each in self._held_up.pop(asked.request.run):
            self._take(each)

    def _work_a_slice(self) -> None:
        """Give a slice to a look out of turn, or to whoever's turn it is.

        Where there are both, both go on: looks have half of the time while one student trains, and
        a third while several do, however many look.
        """
        began, hurried = time.thread_time(), self._hurried()
        waits = self._runs.are_moving or len(hurried) < len(self._ready())
        if is_hurried := bool(hurried) and (self._ahead <= 0 or not waits):
            self._do_a_job(hurried, self._shares.lend)
        elif waits:
            self._take_a_turn()
        seconds = time.thread_time() - began
        self._ahead += seconds if is_hurried else -seconds / min(2, max(1, self._runs.n_students))
        if not waits:
            self._ahead = 0.0
        elif not hurried:
            self._ahead = max(0.0, self._ahead)  # who asks again and again gains nothing by pauses

    def _take_a_turn(self) -> None:
        """Do something of the student who has had least: a look, if they wait for one, or a run."""
        looking = [job for job in self._ready() if not self._shares.may_hurry(job.student)]
        student = self._runs.whose_turn({job.student for job in looking})
        if own := [job for job in looking if job.student == student]:
            self._do_a_job(own, self._shares.charge)
        else:
            self._runs.train_a_slice(student)

    def _ready(self) -> list[Job]:
        return [job for job in self._jobs if not job.is_beside]

    def _hurried(self) -> list[Job]:
        """List the looks of students who have had no more than their share."""
        return [job for job in self._ready() if self._shares.may_hurry(job.student)]

    def _do_a_job(self, jobs: list[Job], note: Callable[[str, float], None]) -> None:
        """Go on with the job that has had the least time: a short one waits for no long one.

        Args:
            jobs: of which one is done.
            note: takes down whose it was, and how many seconds it took.
        """
        job = min(jobs, key=lambda job: job.used)
        self._send(Turn(run="", question=job.number))
        began = time.thread_time()
        answer = tried(lambda: _pieces_of_a_slice(job))
        seconds = time.thread_time() - began
        job.used += seconds
        note(job.student, seconds)
        if isinstance(answer, Message):
            self._jobs.remove(job)
            self._send(answer, job.number)
        elif answer is not None:
            job.is_beside = True
            self._in_a_thread(
                answer, partial(self._go_on, job), student=job.student, question=job.number
            )

    def _go_on(self, job: Job, found: Any) -> None:
        """Take up a job again for which something was done beside."""
        job.is_beside, job.sent = False, found
        if isinstance(found, Refused):
            self._jobs.remove(job)
            self._send(found, job.number)

    def _send(self, message: Message, number: int | None = None) -> None:
        with self._sending, suppress(BrokenPipeError):  # the server has gone, as its requests have
            write_frame(self._answers, encode(message, number))


def _pieces_of_a_slice(job: Job) -> Message | Callable[[], Any] | None:
    """Go on with a job until it has an answer or wants something beside, or a slice is over."""
    end = time.monotonic() + SLICE_SECONDS
    while True:
        sent, job.sent = job.sent, None
        piece = job.pieces.send(sent)
        if piece is not None or time.monotonic() >= end:
            return piece
