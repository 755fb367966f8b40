"""Running an experiment: its runs and their order, stopped and gone on with at any moment."""

import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tiny_llama.checkpoint import (
    checkpoint_step,
    folder_corpus,
    has_checkpoint,
    new_trainer,
    read_checkpoint,
    resume_trainer,
    start_folder,
    with_vocabulary,
)
from tiny_llama.comparing.outcomes import (
    Outcome,
    best_rates,
    note_divergence,
    read_outcome,
)
from tiny_llama.comparing.plan import Plan, Run
from tiny_llama.corpora import Corpus
from tiny_llama.data import TokenizedCorpus, tokenize
from tiny_llama.errors import CheckpointError, TrainingError
from tiny_llama.files import writing
from tiny_llama.metrics import trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.run_lock import hold_run
from tiny_llama.setup import OWN_TEXT, SETUP, Setup, load_setup
from tiny_llama.trainable import check_trainable
from tiny_llama.training import Trainer


class Texts:
    """The corpora of an experiment in tokens, each prepared once.

    Args:
        folder: of the experiment, where the user's own text lies, if there is one.
        own: that text, where it does not lie there yet.
    """

    def __init__(self, folder: Path, own: Corpus | None = None) -> None:
        self._folder, self._own = folder, own
        self._prepared: dict[tuple[str, str, int | None], TokenizedCorpus] = {}

    def of(self, setup: Setup) -> TokenizedCorpus:
        """Give the text of a setup in tokens.

        Raises:
            UserError: if text or tokenizer cannot be had as wanted.
        """
        key = (setup.corpus, setup.tokenizer, setup.vocab_size)
        if key not in self._prepared:
            self._prepared[key] = tokenize(
                self.corpus(setup), setup.tokenizer, vocab_size=setup.vocab_size
            )
        return self._prepared[key]

    def corpus(self, setup: Setup) -> Corpus:
        """Give the text of a setup as it is."""
        if setup.corpus == OWN_TEXT and self._own:
            return self._own
        return folder_corpus(self._folder, setup)

    def vocabulary(self, setup: Setup) -> Setup:
        """Put into a setup what its tokenizer knows.

        Raises:
            UserError: if text or tokenizer cannot be had as wanted, or the model is too large.
        """
        check_trainable(setup)
        known = with_vocabulary(setup, self.of(setup))
        check_trainable(known)
        return known


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run of an experiment is."""

    run: Run
    steps_done: int
    outcome: Outcome | None = None
    """What the run has come to, once it is over; also where it was when the experiment began."""


class Runner(Protocol):
    """What does the runs of an experiment: one after another, or several at once."""

    n_at_once: int
    """How many runs there is room for without one slowing another."""

    def do(
        self, folder: Path, runs: Sequence[Run], measure: str
    ) -> Generator[Progress, None, None]:
        """Do what is left of some runs of an experiment, and tell every so often how far they are.

        Args:
            folder: of the experiment.
            runs: in no way depending on one another.
            measure: by what they are judged.

        Raises:
            UserError: if a run cannot be done; those that do not wait for it are done first.
        """

    def stop(self) -> None:
        """Let all that is being done stop between two pieces and be kept; wait for it."""


def conduct(
    folder: Path,
    plan: Plan,
    texts: Texts,
    *,
    others: Sequence[Path] = (),
    runner: Runner | None = None,
) -> Generator[Progress, None, None]:
    """Do all that is left of an experiment: the runs that try rates, then those that count.

    Whoever closes this generator, or breaks off its loop, stops between two pieces: what was done
    of the runs is kept, and another call goes on from there. A process that is killed loses what
    its run did since the last checkpoint, and that is done again. Either way, and whichever runner
    does them, the numbers are those of an experiment that was never stopped.

    Args:
        folder: of the experiment, with its plan.
        plan: the experiment.
        texts: its texts.
        others: folders of other experiments; a run that is over there, with the very same setup, is
            copied in place of being done again.
        runner: what does its runs, and is stopped in the end; None: this process, one by one.

    Raises:
        UserError: if a run folder is damaged, cannot be written, or is being trained by others.
    """
    runner = runner or OneByOne(texts)
    lock = hold_run(folder)
    try:
        known = _runs_by_setup(others)
        _take_known(known, folder, plan.trials, plan.measure)
        yield from runner.do(folder, plan.trials, plan.measure)
        trials = [read_outcome(folder, run, plan.measure) for run in plan.trials]
        runs = plan.seed_runs(best_rates(plan, trials))
        _take_known(known, folder, runs, plan.measure)
        yield from runner.do(folder, runs, plan.measure)
    finally:
        try:
            runner.stop()
        finally:
            lock.release()


def _runs_by_setup(folders: Sequence[Path]) -> dict[Setup, Path]:
    """Find the runs of other experiments, but for those on a text of their own."""
    places = (path.parent for folder in folders for path in sorted(folder.glob(f"*/{SETUP}")))
    found = ((load_setup(place), place) for place in places)
    return {setup: place for setup, place in found if setup.corpus != OWN_TEXT}


def _take_known(
    known: Mapping[Setup, Path], folder: Path, runs: Sequence[Run], measure: str
) -> None:
    """Copy the runs of other experiments that are over there, and not begun here."""
    for run in runs:
        if not (folder / run.name).exists() and run.setup in known:
            _take(known[run.setup], folder, run, measure)


def _take(place: Path, folder: Path, run: Run, measure: str) -> None:
    """Copy a run of another experiment, if it is over."""
    if read_outcome(place.parent, replace(run, name=place.name), measure).is_over:
        beside = folder / f"{run.name}.new"
        with writing(folder):
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(place, beside)
            beside.rename(folder / run.name)


class OneByOne:
    """Does runs one after another in this process.

    Args:
        texts: of the experiment.
    """

    n_at_once = 1

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def do(
        self, folder: Path, runs: Sequence[Run], measure: str
    ) -> Generator[Progress, None, None]:
        """Do what is left of some runs, a piece of a step at a time; see `Runner`."""
        for run in runs:
            yield from do_run(folder, run, measure, self._texts)

    def stop(self) -> None:
        """Do nothing: whoever closes `do` stops the run that was being done."""


def do_run(
    folder: Path, run: Run, measure: str, texts: Texts, *, patience_seconds: float = 0
) -> Generator[Progress, None, None]:
    """Do what is left of a run, a piece at a time, and say what it has come to.

    Args:
        folder: of the experiment.
        run: one of its plan's.
        measure: by what it is judged.
        texts: the experiment's.
        patience_seconds: how long to wait for another process that trains it still.

    Raises:
        UserError: if its folder is damaged, cannot be written, or is being trained by others.
    """
    if is_left(folder, run, measure):
        yield from _trained(folder, run, measure, texts, patience_seconds)
    yield over(folder, run, measure)


def over(folder: Path, run: Run, measure: str) -> Progress:
    """Say what a run that is over has come to."""
    outcome = read_outcome(folder, run, measure)
    return Progress(run=run, steps_done=outcome.steps_done, outcome=outcome)


def is_left(folder: Path, run: Run, measure: str) -> bool:
    """Tell whether there is anything to do of a run, be it only to write its last weights.

    Raises:
        UserError: if its folder is damaged, or holds a run with other settings.
    """
    outcome = read_outcome(folder, run, measure)
    if outcome.is_done:  # whoever trained it may have been killed between rows and weights
        with suppress(CheckpointError):  # without weights it is done all the same
            return checkpoint_step(folder / run.name) <= run.setup.training.steps
    return not outcome.is_over


def _trained(
    folder: Path, run: Run, measure: str, texts: Texts, patience_seconds: float
) -> Iterator[Progress]:
    """Train a run to its end, or until it diverges, a piece at a time."""
    place = folder / run.name
    lock = hold_run(place, patience_seconds=patience_seconds)
    try:
        if not is_left(folder, run, measure):  # whoever had the lock before has done it
            return
        yield from _pieces(place, run, _trainer(place, run, texts))
    finally:
        lock.release()


def _pieces(place: Path, run: Run, trainer: Trainer) -> Iterator[Progress]:
    """Do the pieces of a run, and keep what they report."""
    recorder = Recorder(place, trainer)
    if not has_checkpoint(place):
        recorder.checkpoint()
    try:
        while not trainer.is_done:
            report = trainer.advance()
            if report is not None:
                recorder.keep(report)
            yield Progress(run=run, steps_done=max(0, trainer.first_unreported - 1))
    except GeneratorExit:  # between two pieces: half a step is never kept
        recorder.checkpoint()
        raise
    except TrainingError as error:
        recorder.flush()
        note_divergence(place, trainer.first_unreported, str(error))
    else:
        recorder.checkpoint(with_memory=False)


def _trainer(place: Path, run: Run, texts: Texts) -> Trainer:
    """Begin a run, or go on with it from its last checkpoint."""
    tokens = texts.of(run.setup)
    if not has_checkpoint(place):
        trainer = new_trainer(run.setup, tokens)
        start_folder(place, run.setup, trainer, texts.corpus(run.setup))
        return trainer
    try:
        trainer = resume_trainer(place, read_checkpoint(place), corpus=tokens)
        trim_metrics(place, trainer.first_unreported)
    except CheckpointError as error:
        raise CheckpointError(
            f"The run {place.name!r} cannot go on; delete its folder, and it is done anew: {error}"
        ) from None
    return trainer
