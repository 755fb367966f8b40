"""Between runs and workers: sends runs to workers, steers them there, and takes what they tell."""

import sys
import time
from collections.abc import Sequence
from typing import TypeVar

from explorer.engine.messages import (
    Action,
    AlreadyDone,
    Control,
    Measured,
    Message,
    News,
    Refused,
    Request,
    Start,
    Started,
    Unload,
)
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.admission import Admission
from explorer.engine.server.errors import EngineError
from explorer.engine.server.pool import Pool
from explorer.engine.server.process import WorkerProcess
from explorer.engine.server.registry import Registry

R = TypeVar("R")
DEATH_SECONDS = 3600
"""A run in whose turns the worker ends twice within this is parked."""
MOST_DEATHS = 2


class Dispatch:
    """Brings runs to workers, and what workers tell to the registry.

    Args:
        registry: the runs.
        admission: whether one more fits into memory.
    """

    def __init__(self, registry: Registry, admission: Admission) -> None:
        self._registry, self._admission = registry, admission
        self._notes: dict[str, str] = {}
        """What is to be said of runs that wait, once they start."""
        self.pool = Pool(self._take, self.note_death)

    def launch(self, run: Run, *, state: RunState = RunState.RUNNING, note: str = "") -> None:
        """Send a run to a worker, new or from its last checkpoint, without waiting for it.

        Where there is no room in memory, it waits in the line. Nothing happens where the run may
        not start as it stands.

        Args:
            run: the run.
            state: how it stands when it is ready: running or paused.
            note: what to say of it then, where it goes on from a checkpoint.

        Raises:
            EngineError: if no worker can be started.
        """
        with self._registry.lock:
            if not self._admission.fits(run):
                if self._registry.move(run, RunState.WAITING):
                    self._notes[run.id] = note
                    self.say_places()
                return
            moving = self._registry.moving()
            worker = _beside(run, moving) or self.pool.idlest([each.worker for each in moving])
            if self._registry.launch(run, worker):
                start = Start(
                    run=run.id,
                    student=run.owner,
                    folder=str(run.folder),
                    state=state,
                    is_measured=bool(run.measured),
                    is_compared=bool(run.experiment),
                    group=run.group,
                )
                worker.ask(start, lambda answer: self._note_start(run, worker, answer, note))

    def let_in(self) -> None:
        """Start the runs in the line that fit by now; smaller ones may pass larger ones."""
        with self._registry.lock:
            for run in self._admission.line():
                if self._admission.fits(run):
                    self._launch_or_say(run, self._notes.pop(run.id, ""))
            self.say_places()

    def say_places(self) -> None:
        """Say of each run in the line where it stands."""
        line = self._admission.line()
        for place, run in enumerate(line, start=1):
            self._registry.say(
                run,
                f"Waiting for memory, place {place} of {len(line)} in the line: the models that "
                f"train now take what there is {self._admission.limits.place}. It starts by "
                f"itself; a smaller model, context or batch size starts sooner.",
            )

    def revive(self, run: Run) -> None:
        """Let a run go on that trained when an earlier server ended; once."""
        with self._registry.lock:
            if not run.revives:
                return
            run.revives = False
            self._launch_or_say(run, "The server was started anew.")

    def _launch_or_say(self, run: Run, note: str) -> None:
        """Launch a run that nobody waits for; where that cannot be, its page says why."""
        try:
            self.launch(run, note=note)
        except EngineError as error:
            self._registry.move(run, RunState.INTERRUPTED)
            self._registry.say(run, f"{error} {_TRY_AGAIN}")

    def steer(self, run: Run, action: Action) -> None:
        """Pause, resume, single-step or stop a run, wherever it is.

        Raises:
            EngineError: if the worker refuses, or there is no memory for it to come back.
        """
        worker = run.worker
        if worker is not None or (worker := self._steer_from_folder(run, action)):
            control = Control(run=run.id, student=run.owner, action=action)
            self.pool.ask(control, worker)

    def tell(self, run: Run, action: Action) -> None:
        """Steer a run without waiting: it is seen by its news, and a refusal changes nothing."""
        if (worker := run.worker) is not None:
            worker.ask(Control(run=run.id, student=run.owner, action=action))

    def visit(self, run: Run, request: Request[R]) -> R:
        """Ask for something of a run that stands still, which comes into memory only for that.

        Raises:
            EngineError: if the worker refuses, or there is no memory.
        """
        with self._registry.lock:
            if run.worker is None and run.status.can_go_on:
                self._check_room(run)
                self.launch(run, state=RunState.PAUSED)
            worker = run.worker
        answer = self.pool.ask(request, worker)
        if run.status is RunState.PAUSED:
            self.pool.ask(Unload(run=run.id), worker)
            self._registry.release(run)
        return answer

    def _check_room(self, run: Run) -> None:
        if not self._admission.fits(run):
            raise EngineError(
                "There is no memory now for what a browser has made of this run, as the models "
                "that train take all that there is; it is tried again in a minute."
            )

    def _steer_from_folder(self, run: Run, action: Action) -> WorkerProcess | None:
        """Steer a run of which only the folder is left; return the worker that has to do the rest.

        A run that is finished, or that another tab has just sent off, stays as it is.
        """
        with self._registry.lock:
            if action == "stop":
                self._registry.move(run, RunState.STOPPED, "")
            elif action in ("resume", "step") and run.status.can_go_on:
                run.died_at.clear()  # its owner wants it, whatever it did
                if action == "step" and not self._admission.fits(run):
                    raise EngineError(
                        "There is no memory now to do one step of this run, as the models that "
                        "train take all that there is; press Go on, and it waits in the line."
                    )
                then = RunState.RUNNING if action == "resume" else RunState.PAUSED
                self.launch(run, state=then)
                return run.worker if action == "step" else None
        return None

    # What workers tell: these run in the threads that listen to them.

    def _note_start(
        self,
        run: Run,
        worker: WorkerProcess,
        answer: Started | AlreadyDone | Refused,
        note: str,
    ) -> None:
        with self._registry.lock:
            if run.worker is not worker:
                return
            if isinstance(answer, Started):
                message = _what_happened(note, answer)
                self._registry.take_start(run, worker, answer, message)
            elif isinstance(answer, AlreadyDone):
                self._registry.move(run, RunState.FINISHED, "")
            elif not answer.died:  # else whoever notes the death knows what to do
                self._registry.move(run, RunState.FAILED, answer.sentence)

    def _take(self, worker: WorkerProcess, message: Message) -> None:
        if isinstance(message, News):
            self._registry.take_news(worker, message)
        elif isinstance(message, Measured):
            self._registry.take_measure(worker, message.run, dict(message.measured))
        else:
            sys.stderr.write(f"engine: {message}\n")

    def note_death(self, worker: WorkerProcess) -> None:
        """Take up the runs of a worker that has ended, except one that may be the cause."""
        with self._registry.lock:
            for run in self._registry.lose(worker):
                why = self._why_not_again(run, worker)
                if not run.is_moving:
                    continue  # a paused run has its checkpoint
                try:
                    if not why:
                        self.launch(run, note="The worker process ended unexpectedly.")
                except EngineError as error:
                    why = f"{error} {_TRY_AGAIN}"
                if why:
                    self._registry.move(run, RunState.INTERRUPTED, why)

    def _why_not_again(self, run: Run, worker: WorkerProcess) -> str:
        """Say why a run is not taken up again by itself; empty: it is."""
        now = time.monotonic()
        if is_suspect := run.id == worker.turn.run:
            run.died_at.append(now)
            while now - run.died_at[0] > DEATH_SECONDS:
                run.died_at.popleft()
        if not worker.is_ready:
            return _NO_START
        if not is_suspect or len(run.died_at) < MOST_DEATHS:
            return ""
        return _PARKED_FOR_MEMORY if worker.was_killed else _PARKED


def _beside(run: Run, moving: Sequence[Run]) -> WorkerProcess | None:
    """Find the worker that has the runs with which a run goes in step; None: there is none."""
    together = [each for each in moving if run.group and each.group == run.group]
    return next((each.worker for each in together if each.worker and each.worker.is_alive), None)


_LET_ALONE = (
    "so it is parked and leaves the others alone; press Go on to try from its last checkpoint, or "
    "start one with a smaller model, context or batch size."
)
_PARKED = f"The worker process ended twice while this run had its turn, {_LET_ALONE}"
_PARKED_FOR_MEMORY = (
    f"The system ended the worker process twice while this run had its turn, most likely as memory "
    f"ran out, {_LET_ALONE}"
)
_NO_START = (
    "The worker process could not start, which the server's log explains; press Go on to try again "
    "from the last checkpoint."
)
_TRY_AGAIN = "Press Go on to try again from the last checkpoint."


def _what_happened(note: str, started: Started) -> str:
    """Say why a run is where it is; nothing where nothing happened to it."""
    if not (note or started.note):
        return ""
    step = started.next_step - 1
    place = f"from its last checkpoint, step {step:,}" if step > 0 else "from step 0"
    return " ".join(filter(None, [note, started.note, f"This run went on {place}."]))
