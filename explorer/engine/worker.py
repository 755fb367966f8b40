"""The worker process: holds the tensors, trains all live runs in turns, answers between turns.

Started by the server as `python -m explorer.engine.worker`. It reads requests from its standard
input and writes answers and news of its runs to its standard output, as `frames`. It ends when
its input ends, so it never outlives the web server.
"""

import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.limits import (
    MOST_GENERATED,
    MOST_PROMPT_CHARACTERS,
    check_setup,
    limits,
)
from explorer.engine.preparing import Library, Prepared
from explorer.engine.subjects import Subjects
from tiny_llama.analyses import ANALYSES, Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.checkpoint import (
    new_trainer,
    read_checkpoint,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.errors import CheckpointError, TextError, UserError
from tiny_llama.generation import generate
from tiny_llama.hugging_face import write_hugging_face
from tiny_llama.measuring import measure
from tiny_llama.metrics import trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import SETUP
from tiny_llama.training import Trainer

SLICE_SECONDS = 0.05
"""How long one run trains before the next one, or a question, gets its turn."""
NEWS_SECONDS = 0.1
"""How often a running run tells the server its rows."""


@dataclass(kw_only=True)
class LiveRun:
    """A run in this process."""

    id: str
    trainer: Trainer
    recorder: Recorder
    used: float
    """Seconds that it has had, so that the one that has had least is next."""
    status: str = "running"
    message: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Reports that the server has not been told yet."""
    told_at: float = 0.0
    is_measured: bool = False

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.trainer.next_step > self.trainer.config.steps


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request that takes long enough to be done in slices."""

    request: Frame
    pieces: Iterator[Frame | None]
    """Nothing after each piece of work, the answer after the last."""


class Worker:
    """Takes turns among runs and requests.

    Args:
        requests: where requests come from.
        answers: where answers and news go to.
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests, self._answers = requests, answers
        self._waiting: queue.Queue[Frame | Callable[[], None] | None] = queue.Queue()
        self._runs: dict[str, LiveRun] = {}
        self._preparing: dict[str, list[Frame]] = {}
        self._jobs: deque[Job] = deque()
        self._beside = threading.Lock()
        self._library, self._subjects = Library(), Subjects(limits().looked_at_bytes)
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], Frame]] = {
            "control": self._control,
            "checkpoint": self._checkpoint,
            "unload": self._unload,
            "forget": self._forget,
            "export": self._export,
        }
        self._actions: Mapping[str, Callable[[LiveRun], None]] = {
            "pause": self._pause,
            "resume": self._resume,
            "step": self._step,
            "stop": self._stop,
        }

    def serve(self) -> None:
        """Work until the input ends; then keep what the runs have learned."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(Frame(values={"ready": True}))
        while self._answer_requests():
            self._work_a_slice()
            self._train_a_slice()
        for run in self._runs.values():
            with suppress(UserError):
                run.recorder.checkpoint()

    # Requests.

    def _listen(self) -> None:
        while (frame := read_frame(self._requests)) is not None:
            self._waiting.put(frame)
        self._waiting.put(None)

    def _answer_requests(self) -> bool:
        """Answer what waits; with nothing else to do, wait. False when the server has gone."""
        is_busy = self._jobs or any(run.status == "running" for run in self._runs.values())
        block = not is_busy
        while True:
            try:
                request = self._waiting.get(block=block)
            except queue.Empty:
                return True
            if request is None:
                return False
            if isinstance(request, Frame):
                self._answer(request)
            else:
                request()
            block = False

    def _answer(self, request: Frame) -> None:
        values = request.values
        if values.get("run") in self._preparing:
            self._preparing[values["run"]].append(request)
        elif values["operation"] == "start":
            self._preparing[values["run"]] = []
            threading.Thread(target=self._prepare, args=(request,), daemon=True).start()
        elif values["operation"] == "generate":
            self._jobs.append(Job(request=request, pieces=self._generate(values)))
        elif values["operation"] == "view" and ANALYSES[values["view"]].is_one_piece:
            threading.Thread(target=self._view_beside, args=(request,), daemon=True).start()
        elif values["operation"] == "view":
            self._jobs.append(Job(request=request, pieces=self._view(values)))
        else:
            operation = self._operations[values["operation"]]
            self._reply(request, lambda: operation(values))

    def _reply(self, request: Frame, work: Callable[[], Frame]) -> None:
        """Do what was asked and send what was found, or a sentence that says why not."""
        try:
            answer = work()
        except Exception as error:  # a fault of ours must not take the other runs along
            answer = Frame(values={"error": _sentence(error)})
        values = {**answer.values, "request": request.values["request"]}
        self._send(Frame(values=values, arrays=answer.arrays))

    def _send(self, frame: Frame) -> None:
        with suppress(BrokenPipeError):  # the server has gone, which its requests will end with
            write_frame(self._answers, frame)

    def _work_a_slice(self) -> None:
        """Go on with the request that has waited longest."""
        if not self._jobs:
            return
        job, end = self._jobs.popleft(), time.monotonic() + SLICE_SECONDS
        try:
            answer = next(job.pieces)
            while answer is None and time.monotonic() < end:
                answer = next(job.pieces)
        except Exception as error:
            why = error
            self._reply(job.request, lambda: _raise(why))
        else:
            if answer is None:
                self._jobs.append(job)
            else:
                self._reply(job.request, lambda: answer)

    # Starting.

    def _prepare(self, request: Frame) -> None:
        """Get a run's text and tokenizer ready beside the training of others.

        This runs in a thread of its own and draws nothing at random; the rest of the start waits
        for its turn.
        """
        try:
            prepared = self._library.prepare(Path(request.values["folder"]))
        except Exception as error:
            why = error
            self._waiting.put(lambda: self._begin(request, lambda: _raise(why)))
        else:
            self._waiting.put(lambda: self._begin(request, lambda: self._start(request, prepared)))

    def _begin(self, request: Frame, work: Callable[[], Frame]) -> None:
        """Answer a request to start, then what was asked of the run in the meantime."""
        run_id = request.values["run"]
        later = self._preparing.pop(run_id)
        self._reply(request, work)
        if run_id in self._runs:
            self._tell(self._runs[run_id])
        for each in later:
            self._answer(each)

    def _start(self, request: Frame, prepared: Prepared) -> Frame:
        """Start a run in its folder, or go on with what the folder holds."""
        run_id, folder = request.values["run"], Path(request.values["folder"])
        note = ""
        if prepared.is_new:
            check_setup(with_vocabulary(prepared.setup, prepared.tokens))
            trainer = new_trainer(prepared.setup, prepared.tokens)
            (folder / SETUP).unlink(missing_ok=True)  # from a start that was cut short
            start_folder(folder, prepared.setup, trainer, prepared.corpus)
        else:
            checkpoint = read_checkpoint(folder)
            if checkpoint.is_done:
                return Frame(values={"is_done": True})
            if not checkpoint.is_last:
                note = "The last checkpoint was damaged, so the one before was taken."
            trainer = resume_trainer(folder, checkpoint, corpus=prepared.tokens)
            trim_metrics(folder, trainer.next_step)
        used = min((run.used for run in self._runs.values()), default=0.0)
        run = LiveRun(id=run_id, trainer=trainer, recorder=Recorder(folder, trainer), used=used)
        run.status = request.values["status"]
        run.recorder.checkpoint()
        self._runs[run.id] = run
        vocab_size = trainer.corpus.tokenizer.vocab_size
        return Frame(
            values={"next_step": trainer.next_step, "vocab_size": vocab_size, "note": note}
        )

    # Steering.

    def _control(self, values: Mapping[str, Any]) -> Frame:
        """Pause, single-step, resume or stop a run."""
        run = self._find(values["run"])
        self._actions[values["action"]](run)
        self._tell(run)
        return Frame(values={})

    def _pause(self, run: LiveRun) -> None:
        if run.status == "running":
            run.recorder.checkpoint()
            run.status = "paused"

    def _resume(self, run: LiveRun) -> None:
        if run.status == "paused":
            run.used = min((other.used for other in self._moving()), default=run.used)
            run.status, run.message = "running", ""

    def _step(self, run: LiveRun) -> None:
        if run.status == "paused":
            self._advance(run)
            self._measure(run)
            run.recorder.flush()

    def _stop(self, run: LiveRun) -> None:
        if run.status in ("running", "paused"):
            run.recorder.checkpoint()
            run.status = "stopped"

    def _checkpoint(self, values: Mapping[str, Any]) -> Frame:
        """Write what a run has learned, so that its folder can be copied."""
        if run := self._runs.get(values["run"]):
            run.recorder.checkpoint()
        return Frame(values={})

    def _unload(self, values: Mapping[str, Any]) -> Frame:
        """Write what a run has learned and let its memory go."""
        self._checkpoint(values)
        return self._forget(values)

    def _forget(self, values: Mapping[str, Any]) -> Frame:
        """Let the memory of a run go, without writing anything."""
        self._runs.pop(values["run"], None)
        return Frame(values={})

    # Questions.

    def _generate(self, values: Mapping[str, Any]) -> Iterator[Frame | None]:
        """Write on from a prompt, a token at a time."""
        settings = SampleConfig(**values["settings"])
        if settings.n_tokens > MOST_GENERATED:
            raise TextError(
                f"n_tokens={settings.n_tokens} must be at most {MOST_GENERATED}; ask for fewer."
            )
        found = self._subject(values)
        prompt = found.tokenizer.encode(_checked_prompt(values["prompt"]))
        said = []
        for next_token in generate(found.model, prompt, settings):
            said.append(next_token.token)
            yield None
        yield Frame(values={"text": found.tokenizer.decode([*prompt, *said])})

    def _view(self, values: Mapping[str, Any]) -> Iterator[Frame | None]:
        """Answer a question of the table of views, in as many pieces as the view has."""
        view, asked = ANALYSES[values["view"]], values["values"]
        if "text" in asked:
            _checked_prompt(asked["text"])
        subject = [self._subject(values)] if view.needs_model else []
        found = view.load()(*subject, **asked)
        step = subject[0].step if subject else 0
        for piece in [found] if isinstance(found, dict) else found:
            yield piece if piece is None else _as_frame(piece, step)

    def _view_beside(self, request: Frame) -> None:
        """Answer such a question in a thread of its own, one at a time: it may want much memory."""
        try:
            with self._beside:
                answers = [answer for answer in self._view(request.values) if answer is not None]
        except Exception as error:
            why = error
            self._waiting.put(lambda: self._reply(request, lambda: _raise(why)))
        else:
            self._waiting.put(lambda: self._reply(request, lambda: answers[-1]))

    def _subject(self, values: Mapping[str, Any]) -> Subject:
        run = self._runs.get(values["run"])
        folder, trainer = Path(values["folder"]), run.trainer if run else None
        return self._subjects.find(values["run"], folder, values["step"], trainer)

    def _export(self, values: Mapping[str, Any]) -> Frame:
        """Write the model as it stands for `transformers`, into a new folder."""
        found = self._subject(values)
        write_hugging_face(found.model, found.tokenizer, Path(values["target"]))
        return Frame(values={})

    def _find(self, run_id: str) -> LiveRun:
        if run_id not in self._runs:
            raise CheckpointError("This run is not live; resume it from its last checkpoint.")
        return self._runs[run_id]

    # Turns.

    def _moving(self) -> list[LiveRun]:
        return [run for run in self._runs.values() if run.status == "running"]

    def _train_a_slice(self) -> None:
        """Train the running run that has had the least time so far."""
        if not (moving := self._moving()):
            return
        run = min(moving, key=lambda run: run.used)
        self._send(Frame(values={"turn": run.id}))
        began, is_new = time.monotonic(), run.trainer.next_step == 0
        while run.status == "running" and (
            time.monotonic() < began + SLICE_SECONDS
            or (is_new and run.trainer.next_step < 2)  # its first step shows at once
        ):
            self._advance(run)
            self._measure(run)
        run.used += time.monotonic() - began
        if run.status != "running" or time.monotonic() - run.told_at > NEWS_SECONDS:
            self._tell(run)

    def _advance(self, run: LiveRun) -> None:
        """Do one step; a run that cannot go on ends or waits with a sentence, the others go on."""
        try:
            if (report := next(run.trainer, None)) is not None:
                run.rows.append(run.recorder.note(report))
            run.recorder.write_if_due()
            if run.is_done:
                run.recorder.checkpoint()
                run.status, run.message = "finished", ""
        except CheckpointError as error:  # a full disk: what is learned stays in memory
            run.status, run.message = "paused", f"Paused, since it could not be saved: {error}"
        except Exception as error:
            run.status, run.message = "failed", _sentence(error)
            with suppress(UserError):
                run.recorder.flush()

    def _measure(self, run: LiveRun) -> None:
        """Once, after its first step here, measure what a run really takes, and tell."""
        if run.is_measured or run.trainer.next_step < 2 or run.status == "failed":
            return
        run.is_measured = True
        measured = asdict(measure(run.trainer))
        self._send(Frame(values={"news": run.id, "measured": measured}))

    def _tell(self, run: LiveRun) -> None:
        news = {"news": run.id, "status": run.status, "message": run.message, "rows": run.rows}
        self._send(Frame(values=news))
        run.rows = []
        run.told_at = time.monotonic()
        if run.status not in ("running", "paused"):  # its folder holds all that is still needed
            del self._runs[run.id]


def _sentence(error: Exception) -> str:
    """What a page may show of an error; what a user cannot mend goes to the log as well."""
    if isinstance(error, UserError):
        return str(error)
    sys.stderr.write(f"worker: {error!r}\n")
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "There was not enough memory for this; take a smaller model, context or batch size."
    return f"The worker could not do this ({type(error).__name__}); try other settings."


def _as_frame(found: Found, step: int) -> Frame:
    """What a view found, arrays apart from plain values."""
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in found.items() if name not in arrays}
    return Frame(values={"step": step, "found": rest}, arrays=arrays)


def _raise(error: Exception) -> Frame:
    raise error


def _checked_prompt(prompt: str) -> str:
    if not 0 < len(prompt) <= MOST_PROMPT_CHARACTERS:
        raise TextError(
            f"The prompt has {len(prompt):,} characters; it must have between 1 and "
            f"{MOST_PROMPT_CHARACTERS:,}: change it and try again."
        )
    return prompt


def main() -> None:
    """Serve over standard input and output, on one thread, with manners."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; its end is ours
    if hasattr(os, "nice"):
        os.nice(10)
    torch.set_num_threads(1)
    with suppress(BrokenPipeError), os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        Worker(sys.stdin.buffer, answers).serve()


if __name__ == "__main__":
    main()
