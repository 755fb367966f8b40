"""`train` trains a model in a folder, anew or from where it was left."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

from tqdm import tqdm

from tiny_llama.checkpoint import (
    find_corpus,
    has_checkpoint,
    new_trainer,
    prepare_corpus,
    read_checkpoint,
    read_setup,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.commands.command import Command, Options, add_set, count, place, say, set_values
from tiny_llama.commands.printing import print_json
from tiny_llama.commands.sign_of_life import sign_of_life
from tiny_llama.commands.stopping import stop_between_pieces
from tiny_llama.corpora import read_text_file
from tiny_llama.errors import CheckpointError, ConfigError, UserError
from tiny_llama.metrics import trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.run_lock import hold_run
from tiny_llama.script import USUAL_PRESET
from tiny_llama.setup import OWN_TEXT, Setup, setup_to_train
from tiny_llama.trainable import check_trainable
from tiny_llama.training import StepReport, Trainer


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", help="a name out of `list corpora` (tales)")
    parser.add_argument(
        "--text", type=place, help="a UTF-8 text file to train on instead, or - for standard input"
    )
    parser.add_argument("--preset", help=f"a name out of `list presets` ({USUAL_PRESET})")
    add_set(parser)
    parser.add_argument(
        "--steps",
        type=count,
        help="steps in all; on --resume, another number than before changes the schedule",
    )
    parser.add_argument("--out", type=place, required=True, help="folder for the run")
    parser.add_argument("--seed", type=int, help="draws weights and data (0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--weights-only", action="store_true", help="keep at the end only what using a model takes"
    )


def _run(options: Options) -> None:
    """Train until all steps are done, or until Ctrl-C; what can be gone on from is said then."""
    try:
        with ExitStack() as lock:
            stopped_before = _train(options, lock)
    except KeyboardInterrupt:
        if has_checkpoint(options.out):
            say("Stopped at once; --resume goes on from the last checkpoint.")
        raise
    if stopped_before is not None:
        say(f"Stopped before step {stopped_before}; --resume goes on from there.")
        raise KeyboardInterrupt


def _train(options: Options, lock: ExitStack) -> int | None:
    """Do what there is to do; return the step before which it was stopped by hand, if it was."""
    trainer = _resumed_run(options, lock) if options.resume else _new_run(options, lock)
    recorder = Recorder(options.out, trainer)
    if not options.resume:
        recorder.checkpoint()
    show = _show_rows if options.json else _show_progress
    with stop_between_pieces() as stopped:
        try:
            show(trainer, recorder, stopped)
        except UserError:
            recorder.flush()
            raise
        is_done = trainer.is_done
        recorder.checkpoint(with_memory=not (is_done and options.weights_only))
    return None if is_done else trainer.first_unreported


def _resumed_run(options: Options, lock: ExitStack) -> Trainer:
    given = {"--preset": options.preset, "--set": options.set, "--seed": options.seed}
    given |= {"--corpus": options.corpus, "--text": options.text}
    if wrong := [name for name, value in given.items() if value not in (None, [])]:
        raise ConfigError(
            f"--resume takes its settings from {options.out.name!r}; leave {', '.join(wrong)} out."
        )
    read_setup(options.out)  # there is a run, so a lock may be put beside it
    if not has_checkpoint(options.out):
        raise CheckpointError(
            f"The run in {options.out.name!r} was stopped before its first checkpoint; start it "
            f"anew, without --resume."
        )
    lock.callback(hold_run(options.out).release)
    checkpoint = read_checkpoint(options.out)
    with sign_of_life("Preparing the text"):
        trainer = resume_trainer(options.out, checkpoint, steps=options.steps)
    say(checkpoint.found.note)
    say(trim_metrics(options.out, trainer.first_unreported))
    return trainer


def _new_run(options: Options, lock: ExitStack) -> Trainer:
    if options.steps is None:
        raise ConfigError("train needs --steps N, the number of steps; add it.")
    setup = setup_of(options)
    check_trainable(setup)
    corpus = read_text_file(options.text) if options.text else find_corpus(setup.corpus)
    with sign_of_life("Preparing text and tokenizer"):
        tokens = prepare_corpus(setup, corpus)
    check_trainable(with_vocabulary(setup, tokens))
    trainer = new_trainer(setup, tokens)
    lock.callback(hold_run(options.out).release)
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
    return setup_to_train(options.preset or USUAL_PRESET).with_values(values)


def _show_rows(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    for report in _reports(trainer, stopped):
        print_json(recorder.keep(report))


def _show_progress(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    total, done = trainer.config.steps, max(0, trainer.next_step - 1)
    with tqdm(total=total, initial=done, unit="step", mininterval=0.5) as bar:
        held_out = ""
        for report in _reports(trainer, stopped):
            row = recorder.keep(report)
            if report.held_out:
                held_out = f"held-out {report.held_out.loss:.3f}"
            if "loss" in row:
                bar.set_postfix_str(f"loss {row['loss']:.3f} {held_out}", refresh=False)
                bar.update()
            if report.sample:
                bar.write(f"--- after step {report.step}: {held_out}\n{report.sample}\n")


def _reports(trainer: Trainer, stopped: Event) -> Iterator[StepReport]:
    """Yield what the steps report; the first one, which looks at held-out text, may take long."""
    n_texts = trainer.config.evaluate_texts
    with sign_of_life(f"Looking at {n_texts:,} held-out texts before the first step"):
        report = _next_report(trainer, stopped)
    while report is not None:
        yield report
        report = _next_report(trainer, stopped)


def _next_report(trainer: Trainer, stopped: Event) -> StepReport | None:
    """Give what the next step reports; None where all are done, or Ctrl-C was pressed before."""
    report = None
    while report is None and not (trainer.is_done or stopped.is_set()):
        report = trainer.advance()
    return report


TRAIN = Command(
    help="train a model and keep it in a folder", add_arguments=_add_arguments, run=_run
)
