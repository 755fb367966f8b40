"""`train` trains a model in a folder, anew or from where it was left."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tqdm import tqdm

from tiny_llama.checkpoint import (
    find_corpus,
    new_trainer,
    prepare_corpus,
    resume_trainer,
    start_folder,
)
from tiny_llama.commands.command import Command, Options, add_set, count, set_values
from tiny_llama.commands.printing import print_json
from tiny_llama.corpora import read_text_file
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.metrics import trim_metrics
from tiny_llama.presets import PRESETS, find_preset
from tiny_llama.recording import Recorder
from tiny_llama.script import USUAL_PRESET
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.training import Trainer


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", help="a name out of `list corpora` (tales)")
    parser.add_argument("--text", type=Path, help="a UTF-8 text file to train on instead")
    parser.add_argument("--preset", help=f"a name out of `list presets` ({USUAL_PRESET})")
    add_set(parser)
    parser.add_argument(
        "--steps",
        type=count,
        help="steps in all; on --resume, another number than before changes the schedule",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--seed", type=int, help="draws weights and data (0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--weights-only", action="store_true", help="keep at the end only what using a model takes"
    )


def _run(options: Options) -> None:
    trainer = _resumed_run(options) if options.resume else _new_run(options)
    recorder = Recorder(options.out, trainer)
    if not options.resume:
        recorder.checkpoint()
    show = _show_rows if options.json else _show_progress
    with _stop_between_steps() as stopped:
        try:
            show(trainer, recorder, stopped)
        except UserError:
            recorder.flush()
            raise
        is_done = trainer.is_done
        recorder.checkpoint(with_memory=not (is_done and options.weights_only))
    if not is_done:
        sys.stderr.write(f"Stopped before step {trainer.next_step}; --resume goes on from there.\n")
        raise KeyboardInterrupt


def _resumed_run(options: Options) -> Trainer:
    given = {"--preset": options.preset, "--set": options.set, "--seed": options.seed}
    given |= {"--corpus": options.corpus, "--text": options.text}
    if wrong := [name for name, value in given.items() if value not in (None, [])]:
        raise ConfigError(
            f"--resume takes its settings from {options.out.name!r}; leave {', '.join(wrong)} out."
        )
    trainer = resume_trainer(options.out, steps=options.steps)
    trim_metrics(options.out, trainer.next_step)
    return trainer


def _new_run(options: Options) -> Trainer:
    if options.steps is None:
        raise ConfigError("train needs --steps N, the number of steps; add it.")
    setup = setup_of(options)
    corpus = read_text_file(options.text) if options.text else find_corpus(setup.corpus)
    trainer = new_trainer(setup, prepare_corpus(setup, corpus))
    start_folder(options.out, setup, trainer, corpus)
    return trainer


def setup_of(options: Options) -> Setup:
    """Put a setup together from the preset, then `--set`, then the options of their own.

    Raises:
        ConfigError: for what does not exist or does not go together.
    """
    if options.text and options.corpus:
        raise ConfigError("--corpus and --text cannot stand together; choose one.")
    values = set_values(options.set)
    own = {"steps": options.steps, "seed": options.seed, "corpus": options.corpus}
    values |= {name: str(value) for name, value in own.items() if value is not None}
    if options.text:
        values["corpus"] = OWN_TEXT
    name = options.preset or USUAL_PRESET
    if not (preset := find_preset(name)).is_tiny:
        tiny = ", ".join(each for each, preset in PRESETS.items() if preset.is_tiny)
        raise ConfigError(f"preset={name!r} is for counting only; to train, choose {tiny}.")
    return Setup(model=preset.config).with_values(values)


def _show_rows(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    for report in trainer:
        print_json(recorder.keep(report))
        if stopped.is_set():
            return


def _show_progress(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    total, done = trainer.config.steps, max(0, trainer.next_step - 1)
    with tqdm(total=total, initial=done, unit="step", mininterval=0.5) as bar:
        held_out = ""
        for report in trainer:
            row = recorder.keep(report)
            if report.held_out:
                held_out = f"held-out {report.held_out.loss:.3f}"
            if "loss" in row:
                bar.set_postfix_str(f"loss {row['loss']:.3f} {held_out}", refresh=False)
                bar.update()
            if report.sample:
                bar.write(f"--- after step {report.step}: {held_out}\n{report.sample}\n")
            if stopped.is_set():
                return


@contextmanager
def _stop_between_steps() -> Iterator[Event]:
    """Let Ctrl-C wait for the step that is being done, since half a step cannot be resumed.

    A second Ctrl-C does not wait; the last checkpoint then stays as it is.
    """
    stopped = Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


TRAIN = Command(
    help="train a model and keep it in a folder", add_arguments=_add_arguments, run=_run
)
