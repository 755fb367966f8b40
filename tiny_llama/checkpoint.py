"""A run as a folder: setup, tokenizer, weights and what it takes to go on; JSON and safetensors.

Nothing is ever unpickled. Each file is written beside its place and then moved there, so a crash
leaves the old one whole. Each has its digest, and a checkpoint says besides with which setup,
tokenizer and text it was trained, so that a file that is damaged, or of another run, is noticed.

    setup.json           Setup in plain values
    tokenizer.json       and tokenizer.model where SentencePiece is used
    text.txt             the user's own text, where that is the corpus
    model.safetensors    weights, and in a checkpoint the optimizers' memory and the next step
    model.before.safetensors   the checkpoint before, in case the last one is damaged
    metrics.jsonl        one JSON object a report
    snapshots/           weights at chosen steps, half precision
    run.lock             locked by the process that trains the run: see `tiny_llama.run_lock`
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Corpus, TextCorpus, own_text
from tiny_llama.corpora.own_text import MOST_BYTES
from tiny_llama.cost import parameter_shapes
from tiny_llama.data import TokenizedCorpus, tokenize
from tiny_llama.errors import CheckpointError, TextError, UserError
from tiny_llama.files import damaged, digest, read_bytes, write_whole, writing
from tiny_llama.metrics import check_metrics
from tiny_llama.model import TinyLlama
from tiny_llama.setup import (
    BEFORE,
    MODEL,
    OWN_TEXT,
    SETUP,
    TEXT,
    Setup,
    changes,
    changes_in_words,
    load_setup,
    snapshot_path,
    write_setup,
)
from tiny_llama.tensor_files import About, check_tensors, load_tensors, read_about, save_tensors
from tiny_llama.tokenizers import Tokenizer, load_tokenizer
from tiny_llama.training import UNREPORTED, StepReport, Trainer, memory_shapes

_MEMORY = "optimizer."


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What a run folder holds for who wants to use the model."""

    model: TinyLlama
    tokenizer: Tokenizer
    setup: Setup
    next_step: int
    """The step that training would do next; 0: untrained."""
    note: str = ""
    """What was damaged, and what was taken instead, in sentences; empty: nothing was."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run folder holds to go on from."""

    found: TrainedModel
    memory: Mapping[str, Tensor]
    """What the optimizers had kept, as `Trainer.state` gives it."""
    about: About = field(default_factory=dict)
    """With what it was trained; see `about_run`."""
    is_last: bool = True
    """Whether it is the last one; otherwise that is damaged, and this is the one before."""

    @property
    def is_done(self) -> bool:
        """Whether all steps are done and reported."""
        is_reported = UNREPORTED not in self.memory
        return self.found.next_step > self.found.setup.training.steps and is_reported


def find_corpus(name: str) -> Corpus:
    """Look a corpus up by its name.

    Raises:
        TextError: if there is none of that name.
    """
    if name not in CORPORA:
        raise TextError(f"corpus={name!r} is not on the list; choose {', '.join(CORPORA)}.")
    return CORPORA[name]


def prepare_corpus(setup: Setup, corpus: Corpus | None = None) -> TokenizedCorpus:
    """Fetch or make the text and train the tokenizer: the slow part of starting a run.

    Args:
        setup: what to run.
        corpus: the user's own text, where `setup.corpus` is that.

    Raises:
        UserError: if the text or the tokenizer cannot be had as wanted.
    """
    corpus = corpus or find_corpus(setup.corpus)
    return tokenize(corpus, setup.tokenizer, vocab_size=setup.vocab_size)


def with_vocabulary(setup: Setup, corpus: TokenizedCorpus) -> Setup:
    """Put into a setup what only the tokenizer knows: its kind and the size of its vocabulary."""
    tokenizer = corpus.tokenizer
    model = replace(setup.model, vocab_size=tokenizer.vocab_size)
    return replace(setup, model=model, tokenizer=tokenizer.name)


def new_trainer(setup: Setup, corpus: TokenizedCorpus | None = None) -> Trainer:
    """Build model and trainer of a new run.

    Args:
        setup: what to run; the tokenizer decides the model's vocabulary.
        corpus: the text in tokens; None: prepare it.

    Raises:
        UserError: if the text, the model or the tokenizer cannot be had as wanted.
    """
    corpus = corpus or prepare_corpus(setup)
    config = with_vocabulary(setup, corpus).model
    return Trainer(TinyLlama(config, seed=setup.training.seed), corpus, setup.training)


def start_folder(folder: Path, setup: Setup, trainer: Trainer, corpus: Corpus | None) -> None:
    """Write all that stays the same during a run.

    What a start that was cut short has left there is overwritten.

    Raises:
        CheckpointError: if the folder already holds a run, or cannot be written.
    """
    if has_checkpoint(folder) or check_metrics(folder).rows:
        raise CheckpointError(
            f"The folder {folder.name!r} already holds a run; resume it or choose another folder."
        )
    with writing(folder):
        trainer.corpus.tokenizer.save(folder)
    if setup.corpus == OWN_TEXT and isinstance(corpus, TextCorpus):
        write_whole(folder / TEXT, corpus.text().encode())
    write_setup(folder, with_vocabulary(setup, trainer.corpus))


def about_run(folder: Path, tokenizer: Tokenizer) -> About:
    """Say what a run is trained with, as its folder says already: setup, tokenizer and own text.

    Asked once, when it starts or goes on and all of it is known to be whole.

    Raises:
        UserError: if something is missing.
    """
    setup = load_setup(folder)
    about = {"setup": json.dumps(setup.as_dict()), "tokenizer": tokenizer.digest()}
    return about | ({"text": _text_digest(folder)} if setup.corpus == OWN_TEXT else {})


def save_checkpoint(
    folder: Path, trainer: Trainer, about: Mapping[str, str], *, with_memory: bool = True
) -> None:
    """Write the weights and, unless they are final, what it takes to go on bit for bit.

    Args:
        folder: a run folder.
        trainer: the run.
        about: what `about_run` said of it.
        with_memory: whether to write the optimizers' memory.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written; the checkpoint before
            is then as it was.
    """
    tensors: dict[str, Tensor] = dict(trainer.model.named_parameters())
    if with_memory:
        tensors |= {_MEMORY + name: value for name, value in trainer.state().items()}
    before = folder / BEFORE if with_memory else None
    about = {**about, "next_step": str(trainer.next_step)}
    save_tensors(folder / MODEL, tensors, about, before=before)
    if before is None:
        (folder / BEFORE).unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a run folder has weights, be they whole or not."""
    return any((folder / name).is_file() for name in (MODEL, BEFORE))


def checkpoint_step(folder: Path) -> int:
    """Read which step the last checkpoint of a run would do next; its weights are not read.

    Raises:
        UserError: if there is none, or it says no such step.
    """
    return _next_step(MODEL, read_about(folder / MODEL), load_setup(folder))


def resume_trainer(
    folder: Path,
    checkpoint: Checkpoint | None = None,
    *,
    steps: int | None = None,
    corpus: TokenizedCorpus | None = None,
) -> Trainer:
    """Build the trainer of a run folder where its last checkpoint left it.

    Args:
        folder: a run folder.
        checkpoint: what `read_checkpoint` gave, where the caller has it; None: read it.
        steps: a new number of steps in all, kept from now on; it stretches or shortens the
            learning rate's schedule. None: as the run was set up.
        corpus: the run's text in tokens, where the caller has it; None: prepare it.

    Raises:
        UserError: if the folder does not hold a run that can go on.
    """
    checkpoint = checkpoint or read_checkpoint(folder)
    found = checkpoint.found
    training = found.setup.training
    if steps is not None:
        training = replace(training, steps=steps)
    if found.next_step > training.steps and UNREPORTED not in checkpoint.memory:
        raise CheckpointError(
            f"This run has done its {found.next_step - 1:,} steps already; give a larger number "
            f"of steps to go on."
        )
    _check_text(folder, checkpoint.about)
    write_setup(folder, replace(found.setup, training=training))
    if not checkpoint.is_last:  # else the next checkpoint would put it in the place of this one
        with writing(folder):
            (folder / MODEL).unlink(missing_ok=True)
    corpus = corpus or tokenize(folder_corpus(folder, found.setup), found.tokenizer)
    trainer = Trainer(found.model, corpus, training)
    trainer.restore(checkpoint.memory, next_step=found.next_step)
    return trainer


def load_model(folder: Path) -> TrainedModel:
    """Read model, tokenizer and setup of a run folder.

    Raises:
        UserError: if something is missing, damaged or does not fit together.
    """
    return read_checkpoint(folder).found


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read all that a run folder holds to go on from: the last checkpoint, or the one before.

    The one before is taken where the last is damaged or of another run; the note then says so.

    Raises:
        UserError: if something is missing, damaged or does not fit together.
    """
    setup, note = read_setup(folder)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocab_size != setup.model.vocab_size:
        raise CheckpointError(
            f"The tokenizer has {tokenizer.vocab_size} tokens and the model "
            f"{setup.model.vocab_size}; take both from the same run."
        )
    try:
        return _read_one(folder / MODEL, setup, tokenizer, note)
    except CheckpointError as error:
        with suppress(CheckpointError):
            note = f"{note} {_ONE_BEFORE}".strip()
            found = _read_one(folder / BEFORE, setup, tokenizer, note)
            return replace(found, is_last=False)
        raise error from None


_ONE_BEFORE = f"The last checkpoint was damaged ({MODEL}), so the one before was taken."


def read_setup(folder: Path) -> tuple[Setup, str]:
    """Read the setup of a run folder: where it is damaged, the one that the checkpoint has.

    Returns:
        The setup, and a sentence if it is that of the checkpoint.

    Raises:
        UserError: if there is none.
    """
    try:
        return load_setup(folder), ""
    except UserError:
        for name in (MODEL, BEFORE):
            with suppress(UserError):
                if (setup := _setup_in(name, read_about(folder / name))) is not None:
                    return setup, f"{SETUP} was damaged, so the checkpoint's settings were taken."
        raise


def _read_one(path: Path, setup: Setup, tokenizer: Tokenizer, note: str) -> Checkpoint:
    """Read a checkpoint and see that it is whole and of this run."""
    tensors, about = load_tensors(path)
    _check_origin(path.name, about, setup, tokenizer)
    is_memory = {name: name.startswith(_MEMORY) for name in tensors}
    weights = {name: value for name, value in tensors.items() if not is_memory[name]}
    memory = {n.removeprefix(_MEMORY): value for n, value in tensors.items() if is_memory[n]}
    next_step = _next_step(path.name, about, setup)
    found = TrainedModel(
        model=build_model(setup.model, weights, path.name),
        tokenizer=tokenizer,
        setup=setup,
        next_step=next_step,
        note=note,
    )
    _check_memory(path.name, memory, setup, next_step)
    return Checkpoint(found=found, memory=memory, about=about)


def build_model(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    name: str = MODEL,
    kind: torch.dtype = torch.float32,
) -> TinyLlama:
    """Build a model with given weights.

    Args:
        config: the model's shape.
        tensors: its weights by path, and nothing else.
        name: of the file that they are from, for the sentence.
        kind: what kind of numbers they are.

    Raises:
        CheckpointError: if a weight is missing, unknown, or of another shape or kind.
    """
    if config.n_layers * config.n_experts * config.has_experts > len(tensors):
        raise CheckpointError(f"In {name}, experts are missing; take a whole checkpoint.")
    check_tensors(name, tensors, parameter_shapes(config), kind)
    model = TinyLlama(config)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            parameter.copy_(tensors[path])
    return model


def _check_origin(name: str, about: About, setup: Setup, tokenizer: Tokenizer) -> None:
    """Refuse tensors that were trained with another setup or tokenizer than their folder has.

    The number of steps may differ, which can be changed when a run goes on.
    """
    stored = _setup_in(name, about)
    if stored is not None:
        steps = replace(stored.training, steps=setup.training.steps)
        if differences := changes(replace(stored, training=steps), setup):
            raise CheckpointError(
                f"The settings in {SETUP} are not those that {name} was trained with "
                f"({changes_in_words(differences)}); take both from the same run."
            )
    if about.get("tokenizer", tokenizer.digest()) != tokenizer.digest():
        raise CheckpointError(
            f"The tokenizer is not the one that {name} was trained with; take both from the same "
            f"run."
        )


def _setup_in(name: str, about: About) -> Setup | None:
    """Read the setup that a file of tensors was trained with; None: it is older and has none."""
    if "setup" not in about:
        return None
    try:
        return Setup.from_dict(json.loads(about["setup"]))
    except (ValueError, TypeError, RecursionError):
        raise damaged(name) from None


def _check_memory(name: str, memory: Mapping[str, Tensor], setup: Setup, next_step: int) -> None:
    """Refuse an optimizer's memory that is not whole; a finished model may have none."""
    kept = {path: value for path, value in memory.items() if path != UNREPORTED}
    if kept:
        wanted = memory_shapes(setup.model, setup.training) if next_step > 1 else {}
        check_tensors(name, kept, wanted, torch.float32)
    counted = {float(value) for path, value in memory.items() if path.endswith(".step")}
    if counted - {next_step - 1}:
        raise CheckpointError(
            f"The file {name} says that step {next_step} is next, and its optimizer has counted "
            f"{max(counted):g}; take another copy."
        )


def _check_text(folder: Path, about: About) -> None:
    """Refuse to go on with another text than the run began with."""
    if "text" in about and about["text"] != _text_digest(folder):
        raise CheckpointError(
            f"The text of this run, {TEXT}, is damaged or was edited; start a new run with it."
        )


def _text_digest(folder: Path) -> str:
    return digest(read_bytes(folder / TEXT, MOST_BYTES))


def report_row(report: StepReport) -> dict[str, Any]:
    """Turn a report into a row of `metrics.jsonl`: plain values, no weights and nothing empty.

    Numbers are kept to six digits: the rows of long runs would weigh more than their models.
    """
    row: dict[str, Any] = {
        "step": report.step,
        "n_tokens": report.n_tokens,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
        "gradient_norm": report.gradient_norm,
        "seconds": report.seconds,
        "sample": report.sample,
    }
    if report.held_out:
        row |= {
            "held_out_loss": report.held_out.loss,
            "perplexity": report.held_out.perplexity,
            "bits_per_byte": report.held_out.bits_per_byte,
            "accuracy": report.held_out.accuracy,
        }
    return {name: _short(value) for name, value in row.items() if value is not None}


def save_snapshot(
    folder: Path, step: int, weights: Mapping[str, Tensor], about: Mapping[str, str]
) -> None:
    """Write the weights of a step, in half precision: to look at, not to train on from."""
    half = {path: weight.half() for path, weight in weights.items()}
    save_tensors(snapshot_path(folder, step), half, {**about, "step": str(step)})


def load_snapshot(folder: Path, step: int) -> TinyLlama:
    """Build the model as it was after a step.

    Raises:
        UserError: if there is no whole snapshot of that step.
    """
    path = snapshot_path(folder, step)
    (setup, _), tokenizer = read_setup(folder), load_tokenizer(folder)
    tensors, about = load_tensors(path)
    _check_origin(path.name, about, setup, tokenizer)
    if about.get("step") != str(step):
        raise CheckpointError(
            f"The snapshot {path.name} is of another step than its name says; take another copy."
        )
    return build_model(setup.model, tensors, path.name, torch.float16)


def folder_corpus(folder: Path, setup: Setup) -> Corpus:
    """Give the text of a run: of that name, or the one that lies in its folder.

    Raises:
        TextError: if there is no text of that name.
        CheckpointError: if the user's own text is missing.
    """
    if setup.corpus != OWN_TEXT:
        return find_corpus(setup.corpus)
    try:
        return own_text((folder / TEXT).read_bytes())
    except OSError:
        raise CheckpointError(
            f"The text of this run, {TEXT}, is missing; start a new run with the text."
        ) from None


def _short(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _next_step(name: str, about: About, setup: Setup) -> int:
    word = about.get("next_step", "")
    is_number = word.isascii() and word.isdigit() and len(word) < 12
    if not is_number or int(word) > setup.training.steps + 1:
        raise CheckpointError(
            f"The file {name} says that step {word[:20]!r} is next, of {setup.training.steps:,}; "
            f"take another copy."
        )
    return int(word)
