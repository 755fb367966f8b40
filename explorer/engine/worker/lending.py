"""A run on loan to a browser: what that needs, and how what it gives back becomes the run's own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from tiny_llama.data import IGNORED, TokenizedText
from tiny_llama.errors import CheckpointError, ConfigError
from tiny_llama.model import TinyLlama
from tiny_llama.sample_config import SampleConfig
from tiny_llama.training import HeldOut, StepReport, Trainer

_AVERAGES = {"means": "exp_avg", "squares": "exp_avg_sq"}
"""What the browser calls them, and AdamW."""


def lent(trainer: Trainer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Write down what a browser needs to go on with a run: plain values, and arrays by name.

    Raises:
        ConfigError: if its corpus is a task, whose exercises are made in Python.
    """
    corpus, context = trainer.trained_on, trainer.model.config.context
    if not isinstance(corpus, TokenizedText):
        raise ConfigError(
            f"corpus={corpus.name}: its exercises are made on the server, so that it can only be "
            f"trained there."
        )
    held_out = corpus.held_out(n_texts=trainer.config.evaluate_texts, context=context)
    said = held_out.targets[held_out.targets != IGNORED].numpy()
    values = {
        "next_step": trainer.next_step,
        "seed_of_data": trainer.config.seed_of_data,
        "n_places": corpus.n_places(context),
        "prompt": corpus.tokenizer.encode(corpus.prompt).tolist(),
        "temperature": SampleConfig().temperature,
        "held_out_bytes": int(corpus.tokenizer.byte_lengths()[said].sum()),
        "mark": mark_of(corpus),
        "token_texts": [*map(corpus.tokenizer.token_text, range(corpus.tokenizer.vocab_size))],
    }
    kind = np.uint16 if corpus.tokenizer.vocab_size <= 2**16 else np.int32
    arrays = {
        "tokens": corpus.tokens.numpy().astype(kind),
        "held_out_inputs": held_out.inputs.numpy().astype(np.int32).ravel(),
        "held_out_targets": held_out.targets.numpy().astype(np.int32).ravel(),
        "weights": _row(each for each in trainer.model.parameters()),
    }
    return values, arrays | _memory(trainer)


def mark_of(corpus: TokenizedText) -> str:
    """Give a mark by which a text in tokens is known again, and the tokens' own texts with it."""
    texts = map(corpus.tokenizer.token_text, range(corpus.tokenizer.vocab_size))
    found = blake2b("\0".join(texts).encode(errors="surrogatepass"), digest_size=16)
    found.update(corpus.tokens.numpy().astype("<i4").tobytes())
    return found.hexdigest()


def check_mark(trainer: Trainer, mark: str) -> None:
    """Refuse what was trained on another text than a run has, or on one cut otherwise.

    Raises:
        CheckpointError: if it was.
    """
    corpus = trainer.trained_on
    if not isinstance(corpus, TokenizedText) or mark_of(corpus) != mark:
        raise CheckpointError(
            "The text of this run, or how it is cut into tokens, is not what it was when the run "
            "began, as this is another version of the app; start a new run."
        )


def take_weights(trainer: Trainer, arrays: Mapping[str, np.ndarray], *, next_step: int) -> None:
    """Go on where a browser is: with its weights and AdamW's averages, each in one row.

    Raises:
        CheckpointError: if they are not as many as the model's.
    """
    named = dict(trainer.model.named_parameters())
    sizes = [each.numel() for each in named.values()]
    rows = {
        name: torch.from_numpy(np.array(arrays[name], np.float32)).split(sizes)
        for name in ("weights", *_AVERAGES)
    }
    state = {}
    with torch.no_grad():
        for place, (path, parameter) in enumerate(named.items()):
            parameter.copy_(rows["weights"][place].view_as(parameter))
            for name, key in _AVERAGES.items():
                state[f"0.{path}.{key}"] = rows[name][place].view_as(parameter)
            state[f"0.{path}.step"] = torch.tensor(float(next_step - 1))
    trainer.restore(state if next_step > 1 else {}, next_step=max(1, next_step))


def repeating(trainer: Trainer) -> Trainer:
    """Give a trainer that does all of a run's steps once more, from the first, and nothing else."""
    config = replace(trainer.config, evaluate_every=0, sample_every=0, n_snapshots=0)
    again = Trainer(TinyLlama(trainer.model.config, seed=config.seed), trainer.corpus, config)
    again.skip_untrained()
    return again


def report_of(row: Mapping[str, Any], trainer: Trainer) -> StepReport:
    """Read what a browser says of a step; what follows from the setup is not left to it.

    There is a snapshot only of weights that are known here: the first ones, and the trainer's.
    """
    config, step = trainer.config, int(row["step"])
    held_out, sample = None, None
    if "held_out_loss" in row:
        held_out = HeldOut(
            loss=row["held_out_loss"], bits_per_byte=row["bits_per_byte"], accuracy=None
        )
    if "sample" in row:
        tokenizer = trainer.corpus.tokenizer
        prompt = tokenizer.encode(trainer.corpus.prompt)
        sample = tokenizer.decode([*prompt, *row["sample"]])
    return StepReport(
        step=step,
        n_tokens=step * config.batch_size * trainer.model.config.context,
        loss=row.get("loss"),
        learning_rate=config.learning_rate_at(step) if step else 0.0,
        gradient_norm=row.get("gradient_norm"),
        seconds=row.get("seconds", 0.0),
        held_out=held_out,
        sample=sample,
        snapshot=_snapshot(trainer, step) if config.snapshots_at(step) else None,
    )


def _snapshot(trainer: Trainer, step: int) -> dict[str, torch.Tensor] | None:
    """Give the weights after a step: those that the seed draws, or those that are there."""
    if not step:
        untrained = TinyLlama(trainer.model.config, seed=trainer.config.seed)
        return {path: each.detach() for path, each in untrained.named_parameters()}
    return trainer.snapshot() if step == trainer.next_step - 1 else None


def _memory(trainer: Trainer) -> dict[str, np.ndarray]:
    """Give AdamW's averages in the order of the parameters; nothing, before the first step."""
    (optimizer,) = trainer.optimizers
    states = [optimizer.state[each] for each in trainer.model.parameters()]
    if not all(states):
        return {}
    return {name: _row(each[key] for each in states) for name, key in _AVERAGES.items()}


def _row(tensors: Iterator[torch.Tensor]) -> np.ndarray:
    row: np.ndarray = torch.cat([each.detach().flatten() for each in tensors]).numpy()
    return row
