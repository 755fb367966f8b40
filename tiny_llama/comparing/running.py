"""Running an experiment: run after run in one process, stopped and gone on with at any moment."""

import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tiny_llama.checkpoint import (
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
from tiny_llama.training import StepReport, Trainer


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
    """What has just been done of an experiment."""

    run: Run
    n_steps: int
    """Steps done with this piece of work, mostly 0 or 1."""
    outcome: Outcome | None = None
    """What the run has come to, once it is over; also where it was when the experiment began."""


def conduct(
    folder: Path, plan: Plan, texts: Texts, *, others: Sequence[Path] = ()
) -> Generator[Progress, None, None]:
    """Do all that is left of an experiment, a piece of a step at a time.

    Whoever closes this generator, or breaks off its loop, stops between two pieces: what was done
    of the run is kept, and another call goes on from there. A process that is killed loses what
    its run did since the last checkpoint, and that is done again. Either way, the numbers are those
    of an experiment that was never stopped.

    Args:
        folder: of the experiment, with its plan.
        plan: the experiment.
        texts: its texts.
        others: folders of other experiments; a run that is over there, with the very same setup, is
            copied in place of being done again.

    Raises:
        UserError: if a run folder is damaged, cannot be written, or is being trained by others.
    """
    lock = hold_run(folder)
    known = _runs_by_setup(others)

    def done(run: Run) -> Iterator[Progress]:
        if not (folder / run.name).exists() and run.setup in known:
            _take(known[run.setup], folder, run, plan.measure)
        return _done(folder, run, plan.measure, texts)

    try:
        for run in plan.trials:
            yield from done(run)
        trials = [read_outcome(folder, run, plan.measure) for run in plan.trials]
        rates = best_rates(plan, trials)
        for run in plan.seed_runs(rates):
            yield from done(run)
    finally:
        lock.release()


def _runs_by_setup(folders: Sequence[Path]) -> dict[Setup, Path]:
    """Find the runs of other experiments, but for those on a text of their own."""
    places = (path.parent for folder in folders for path in sorted(folder.glob(f"*/{SETUP}")))
    found = ((load_setup(place), place) for place in places)
    return {setup: place for setup, place in found if setup.corpus != OWN_TEXT}


def _take(place: Path, folder: Path, run: Run, measure: str) -> None:
    """Copy a run of another experiment, if it is over."""
    if read_outcome(place.parent, replace(run, name=place.name), measure).is_over:
        beside = folder / f"{run.name}.new"
        with writing(folder):
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(place, beside)
            beside.rename(folder / run.name)


def _done(folder: Path, run: Run, measure: str, texts: Texts) -> Iterator[Progress]:
    """Do what is left of a run, and say what it has come to."""
    if not (outcome := read_outcome(folder, run, measure)).is_over:
        for report in _trained(folder / run.name, run, texts):
            n_steps = int(report is not None and report.step > 0)
            yield Progress(run=run, n_steps=n_steps)
        outcome = read_outcome(folder, run, measure)
    yield Progress(run=run, n_steps=0, outcome=outcome)


def _trained(place: Path, run: Run, texts: Texts) -> Iterator[StepReport | None]:
    """Train a run to its end, or until it diverges, a piece at a time."""
    trainer = _trainer(place, run, texts)
    recorder = Recorder(place, trainer)
    if not has_checkpoint(place):
        recorder.checkpoint()
    try:
        while not trainer.is_done:
            report = trainer.advance()
            if report is not None:
                recorder.keep(report)
            yield report
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
