"""The engine as pages see it: plain values in, plain values and numpy arrays out.

Behind it stands a worker process today; a pool of them, a cluster, or the student's own browser
can stand behind the same face.
"""

import itertools
import subprocess
import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.limits import check_setup
from explorer.engine.store import is_run_id, new_run_id, runs_folder
from tiny_llama.errors import UserError
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import Setup

Action = Literal["pause", "resume", "step", "stop"]
SERIES = (
    "loss",
    "held_out_loss",
    "learning_rate",
    "gradient_norm",
    "bits_per_byte",
    "accuracy",
    "seconds",
)
"""What is kept of each report to draw, by name as in `metrics.jsonl`."""


PATIENCE_SECONDS = 60
"""How long a page waits for an answer at the most."""


class EngineError(UserError):
    """The worker could not do what was asked; says why in one sentence."""


@dataclass(kw_only=True)
class Series:
    """One metric: the steps at which it is known, and its values."""

    steps: "array[int]" = field(default_factory=lambda: array("l"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, step: int, value: float) -> None:
        """Add a point."""
        self.steps.append(step)
        self.values.append(value)


@dataclass(kw_only=True)
class Run:
    """What the server knows of a run; the worker's news change it, pages only read."""

    id: str
    setup: Setup
    """The vocabulary is that of the tokenizer as soon as the run has one."""
    owner: str
    """Secret of the student who started it; nobody else may steer it."""
    folder: Path
    status: str = "starting"
    message: str = ""
    step: int = 0
    series: dict[str, Series] = field(default_factory=lambda: {name: Series() for name in SERIES})
    worker: object = None
    """The process that has it; another one may follow after a crash."""
    samples: list[tuple[int, str]] = field(default_factory=list)
    """Texts that the model wrote, each with the step after which it did."""

    @property
    def is_live(self) -> bool:
        """Whether the run may still change."""
        return self.status in ("starting", "running", "paused")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a model did with a text: the text of each token, ids, and activations by path."""

    tokens: Sequence[str]
    ids: np.ndarray
    activations: Mapping[str, np.ndarray]


class Engine:
    """Starts and steers runs, and answers questions about models, in a worker process.

    Every method returns at once or within the time that the worker takes for one slice of
    training, and may be called from any thread.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runs_folder()
        self.runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._worker: _WorkerProcess | None = None

    def start(self, setup: Setup, *, owner: str, text: str | None = None) -> str:
        """Start a run and return its id; it reports itself as `starting` until it trains.

        Args:
            setup: what to run.
            owner: the secret of the student who starts it.
            text: the student's own text, where that is the corpus.

        Raises:
            UserError: if the setup is over the limits of this app.
        """
        check_setup(setup)
        run_id = new_run_id()
        run = Run(id=run_id, setup=setup, owner=owner, folder=self.folder / run_id)
        self.runs[run_id] = run
        self._launch(run, text=text, resume=False)
        return run_id

    def poll(self, run_id: str) -> Run | None:
        """Look at a run; None if there is none of that id."""
        return self.runs.get(run_id) if is_run_id(run_id) else None

    def control(self, run_id: str, action: Action, *, owner: str) -> None:
        """Pause, resume, single-step or stop a run.

        A run whose worker has gone is resumed from its last checkpoint.

        Raises:
            EngineError: if the run is another student's, or the worker refuses.
        """
        run = self.runs[run_id]
        if run.owner != owner:
            raise EngineError("This run belongs to another student; start your own to steer it.")
        if run.status == "interrupted":
            if action == "resume":
                self._launch(run, text=None, resume=True)
            return
        self._ask("control", {"run": run_id, "action": action})

    def generate(self, run_id: str, prompt: str, settings: SampleConfig) -> str:
        """Let the model of a run, as it stands, write on from a prompt.

        Raises:
            EngineError: if the prompt cannot be used.
        """
        values = {"prompt": prompt, "settings": asdict(settings)}
        return str(self._ask("generate", self._model(run_id) | values).values["text"])

    def trace(self, run_id: str, text: str, *patterns: str) -> Trace:
        """Let the model of a run read a text and hand out activations by path.

        Raises:
            EngineError: if the text cannot be used.
        """
        values = {"text": text, "patterns": patterns}
        frame = self._ask("trace", self._model(run_id) | values)
        arrays = dict(frame.arrays)
        return Trace(tokens=frame.values["tokens"], ids=arrays.pop("ids"), activations=arrays)

    def warm_up(self) -> None:
        """Start the worker now, so that nobody waits for PyTorch to be imported."""
        self._process()

    @property
    def worker_pid(self) -> int:
        """The process id of the worker, which is started if need be."""
        return self._process().pid

    def close(self) -> None:
        """End the worker; runs keep their checkpoints."""
        if self._worker:
            self._worker.close()

    def _model(self, run_id: str) -> dict[str, Any]:
        if self.runs[run_id].status == "starting":
            raise EngineError("This run is still being prepared; try again in a moment.")
        return {"run": run_id, "folder": str(self.runs[run_id].folder)}

    def _launch(self, run: Run, *, text: str | None, resume: bool) -> None:
        """Send a run to the worker without waiting for its text and tokenizer to be prepared."""
        run.status, run.message = "starting", ""
        run.worker = worker = self._process()
        values = {"setup": run.setup.as_dict(), "text": text, "resume": resume}
        values |= {"run": run.id, "folder": str(run.folder)}
        worker.ask("start", values).add_done_callback(lambda done: _note_start(run, done))

    def _ask(self, operation: str, values: Mapping[str, Any]) -> Frame:
        try:
            frame = self._process().ask(operation, values).result(timeout=PATIENCE_SECONDS)
        except TimeoutError:
            raise EngineError("The worker is too busy to answer; try again in a moment.") from None
        if error := frame.values.get("error"):
            raise EngineError(error)
        return frame

    def _process(self) -> "_WorkerProcess":
        """The worker, started when first needed and again after it died."""
        with self._lock:
            if self._worker is None or not self._worker.is_alive:
                self._worker = _WorkerProcess(self._take_news, self._note_death)
            return self._worker

    def _take_news(self, news: Mapping[str, Any]) -> None:
        run = self.runs.get(news["news"])
        if run is None:
            return
        for row in news["rows"]:
            take_row(run, row)
        run.status = news["status"]

    def _note_death(self, worker: "_WorkerProcess") -> None:
        for run in list(self.runs.values()):
            if run.worker is worker and run.is_live:
                run.status = "interrupted"
                run.message = (
                    "The worker process ended unexpectedly; resume to go on from the last "
                    "checkpoint."
                )


class _WorkerProcess:
    """A worker and the thread that listens to it."""

    def __init__(self, on_news: Any, on_death: Any) -> None:
        self._on_news, self._on_death = on_news, on_death
        self._numbers = itertools.count()
        self._open: dict[int, Future[Frame]] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "explorer.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
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
        """Whether it still runs and listens."""
        return self._process.poll() is None and self._listener.is_alive()

    def ask(self, operation: str, values: Mapping[str, Any]) -> Future[Frame]:
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
                answer.set_result(Frame(values={"error": _DIED}))
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
            if "news" in frame.values:
                self._on_news(frame.values)
            else:
                self._open.pop(frame.values["request"]).set_result(frame)
        with self._lock:
            for answer in self._open.values():
                answer.set_result(Frame(values={"error": _DIED}))
            self._open.clear()
            self._close_requests()
        answers.close()
        self._process.wait(timeout=30)
        if not self._closing:
            self._on_death(self)

    def _close_requests(self) -> None:
        """Send no more; what a dead worker did not read is lost anyway."""
        with suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()


_DIED = "The worker process ended before it could answer; try again."


def _note_start(run: Run, done: "Future[Frame]") -> None:
    values = done.result().values
    if error := values.get("error"):
        run.status, run.message = "failed", error
    else:
        model = replace(run.setup.model, vocab_size=values["vocab_size"])
        run.setup = replace(run.setup, model=model)
        _forget_from(run, values["next_step"])


def _forget_from(run: Run, step: int) -> None:
    """Forget what will be done again after going on from a checkpoint."""
    for series in run.series.values():
        n_kept = bisect_left(series.steps, step)
        del series.steps[n_kept:], series.values[n_kept:]
    run.samples = [sample for sample in run.samples if sample[0] < step]
    run.step = min(run.step, max(0, step - 1))


def take_row(run: Run, row: Mapping[str, Any]) -> None:
    """Note a row of `metrics.jsonl`, or a message of the worker, in what is known of a run."""
    if "message" in row:
        run.message = row["message"]
        return
    run.step = row["step"]
    for name, series in run.series.items():
        if name in row:
            series.add(row["step"], row[name])
    if "sample" in row:
        run.samples.append((row["step"], row["sample"]))
