"""The worker process: holds the tensors, trains all live runs in turns, answers between turns.

Started by the client as `python -m explorer.engine.worker`. It reads requests from its standard
input and writes answers and news of its runs to its standard output, as `frames`. It ends when
its input ends, so it never outlives the web server.
"""

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.limits import MOST_GENERATED, MOST_PROMPT_CHARACTERS, check_setup
from tiny_llama.checkpoint import (
    TrainedModel,
    load_model,
    new_trainer,
    prepare_corpus,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.corpora import Corpus, own_text
from tiny_llama.data import TokenizedCorpus
from tiny_llama.errors import CheckpointError, TextError, UserError
from tiny_llama.generation import generate
from tiny_llama.metrics import trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import Setup
from tiny_llama.tap import record
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
    status: str = "running"
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Reports that the server has not been told yet."""
    told_at: float = 0.0


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
        self._turns: list[str] = []
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], Frame]] = {
            "control": self._control,
            "generate": self._generate,
            "trace": self._trace,
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
        while self._answer_requests():
            if run := self._next_running():
                self._train_a_slice(run)
        for run in self._runs.values():
            run.recorder.checkpoint()

    def _listen(self) -> None:
        while (frame := read_frame(self._requests)) is not None:
            self._waiting.put(frame)
        self._waiting.put(None)

    def _answer_requests(self) -> bool:
        """Answer what waits; with no run to train, wait. False when the server has gone."""
        idle = not any(run.status == "running" for run in self._runs.values())
        while True:
            try:
                frame = self._waiting.get(block=idle)
            except queue.Empty:
                return True
            if frame is None:
                return False
            if isinstance(frame, Frame):
                self._answer(frame)
            else:
                frame()
            idle = False

    def _answer(self, request: Frame) -> None:
        if request.values["operation"] == "start":
            threading.Thread(target=self._prepare, args=(request,), daemon=True).start()
            return
        operation = self._operations[request.values["operation"]]
        self._reply(request, lambda: operation(request.values))

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

    def _prepare(self, request: Frame) -> None:
        """Get a new run's text and tokenizer ready beside the training of others.

        This runs in a thread of its own and draws nothing at random; the rest of the start waits
        for its turn.
        """
        values = request.values
        try:
            setup = Setup.from_dict(values["setup"])
            corpus = own_text(values["text"]) if values["text"] is not None else None
            tokens = None if values["resume"] else prepare_corpus(setup, corpus)
        except Exception as error:
            why = error
            self._waiting.put(lambda: self._reply(request, lambda: _raise(why)))
            return
        self._waiting.put(
            lambda: self._reply(request, lambda: self._start(values, setup, corpus, tokens))
        )

    def _start(
        self,
        values: Mapping[str, Any],
        setup: Setup,
        corpus: Corpus | None,
        tokens: TokenizedCorpus | None,
    ) -> Frame:
        """Start a run in a new folder, or go on with the one that the folder holds."""
        folder = Path(values["folder"])
        if tokens is None:
            trainer = resume_trainer(folder)
            trim_metrics(folder, trainer.next_step)
        else:
            check_setup(with_vocabulary(setup, tokens))
            trainer = new_trainer(setup, tokens)
            start_folder(folder, setup, trainer, corpus)
        run = LiveRun(id=values["run"], trainer=trainer, recorder=Recorder(folder, trainer))
        run.recorder.checkpoint()
        self._runs[run.id] = run
        self._turns.append(run.id)
        vocab_size = trainer.corpus.tokenizer.vocab_size
        return Frame(values={"next_step": trainer.next_step, "vocab_size": vocab_size})

    def _control(self, values: Mapping[str, Any]) -> Frame:
        """Pause, single-step, resume or stop a run."""
        run = self._find(values["run"])
        self._actions[values["action"]](run)
        self._tell(run)
        return Frame(values={})

    def _pause(self, run: LiveRun) -> None:
        if run.status == "running":
            run.status = "paused"
            run.recorder.checkpoint()

    def _resume(self, run: LiveRun) -> None:
        if run.status == "paused":
            run.status = "running"

    def _step(self, run: LiveRun) -> None:
        if run.status == "paused":
            self._advance(run)

    def _stop(self, run: LiveRun) -> None:
        if run.status in ("running", "paused"):
            run.status = "stopped"
            run.recorder.checkpoint()

    def _generate(self, values: Mapping[str, Any]) -> Frame:
        """Write on from a prompt."""
        settings = SampleConfig(**values["settings"])
        if settings.n_tokens > MOST_GENERATED:
            raise TextError(
                f"n_tokens={settings.n_tokens} must be at most {MOST_GENERATED}; ask for fewer."
            )
        found = self._model(values)
        prompt = found.tokenizer.encode(_checked_prompt(values["prompt"]))
        said = [next_token.token for next_token in generate(found.model, prompt, settings)]
        return Frame(values={"text": found.tokenizer.decode([*prompt, *said])})

    def _trace(self, values: Mapping[str, Any]) -> Frame:
        """Read a text and hand out the activations asked for, without their batch axis."""
        found = self._model(values)
        tokens = found.tokenizer.encode(_checked_prompt(values["text"]))[
            : found.model.config.context
        ]
        with torch.no_grad(), record(found.model, *values["patterns"]) as seen:
            found.model.eval()(torch.from_numpy(tokens)[None])
        arrays = {path: tensor[0].numpy() for path, tensor in seen.items()}
        return Frame(
            values={"tokens": [found.tokenizer.token_text(int(token)) for token in tokens]},
            arrays={**arrays, "ids": tokens},
        )

    def _model(self, values: Mapping[str, Any]) -> TrainedModel:
        """The model of a live run as it stands, or that of a folder."""
        if run := self._runs.get(values["run"]):
            trainer = run.trainer
            return TrainedModel(
                model=trainer.model,
                tokenizer=trainer.corpus.tokenizer,
                setup=Setup(model=trainer.model.config, training=trainer.config),
                next_step=trainer.next_step,
            )
        return load_model(Path(values["folder"]))

    def _find(self, run_id: str) -> LiveRun:
        if run_id not in self._runs:
            raise CheckpointError("This run is not live; resume it from its last checkpoint.")
        return self._runs[run_id]

    def _next_running(self) -> LiveRun | None:
        """The running run that has waited longest; it goes to the end of the line."""
        for _ in range(len(self._turns)):
            self._turns.append(self._turns.pop(0))
            run = self._runs[self._turns[-1]]
            if run.status == "running":
                return run
        return None

    def _train_a_slice(self, run: LiveRun) -> None:
        end = time.monotonic() + SLICE_SECONDS
        while run.status == "running" and time.monotonic() < end:
            self._advance(run)
        if run.status != "running" or time.monotonic() - run.told_at > NEWS_SECONDS:
            self._tell(run)

    def _advance(self, run: LiveRun) -> None:
        """Do one step; a run that cannot go on ends with a sentence, the others go on."""
        try:
            if (report := next(run.trainer, None)) is not None:
                run.rows.append(run.recorder.keep(report))
            if run.trainer.next_step > run.trainer.config.steps:
                run.recorder.checkpoint()
                run.status = "finished"
        except Exception as error:
            run.status = "failed"
            run.rows.append({"message": _sentence(error)})

    def _tell(self, run: LiveRun) -> None:
        self._send(Frame(values={"news": run.id, "status": run.status, "rows": run.rows}))
        run.rows = []
        run.told_at = time.monotonic()
        if run.status not in ("running", "paused"):  # its folder holds all that is still needed
            del self._runs[run.id]
            self._turns.remove(run.id)


def _sentence(error: Exception) -> str:
    """What a page may show of an error; what a user cannot mend goes to the log as well."""
    if isinstance(error, UserError):
        return str(error)
    sys.stderr.write(f"worker: {error!r}\n")
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "There was not enough memory for this; take a smaller model, context or batch size."
    return f"The worker could not do this ({type(error).__name__}); try other settings."


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
