"""The runs in this process: started, steered and trained in turns, and what they tell of it."""

import time
from collections.abc import Callable, Collection, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from filelock import BaseFileLock

from explorer.engine.limits import check_setup
from explorer.engine.messages import (
    AlreadyDone,
    Checkpoint,
    Control,
    Done,
    Found,
    Lend,
    Measured,
    Message,
    News,
    Repeat,
    Request,
    Start,
    Started,
    TakeBack,
    Turn,
    Unload,
)
from explorer.engine.run_state import RunState
from explorer.engine.worker.lending import (
    check_mark,
    lent,
    repeating,
    report_of,
    take_weights,
)
from explorer.engine.worker.preparing import Library, Prepared
from explorer.engine.worker.refusing import sentence, tried
from explorer.engine.worker.shares import Shares
from explorer.engine.worker.untrained import Look, Looks, as_it_began
from tiny_llama.checkpoint import (
    new_trainer,
    read_checkpoint,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.comparing.outcomes import note_divergence
from tiny_llama.data import TokenizedCorpus
from tiny_llama.errors import CheckpointError, TrainingError, UserError
from tiny_llama.measuring import Measured as Measure
from tiny_llama.measuring import measure
from tiny_llama.metrics import read_metrics, trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.run_lock import hold_run
from tiny_llama.setup import SETUP, Setup
from tiny_llama.tokenizers import Tokenizer
from tiny_llama.training import StepReport, Trainer

SLICE_SECONDS = 0.05
"""How long one run trains before the next one, or a question, gets its turn."""
NEWS_SECONDS = 0.1
"""How often a running run tells the server its rows."""
LEAST_LOOK, MOST_LOOK = 0.15, 0.5
"""Which share of a run's first turns goes to the look at its untrained model: half, where nobody
else wants the time, so that it soon is there; little where many wait for something that moves."""
MEASURED_AFTER = 2
"""Steps; the first ones had better show at once."""
MOST_MEASURED = 100
"""Setups of which it is remembered what a run of them takes."""
MOST_AHEAD = 4
"""Steps that a run may be ahead of those that it goes in step with."""
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
    """Seconds that it has had: of a student's runs, that with the least is next."""
    state: RunState
    student: str = ""
    """Fingerprint of whose it is."""
    is_compared: bool = False
    """Whether it is a run of an experiment, which nobody waits for in particular."""
    group: str = ""
    """With the others of this group it goes in step; empty: with none."""
    untrained: Look | None = None
    """The look at the model as it was before training, as long as that is owed."""
    looks_on: bool = False
    """Whether it was paused while it owed that look: all can see it stand there, so it is done."""
    message: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Reports that the server has not been told yet."""
    told_at: float = -inf
    is_measured: bool = False
    trained_seconds: float = 0.0
    looked_seconds: float = 0.0
    lock: BaseFileLock | None = None
    """What keeps other processes from writing into its folder."""

    @property
    def is_done(self) -> bool:
        """Whether all steps are done, and the look at the untrained model is."""
        return self.trainer.is_done and self.untrained is None

    @property
    def is_new(self) -> bool:
        """Whether it has not done its first step, and somebody waits for that."""
        return self.trainer.next_step < 2 and not (self.is_compared or self.is_looking)

    @property
    def is_looking(self) -> bool:
        """Whether it is paused, but for the look at its untrained model."""
        return self.state is RunState.PAUSED and self.looks_on and self.untrained is not None

    def advance(self, look_share: float) -> bool:
        """Do one piece of work; a run that cannot go on ends or waits with a sentence.

        Args:
            look_share: of its time for the look at the untrained model, as long as that is owed;
                1: nothing else is done.

        Returns:
            Whether a step is reported with it.
        """
        work, began = self._next_work(look_share), time.monotonic()
        try:
            if (report := work.advance()) is not None:
                self.rows.append(self.recorder.note(report))
            self._note_time(work, time.monotonic() - began, report)
            self.recorder.write_if_due()
            if self.is_done:
                self.recorder.checkpoint()
                self.state, self.message = RunState.FINISHED, ""
        except CheckpointError as error:  # a full disk: what is learned stays in memory
            self.state = RunState.FAILED if self.is_compared else RunState.PAUSED
            self.message = f"Paused, since it could not be saved: {error}"
            self.looks_on = False
        except Exception as error:
            self.state, self.message = RunState.FAILED, sentence(error)
            with suppress(UserError):
                self.recorder.flush()
                if self.is_compared and isinstance(error, TrainingError):
                    folder, step = self.recorder.folder, self.trainer.first_unreported
                    note_divergence(folder, step, str(error))
            return False
        return report is not None and work is self.trainer

    def _next_work(self, look_share: float) -> Trainer | Look:
        """Say whose turn it is: the training's, or the look's at the untrained model."""
        if (look := self.untrained) is None:
            return self.trainer
        if look_share == 1:
            return look
        if self.trainer.next_step < 2:
            return self.trainer
        spent = self.trained_seconds + self.looked_seconds
        is_due = self.looked_seconds <= look_share * spent or look.report is not None
        return look if is_due or self.trainer.is_done else self.trainer

    def _note_time(self, work: Trainer | Look, seconds: float, report: StepReport | None) -> None:
        if work is self.trainer:
            self.trained_seconds += seconds
        else:
            self.looked_seconds += seconds
            if report is not None:
                self.untrained = None

    def take_news(self) -> News:
        """Hand over what the server has not been told yet."""
        news = News(run=self.id, state=self.state, message=self.message, rows=self.rows)
        self.rows, self.told_at = [], time.monotonic()
        return news


class LiveRuns:
    """All runs in this process.

    Args:
        tell: sends a message to the server.
        shares: what each student has had; None: nobody has had anything.
    """

    def __init__(self, tell: Callable[[Message], None], shares: Shares | None = None) -> None:
        self._send, self._shares = tell, shares or Shares()
        self._runs: dict[str, LiveRun] = {}
        self._library, self._looks = Library(), Looks()
        self._measured: LRUCache[Hashable, Measure] = LRUCache(MOST_MEASURED)
        self._actions: Mapping[str, Callable[[LiveRun], None]] = {
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._stop,
        }

    @property
    def are_moving(self) -> bool:
        """Whether any of them trains."""
        return bool(self._moving())

    @property
    def n_students(self) -> int:
        """How many students have runs that train."""
        return len({run.student for run in self._moving()})

    def trainer_of(self, run_id: str) -> Trainer | None:
        """Give what trains a run; None where it is not in this process."""
        run = self._runs.get(run_id)
        return run.trainer if run else None

    def tokens_of(self, setup: Setup, tokenizer: Tokenizer) -> TokenizedCorpus | None:
        """Find a built-in text as cut by a tokenizer, where runs have it."""
        return self._library.tokens_of(setup, tokenizer)

    def save(self) -> None:
        """Write what all of them have learned, where there is room."""
        for run in self._runs.values():
            with suppress(UserError):
                run.recorder.checkpoint()

    def warm_up(self) -> None:
        """Do beside what the first run would have to wait for."""
        self._library.warm_up()

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
        self._send(Turn(run=request.run))
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
            missing = trim_metrics(folder, trainer.first_unreported)
            note = " ".join(filter(None, [checkpoint.found.note, missing]))
        recorder = Recorder(folder, trainer)
        run = LiveRun(
            id=request.run,
            student=request.student,
            trainer=trainer,
            recorder=recorder,
            used=self._least_used(request.student),
            state=request.state,
            is_compared=request.is_compared,
            group=request.group,
            untrained=None if request.is_compared else self._untrained(folder, trainer),
            is_measured=request.is_measured,
        )
        recorder.checkpoint()
        self._runs[run.id] = run
        vocab_size = trainer.corpus.tokenizer.vocab_size
        return Started(next_step=trainer.next_step, vocab_size=vocab_size, note=note)

    def _untrained(self, folder: Path, trainer: Trainer) -> Look | None:
        """Give the look at a run's model before training; None where that has been done."""
        trainer.skip_untrained()
        has_looked = any(row.get("step") == 0 for row in read_metrics(folder))
        return None if has_looked else self._looks.of(trainer)

    def control(self, request: Control) -> Done | Generator[Done | None, Any, None]:
        """Pause, resume or stop a run at once, or do one step of it, which may take many pieces."""
        run = self._find(request.run)
        if request.action == "step":
            return self._step(run)
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

    def lend(self, request: Lend) -> Found:
        """Say all that a browser needs to train a run; the look at the untrained model, too."""
        run = self._find(request.run)
        values, arrays = lent(run.trainer)
        run.looks_on = False
        if run.untrained is not None:
            values["next_step"] = 0
        self._tell(run)
        return Found(step=max(0, run.trainer.next_step - 1), values=values, arrays=arrays)

    def take_back(self, request: TakeBack) -> Done:
        """Keep what a browser has made of a run, as if it had been made here."""
        run = self._find(request.run)
        if request.mark:
            check_mark(run.trainer, request.mark)
        take_weights(run.trainer, request.arrays, next_step=request.next_step)
        for row in request.rows:
            trainer = run.trainer if row["step"] else as_it_began(run.trainer)
            run.rows.append(run.recorder.note(report_of(row, trainer)))
            if not row["step"]:
                run.untrained = None
        run.recorder.checkpoint()
        if run.is_done:
            run.state = RunState.FINISHED
        elif request.stops:
            run.state = RunState.STOPPED
        self._tell(run)
        return Done()

    def repeat(self, request: Repeat) -> Generator[Found | None, Any, None]:
        """Train a run's first steps once more, without looks at what it has learned."""
        trainer = repeating(self._find(request.run).trainer)
        losses: list[float] = []
        while len(losses) < request.steps and not trainer.is_done:
            if (report := trainer.advance()) and report.loss is not None:
                losses.append(report.loss)
            yield None
        yield Found(step=len(losses), values={}, arrays={"losses": np.array(losses)})

    def _find(self, run_id: str) -> LiveRun:
        if run_id not in self._runs:
            raise CheckpointError("This run is not live; resume it from its last checkpoint.")
        return self._runs[run_id]

    def _pause(self, run: LiveRun) -> None:
        if run.state is RunState.RUNNING:
            run.recorder.checkpoint()
            run.state, run.looks_on = RunState.PAUSED, True

    def _resume(self, run: LiveRun) -> None:
        if run.state is RunState.PAUSED:
            run.used = self._least_used(run.student, usual=run.used)
            run.state, run.message = RunState.RUNNING, ""

    def _least_used(self, student: str, usual: float = 0.0) -> float:
        """Say what a student's run has had that comes to others: as much as they have."""
        return min((run.used for run in self._moving() if run.student == student), default=usual)

    def _step(self, run: LiveRun) -> Generator[Done | None, Any, None]:
        """Do one step, and the look at the untrained model where that is still owed."""
        has_stepped = run.trainer.is_done
        while run.state is RunState.PAUSED and not has_stepped:
            has_stepped = self._advance(run, look_share=0.0)
            yield None
        while run.state is RunState.PAUSED and run.untrained is not None:
            self._advance(run, look_share=1.0)
            yield None
        if run.id in self._runs:  # else it was ended meanwhile
            run.recorder.flush()
            self._tell(run)
        yield Done()

    def _stop(self, run: LiveRun) -> None:
        if run.state.is_live:
            run.recorder.checkpoint()
            run.state = RunState.STOPPED

    # Turns.

    def whose_turn(self, others: Collection[str] = ()) -> str:
        """Name the student who has had least, of those whose runs move and of some others.

        Runs that have not done a step yet come before everything: somebody has just started them.
        """
        new = {run.student for run in self._moving() if run.is_new}
        return self._shares.least(new or {run.student for run in self._moving()} | set(others))

    def train_a_slice(self, student: str | None = None) -> None:
        """Train the running run of a student that has had the least time so far.

        Args:
            student: whose turn it is, who has one that runs; None: whoever has had least.
        """
        if not (moving := self._moving()):
            return
        student = self.whose_turn() if student is None else student
        own = [run for run in moving if run.student == student and self._is_in_step(run)]
        run = min(own, key=lambda run: (not run.is_new, run.used))
        self._send(Turn(run=run.id))
        is_new, share = run.is_new, max(LEAST_LOOK, min(MOST_LOOK, 1 / len(moving)))
        end, began = time.monotonic() + SLICE_SECONDS, time.thread_time()
        while _moves(run) and (time.monotonic() < end or run.is_new):
            self._advance(run, look_share=1.0 if run.is_looking else share)
            if is_new and not run.is_new:
                break  # its first step shows at once
            if not self._is_in_step(run):
                break
        seconds = time.thread_time() - began
        run.used += seconds
        self._shares.charge(student, seconds)
        is_due = is_new or time.monotonic() - run.told_at > NEWS_SECONDS
        if run.state is RunState.PAUSED and run.untrained is None:
            with suppress(UserError):  # a full disk: it is written with what comes next
                run.recorder.flush()
        if not _moves(run) or is_due:
            self._tell(run)

    def _is_in_step(self, run: LiveRun) -> bool:
        """Tell whether a run may go on: it is not far ahead of those that it goes in step with."""
        if not run.group:
            return True
        steps = [each.trainer.next_step for each in self._moving() if each.group == run.group]
        return run.trainer.next_step < min(steps, default=0) + MOST_AHEAD

    def tell_new(self) -> None:
        """Tell how runs stand that have just been started."""
        for run in [run for run in self._runs.values() if run.told_at == -inf]:
            self._tell(run)

    def _moving(self) -> list[LiveRun]:
        return [run for run in self._runs.values() if _moves(run)]

    def _advance(self, run: LiveRun, *, look_share: float) -> bool:
        """Do one piece of a run; after its first steps, measure what it really takes, and tell.

        Returns:
            Whether a step is reported with it.
        """
        is_reported = run.advance(look_share)
        is_early = run.trainer.next_step <= MEASURED_AFTER and not run.is_done
        if not (run.is_measured or is_early or run.state is RunState.FAILED):
            run.is_measured = True
            measured = tried(lambda: self._measure(run.trainer))
            if isinstance(measured, Measure):
                self._send(Measured(run=run.id, measured=asdict(measured)))
        return is_reported

    def _measure(self, trainer: Trainer) -> Measure:
        """Measure what a run takes, once for all that take the same."""
        config = trainer.config
        key = trainer.model.config, config.batch_size, config.optimizer, config.beta1
        if (measured := self._measured.get(key)) is None:
            measured = self._measured[key] = measure(trainer)
        return measured

    def _tell(self, run: LiveRun) -> None:
        self._send(run.take_news())
        if not run.state.is_live:  # its folder holds all that is still needed
            self._let_go(run.id)

    def _let_go(self, run_id: str) -> None:
        run = self._runs.pop(run_id, None)
        if run is not None and run.lock is not None:
            run.lock.release()


def _moves(run: LiveRun) -> bool:
    """Tell whether a run wants turns."""
    return run.state is RunState.RUNNING or run.is_looking


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
