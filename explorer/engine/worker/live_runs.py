"""The runs in this process: started, steered and trained in turns, and what they tell of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from filelock import BaseFileLock

from explorer.engine.limits import check_setup
from explorer.engine.messages import (
    AlreadyDone,
    Checkpoint,
    Control,
    Done,
    Measured,
    Message,
    News,
    Request,
    Start,
    Started,
    Turn,
    Unload,
)
from explorer.engine.run_state import RunState
from explorer.engine.worker.preparing import Library, Prepared
from explorer.engine.worker.refusing import sentence
from tiny_llama.checkpoint import (
    new_trainer,
    read_checkpoint,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.errors import CheckpointError, UserError
from tiny_llama.measuring import measure
from tiny_llama.metrics import trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.run_lock import hold_run
from tiny_llama.setup import SETUP
from tiny_llama.training import Trainer

SLICE_SECONDS = 0.05
"""How long one run trains before the next one, or a question, gets its turn."""
NEWS_SECONDS = 0.1
"""How often a running run tells the server its rows."""
LOCK_SECONDS = 30
"""How long a run waits for another process to let its folder go: a worker whose server was killed
ends once what it is doing is done."""


@dataclass(kw_only=True)
class LiveRun:
    """A run in this process."""

    id: str
    trainer: Trainer
    recorder: Recorder
    used: float
    """Seconds that it has had, so that the one that has had least is next."""
    state: RunState
    message: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Reports that the server has not been told yet."""
    told_at: float = -inf
    is_measured: bool = False
    lock: BaseFileLock | None = None
    """What keeps other processes from writing into its folder."""

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.trainer.next_step > self.trainer.config.steps

    def advance(self) -> None:
        """Do one step; a run that cannot go on ends or waits with a sentence, the others go on."""
        try:
            if (report := next(self.trainer, None)) is not None:
                self.rows.append(self.recorder.note(report))
            self.recorder.write_if_due()
            if self.is_done:
                self.recorder.checkpoint()
                self.state, self.message = RunState.FINISHED, ""
        except CheckpointError as error:  # a full disk: what is learned stays in memory
            self.state = RunState.PAUSED
            self.message = f"Paused, since it could not be saved: {error}"
        except Exception as error:
            self.state, self.message = RunState.FAILED, sentence(error)
            with suppress(UserError):
                self.recorder.flush()

    def take_news(self) -> News:
        """What the server has not been told yet."""
        news = News(run=self.id, state=self.state, message=self.message, rows=self.rows)
        self.rows, self.told_at = [], time.monotonic()
        return news


class LiveRuns:
    """All runs in this process.

    Args:
        tell: sends a message to the server.
    """

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self._send = tell
        self._runs: dict[str, LiveRun] = {}
        self._library = Library()
        self._actions: Mapping[str, Callable[[LiveRun], None]] = {
            "pause": self._pause,
            "resume": self._resume,
            "step": self._step,
            "stop": self._stop,
        }

    @property
    def are_moving(self) -> bool:
        """Whether any of them trains."""
        return bool(self._moving())

    def trainer_of(self, run_id: str) -> Trainer | None:
        """What trains a run; None where it is not in this process."""
        run = self._runs.get(run_id)
        return run.trainer if run else None

    def save(self) -> None:
        """Write what all of them have learned, where there is room."""
        for run in self._runs.values():
            with suppress(UserError):
                run.recorder.checkpoint()

    # Requests.

    def start(self, request: Start) -> Callable[[], Started | AlreadyDone]:
        """Get a run's text and tokenizer ready beside the training of others.

        Nothing is drawn at random here; what is returned starts the run, in its turn.
        """
        folder = Path(request.folder)
        lock = hold_run(folder, patience_seconds=LOCK_SECONDS)
        with _released_unless_done(lock):
            prepared = self._library.prepare(folder)
        return lambda: self._start(request, prepared, lock)

    def _start(
        self, request: Start, prepared: Prepared, lock: BaseFileLock
    ) -> Started | AlreadyDone:
        """Start a run in its folder, or go on with what the folder holds."""
        with _released_unless_done(lock):
            started = self._start_locked(request, prepared)
            if isinstance(started, Started):
                self._runs[request.run].lock = lock
            else:
                lock.release()
            return started

    def _start_locked(self, request: Start, prepared: Prepared) -> Started | AlreadyDone:
        folder, note = Path(request.folder), ""
        if prepared.is_new:
            trainer = _begin(folder, prepared)
        else:
            checkpoint = read_checkpoint(folder)
            if checkpoint.is_done:
                return AlreadyDone()
            trainer = resume_trainer(folder, checkpoint, corpus=prepared.tokens)
            missing = trim_metrics(folder, trainer.next_step)
            note = " ".join(filter(None, [checkpoint.found.note, missing]))
        used = min((run.used for run in self._runs.values()), default=0.0)
        recorder = Recorder(folder, trainer)
        run = LiveRun(
            id=request.run, trainer=trainer, recorder=recorder, used=used, state=request.state
        )
        recorder.checkpoint()
        self._runs[run.id] = run
        vocab_size = trainer.corpus.tokenizer.vocab_size
        return Started(next_step=trainer.next_step, vocab_size=vocab_size, note=note)

    def control(self, request: Control) -> Done:
        """Pause, single-step, resume or stop a run."""
        run = self._find(request.run)
        self._actions[request.action](run)
        self._tell(run)
        return Done()

    def checkpoint(self, request: Checkpoint | Unload) -> Done:
        """Write what a run has learned, so that its folder can be copied."""
        if run := self._runs.get(request.run):
            run.recorder.checkpoint()
        return Done()

    def unload(self, request: Unload) -> Done:
        """Write what a run has learned and let its memory go."""
        self.checkpoint(request)
        return self.forget(request)

    def forget(self, request: Request[Done]) -> Done:
        """Let the memory of a run go, without writing anything."""
        self._let_go(request.run)
        return Done()

    def _find(self, run_id: str) -> LiveRun:
        if run_id not in self._runs:
            raise CheckpointError("This run is not live; resume it from its last checkpoint.")
        return self._runs[run_id]

    def _pause(self, run: LiveRun) -> None:
        if run.state is RunState.RUNNING:
            run.recorder.checkpoint()
            run.state = RunState.PAUSED

    def _resume(self, run: LiveRun) -> None:
        if run.state is RunState.PAUSED:
            run.used = min((other.used for other in self._moving()), default=run.used)
            run.state, run.message = RunState.RUNNING, ""

    def _step(self, run: LiveRun) -> None:
        if run.state is RunState.PAUSED:
            self._advance(run)
            run.recorder.flush()

    def _stop(self, run: LiveRun) -> None:
        if run.state.is_live:
            run.recorder.checkpoint()
            run.state = RunState.STOPPED

    # Turns.

    def train_a_slice(self) -> None:
        """Train the running run that has had the least time so far."""
        if not (moving := self._moving()):
            return
        run = min(moving, key=lambda run: run.used)
        self._send(Turn(run=run.id))
        began, is_new = time.monotonic(), run.trainer.next_step == 0
        while run.state is RunState.RUNNING and (
            time.monotonic() < began + SLICE_SECONDS
            or (is_new and run.trainer.next_step < 2)  # its first step shows at once
        ):
            self._advance(run)
        run.used += time.monotonic() - began
        if run.state is not RunState.RUNNING or time.monotonic() - run.told_at > NEWS_SECONDS:
            self._tell(run)

    def tell_new(self) -> None:
        """Tell how runs stand that have just been started."""
        for run in [run for run in self._runs.values() if run.told_at == -inf]:
            self._tell(run)

    def _moving(self) -> list[LiveRun]:
        return [run for run in self._runs.values() if run.state is RunState.RUNNING]

    def _advance(self, run: LiveRun) -> None:
        """Do one step; after the first one here, measure what the run really takes, and tell."""
        run.advance()
        if run.is_measured or run.trainer.next_step < 2 or run.state is RunState.FAILED:
            return
        run.is_measured = True
        self._send(Measured(run=run.id, measured=asdict(measure(run.trainer))))

    def _tell(self, run: LiveRun) -> None:
        self._send(run.take_news())
        if not run.state.is_live:  # its folder holds all that is still needed
            self._let_go(run.id)

    def _let_go(self, run_id: str) -> None:
        run = self._runs.pop(run_id, None)
        if run is not None and run.lock is not None:
            run.lock.release()


@contextmanager
def _released_unless_done(lock: BaseFileLock) -> Iterator[None]:
    """Release a lock where what it was taken for fails."""
    try:
        yield
    except BaseException:
        lock.release()
        raise


def _begin(folder: Path, prepared: Prepared) -> Trainer:
    """Build the model of a new run, of which there is nothing but how it is wanted."""
    check_setup(with_vocabulary(prepared.setup, prepared.tokens))
    trainer = new_trainer(prepared.setup, prepared.tokens)
    (folder / SETUP).unlink(missing_ok=True)  # from a start that was cut short
    start_folder(folder, prepared.setup, trainer, prepared.corpus)
    return trainer
