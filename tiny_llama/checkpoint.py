"""A run as a folder: setup, tokenizer, weights and what it takes to go on; JSON and safetensors.

Nothing is ever unpickled. Each file is written beside its place and then moved there, so a crash
leaves the old one whole.

    setup.json           Setup in plain values
    tokenizer.json       and tokenizer.model where SentencePiece is used
    text.txt             the user's own text, where that is the corpus
    model.safetensors    weights, and in a checkpoint the optimizers' memory and the next step
    model.before.safetensors   the checkpoint before, in case the last one is damaged
    metrics.jsonl        one JSON object a report
    snapshots/           weights at chosen steps, half precision
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Corpus, TextCorpus, own_text
from tiny_llama.cost import parameter_shapes
from tiny_llama.data import TokenizedCorpus, tokenize
from tiny_llama.errors import CheckpointError, TextError
from tiny_llama.files import write_json, write_whole, writing
from tiny_llama.model import TinyLlama
from tiny_llama.setup import (
    BEFORE,
    MODEL,
    OWN_TEXT,
    SETUP,
    SNAPSHOTS,
    TEXT,
    Setup,
    load_setup,
)
from tiny_llama.tokenizers import Tokenizer, load_tokenizer
from tiny_llama.training import UNREPORTED, StepReport, Trainer

_MEMORY = "optimizer."


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What a run folder holds for who wants to use the model."""

    model: TinyLlama
    tokenizer: Tokenizer
    setup: Setup
    next_step: int
    """The step that training would do next; 0: untrained."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run folder holds to go on from."""

    found: TrainedModel
    memory: Mapping[str, Tensor]
    """What the optimizers had kept, as `Trainer.state` gives it."""
    is_last: bool
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

    Raises:
        CheckpointError: if the folder already holds a run, or cannot be written.
    """
    if (folder / SETUP).exists():
        raise CheckpointError(
            f"The folder {folder.name!r} already holds a run; resume it or choose another folder."
        )
    with writing(folder):
        trainer.corpus.tokenizer.save(folder)
    if setup.corpus == OWN_TEXT and isinstance(corpus, TextCorpus):
        write_whole(folder / TEXT, corpus.text().encode())
    write_json(folder / SETUP, with_vocabulary(setup, trainer.corpus).as_dict())


def save_checkpoint(folder: Path, trainer: Trainer, *, with_memory: bool = True) -> None:
    """Write the weights and, unless they are final, what it takes to go on bit for bit.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written; the checkpoint before
            is then as it was.
    """
    tensors: dict[str, Tensor] = dict(trainer.model.named_parameters())
    if with_memory:
        tensors |= {_MEMORY + name: value for name, value in trainer.state().items()}
    before = folder / BEFORE if with_memory else None
    save_tensors(folder / MODEL, tensors, {"next_step": str(trainer.next_step)}, before=before)
    if before is None:
        (folder / BEFORE).unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Whether a run folder has anything to go on from."""
    return (folder / SETUP).is_file() and any((folder / n).is_file() for n in (MODEL, BEFORE))


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
    write_json(folder / SETUP, replace(found.setup, training=training).as_dict())
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
    """Read all that a run folder holds to go on from, each file once.

    Raises:
        UserError: if something is missing, damaged or does not fit together.
    """
    setup = load_setup(folder)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocab_size != setup.model.vocab_size:
        raise CheckpointError(
            f"The tokenizer has {tokenizer.vocab_size} tokens and the model "
            f"{setup.model.vocab_size}; take both from the same run."
        )
    tensors, metadata, is_last = _load_last(folder)
    found = TrainedModel(
        model=build_model(setup.model, tensors),
        tokenizer=tokenizer,
        setup=setup,
        next_step=_next_step(metadata),
    )
    memory = {
        name.removeprefix(_MEMORY): value
        for name, value in tensors.items()
        if name.startswith(_MEMORY)
    }
    return Checkpoint(found=found, memory=memory, is_last=is_last)


def _load_last(folder: Path) -> tuple[dict[str, Tensor], dict[str, str], bool]:
    """The last checkpoint, or the one before where the last is damaged, and whether it is last."""
    try:
        return *load_tensors(folder / MODEL), True
    except CheckpointError:
        if not (folder / BEFORE).is_file():
            raise
    return *load_tensors(folder / BEFORE), False


def build_model(config: ModelConfig, tensors: Mapping[str, Tensor]) -> TinyLlama:
    """Build a model with given weights; tensors of other names are passed over.

    Raises:
        CheckpointError: if a weight is missing or has another shape than the config says.
    """
    wanted = parameter_shapes(config)
    for path, shape in wanted.items():
        if path not in tensors:
            raise CheckpointError(f"The weights {path} are missing; take a whole checkpoint.")
        if tuple(tensors[path].shape) != shape:
            raise CheckpointError(
                f"The weights {path} have shape {tuple(tensors[path].shape)}, but the setup says "
                f"{shape}; take both from the same run."
            )
    model = TinyLlama(config)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            parameter.copy_(tensors[path])
    return model


def report_row(report: StepReport) -> dict[str, Any]:
    """A report as a row of `metrics.jsonl`: plain values, without weights and what is empty.

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


def save_snapshot(folder: Path, step: int, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of a step, in half precision: to look at, not to train on from."""
    half = {path: weight.half() for path, weight in weights.items()}
    save_tensors(folder / SNAPSHOTS / f"{step:08d}.safetensors", half, {"step": str(step)})


def load_snapshot(folder: Path, step: int) -> TinyLlama:
    """Build the model as it was after a step.

    Raises:
        CheckpointError: if there is no whole snapshot of that step.
    """
    tensors, _ = load_tensors(folder / SNAPSHOTS / f"{step:08d}.safetensors")
    return build_model(load_setup(folder).model, tensors)


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: dict[str, str],
    *,
    before: Path | None = None,
) -> None:
    """Write a safetensors file in one move; the one that stood there is kept as `before`, if given.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(whole, metadata), before=before)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: tensors by name, and its metadata.

    Raises:
        CheckpointError: if it is missing or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"The file {path.name} is missing; take a whole checkpoint.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"The file {path.name} is no whole safetensors file ({error}); take another copy."
        ) from None


def folder_corpus(folder: Path, setup: Setup) -> Corpus:
    """The text of a run: of that name, or the one that lies in its folder.

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


def _next_step(metadata: Mapping[str, str]) -> int:
    word = metadata.get("next_step", "")
    if not (word.isascii() and word.isdigit() and len(word) < 12):
        raise CheckpointError(f"The file {MODEL} does not say its step; take another copy.")
    return int(word)
