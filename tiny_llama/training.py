"""Training: a generator of small reports, so that whoever drives it may pause, step or stop it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import clip_grad_norm_

from tiny_llama.config import ModelConfig
from tiny_llama.cost import Shape, is_muon_matrix, parameter_shapes
from tiny_llama.data import IGNORED, Batch, TokenizedCorpus
from tiny_llama.errors import CheckpointError, ConfigError, TrainingError
from tiny_llama.generation import generate
from tiny_llama.model import TinyLlama
from tiny_llama.muon import Muon
from tiny_llama.sample_config import SampleConfig
from tiny_llama.train_config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How well a model does on text that it was never trained on."""

    loss: float
    """Mean cross-entropy of the tokens that count, in nats."""
    bits_per_byte: float
    """The same by byte of text, in bits, so that tokenizers compare."""
    accuracy: float | None
    """For tasks: share of the answers' tokens that the model finds likeliest; else None."""

    @property
    def perplexity(self) -> float:
        """Among how many equally likely tokens the model would be as unsure: e^loss."""
        return exp(min(self.loss, 700.0))


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one step did. Step 0 is the untrained model: nothing but a look at it."""

    step: int
    n_tokens: int
    """Tokens trained on so far."""
    loss: float | None
    """Of this step's batch, in nats a token, before the update; label smoothing included."""
    learning_rate: float
    gradient_norm: float | None
    """Length of the gradient over all parameters, before clipping."""
    seconds: float
    """Time that this step's training took; looks and samples not counted."""
    held_out: HeldOut | None = None
    sample: str | None = None
    snapshot: Mapping[str, Tensor] | None = None
    """A copy of the weights by path."""

    @property
    def tokens_per_second(self) -> float | None:
        """Training speed of this step alone."""
        return None if not self.seconds else self.n_tokens / self.step / self.seconds


def train(model: TinyLlama, corpus: TokenizedCorpus, config: TrainConfig) -> Iterator[StepReport]:
    """Train a model in place and report every step; see `Trainer`."""
    yield from Trainer(model, corpus, config)


class Trainer(Iterator[StepReport]):
    """A training run that goes one step further each time it is asked.

    The same seed on the same machine with as many threads gives the same numbers. A trainer that
    is given the weights and the `state` of another goes on from there bit for bit.

    Args:
        model: trained in place; its vocabulary must be the tokenizer's.
        corpus: what to train on and to be judged by.
        config: how to train.

    Raises:
        TextError: if the text is too short for the model's context.
        ConfigError: if a step would read more tokens than any machine can hold.
        TrainingError: by the step in which loss or gradient is no finite number any more.
    """

    def __init__(self, model: TinyLlama, corpus: TokenizedCorpus, config: TrainConfig) -> None:
        self.model, self.corpus, self.config = model, corpus, config
        _check_step_size(config.batch_size, model.config.context)
        self.optimizers = make_optimizers(model, config)
        self.next_step = 0
        context = model.config.context
        self._held_out = corpus.held_out(n_texts=config.evaluate_texts, context=context)

    def __next__(self) -> StepReport:
        """Do the next step and whatever is due after it.

        Raises:
            StopIteration: when all steps are done.
        """
        step = self.next_step
        if step > self.config.steps:
            raise StopIteration
        began = time.perf_counter()
        loss, gradient_norm = self._update(step) if step else (None, None)
        seconds = time.perf_counter() - began if step else 0.0
        self.next_step += 1
        config = self.config
        held_out = self.evaluate() if config.evaluates_at(step) else None
        if held_out:
            self._check_finite(step, "held-out loss", held_out.loss)
        return StepReport(
            step=step,
            n_tokens=step * config.batch_size * self.model.config.context,
            loss=loss,
            learning_rate=config.learning_rate_at(step) if step else 0.0,
            gradient_norm=gradient_norm,
            seconds=seconds,
            held_out=held_out,
            sample=self.sample() if config.samples_at(step) else None,
            snapshot=self.snapshot() if config.snapshots_at(step) else None,
        )

    def evaluate(self) -> HeldOut:
        """Look at the held-out texts."""
        return evaluate(self.model, self._held_out, self.corpus)

    def sample(self) -> str:
        """Let the model write, from the corpus's usual beginning."""
        tokenizer = self.corpus.tokenizer
        prompt = tokenizer.encode(self.corpus.prompt)
        settings = SampleConfig(n_tokens=self.config.sample_tokens, seed=self.config.seed)
        said = [next_token.token for next_token in generate(self.model, prompt, settings)]
        return tokenizer.decode([*prompt, *said])

    def snapshot(self) -> dict[str, Tensor]:
        """Copy the weights, by path."""
        return {path: p.detach().clone() for path, p in self.model.named_parameters()}

    def state(self) -> dict[str, Tensor]:
        """Give what a run needs besides its weights to go on: the optimizers' memory."""
        return {
            f"{number}.{path}.{key}": value
            for number, optimizer in enumerate(self.optimizers)
            for path, parameter in self._named(optimizer)
            for key, value in optimizer.state[parameter].items()
        }

    def restore(self, state: Mapping[str, Tensor], *, next_step: int) -> None:
        """Go on where another run was when it gave its `state` and was about to do `next_step`.

        Raises:
            CheckpointError: if the state does not belong to this model and optimizer.
        """
        wanted = memory_shapes(self.model.config, self.config) if next_step > 1 else {}
        if {name: tuple(value.shape) for name, value in state.items()} != wanted:
            raise CheckpointError(
                "The optimizer's memory does not fit this run; resume with the setup that the "
                "checkpoint was trained with."
            )
        for number, optimizer in enumerate(self.optimizers):
            for path, parameter in self._named(optimizer):
                prefix = f"{number}.{path}."
                optimizer.state[parameter] = {
                    k.removeprefix(prefix): v.clone()
                    for k, v in state.items()
                    if k.startswith(prefix)
                }
        self.next_step = next_step

    def _update(self, step: int) -> tuple[float, float]:
        """Do one step of training; return the loss and the length of the gradient."""
        config, context = self.config, self.model.config.context
        batch = self.corpus.batch(
            batch_size=config.batch_size, context=context, seed=config.seed, step=step
        )
        if self.model.config.dropout:
            torch.manual_seed(_dropout_seed(config.seed, step))
        self.model.train()
        logits = self.model(batch.inputs)
        loss = F.cross_entropy(
            logits.flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=IGNORED,
            label_smoothing=config.label_smoothing,
        )
        loss.backward()
        gradient_norm = clip_grad_norm_(self.model.parameters(), config.gradient_clip or inf)
        found = float(loss.detach()), float(gradient_norm)
        self._check_finite(step, "loss", found[0])
        self._check_finite(step, "gradient", found[1])
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate_at(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)  # between steps, a waiting run holds none
        return found

    def _check_finite(self, step: int, name: str, value: float) -> None:
        if not isfinite(value):
            raise TrainingError(
                f"Training ended at step {step}: the {name} became {value}, no finite number; the "
                f"usual cause is a learning rate that is too high (it was "
                f"{self.config.learning_rate_at(step):g}), no norm, or no gradient clipping; lower "
                f"the learning rate or lengthen the warm-up and start again."
            )

    def _named(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
        names = {id(parameter): path for path, parameter in self.model.named_parameters()}
        for group in optimizer.param_groups:
            yield from ((names[id(parameter)], parameter) for parameter in group["params"])


@torch.no_grad()
def evaluate(model: TinyLlama, texts: Batch, corpus: TokenizedCorpus) -> HeldOut:
    """Judge a model by texts that it was not trained on.

    Args:
        model: set to evaluation mode for the while.
        texts: what to read and what should come next, any number of rows.
        corpus: where the texts are from; its tokenizer knows how many bytes each token stands for.
    """
    was_training = model.training
    model.eval()
    loss, right = 0.0, 0
    for inputs, wanted in zip(texts.inputs.split(32), texts.targets.split(32), strict=True):
        logits, targets = model(inputs).flatten(0, 1), wanted.flatten()
        loss += float(F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
        right += int((logits.argmax(-1) == targets).sum())
    model.train(was_training)
    said = texts.targets[texts.targets != IGNORED]
    n_bytes = int(torch.from_numpy(corpus.tokenizer.byte_lengths())[said].sum())
    return HeldOut(
        loss=loss / len(said),
        bits_per_byte=loss / log(2) / max(1, n_bytes),
        accuracy=right / len(said) if corpus.counts_answers else None,
    )


def make_optimizers(model: TinyLlama, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Build the optimizers, each parameter in exactly one; vectors are not decayed.

    Muon moves the matrices inside the blocks, AdamW the rest.
    """
    named = dict(model.named_parameters())
    if config.optimizer == "muon":
        inside = [p for path, p in named.items() if is_muon_matrix(path, tuple(p.shape))]
        rest = [p for path, p in named.items() if not is_muon_matrix(path, tuple(p.shape))]
        return [_muon(inside, config), _adamw(rest, config)] if inside else [_adamw(rest, config)]
    build = {"adamw": _adamw, "sgd": _sgd}[config.optimizer]
    return [build(list(named.values()), config)]


def memory_shapes(model: ModelConfig, config: TrainConfig) -> dict[str, Shape]:
    """The shape of each tensor of `Trainer.state` once a step is done, by its name there."""
    shapes = parameter_shapes(model)
    kinds = {path: _optimizer_of(path, shape, config) for path, shape in shapes.items()}
    numbers = {
        kind: number for number, kind in enumerate(sorted(set(kinds.values()), reverse=True))
    }
    return {
        f"{numbers[kinds[path]]}.{path}.{key}": its_shape
        for path, shape in shapes.items()
        for key, its_shape in _kept_of(shape, kinds[path], config).items()
    }


def _optimizer_of(path: str, shape: Shape, config: TrainConfig) -> str:
    """Which optimizer moves a parameter: with Muon, AdamW what is no matrix inside the blocks."""
    is_left = config.optimizer == "muon" and not is_muon_matrix(path, shape)
    return "adamw" if is_left else config.optimizer


def _kept_of(shape: Shape, kind: str, config: TrainConfig) -> dict[str, Shape]:
    """What an optimizer keeps of one parameter between steps."""
    if kind == "adamw":
        return {"step": (), "exp_avg": shape, "exp_avg_sq": shape}
    forgets = kind == "sgd" and config.beta1 == 0
    return {} if forgets else {"momentum_buffer": shape}


def _adamw(parameters: Sequence[Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    betas = (config.beta1, config.beta2)
    groups = _decay_groups(parameters, config)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def _sgd(parameters: Sequence[Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    groups = _decay_groups(parameters, config)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.beta1, fused=True)


def _muon(matrices: Sequence[Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    return Muon(
        matrices,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        momentum=config.beta1,
    )


def _decay_groups(parameters: Sequence[Tensor], config: TrainConfig) -> list[dict[str, object]]:
    return [
        {
            "params": [p for p in parameters if p.dim() > 1],
            "weight_decay": config.weight_decay,
        },
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


MOST_TOKENS_A_STEP = 2**22
"""More would fill the memory of any machine that this library is meant for."""


def _check_step_size(batch_size: int, context: int) -> None:
    if batch_size * context > MOST_TOKENS_A_STEP:
        raise ConfigError(
            f"batch_size={batch_size} times context={context} are {batch_size * context:,} tokens "
            f"a step; at most {MOST_TOKENS_A_STEP:,} are allowed: lower one of them."
        )


def _dropout_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
