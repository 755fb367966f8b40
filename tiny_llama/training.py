"""Training: a generator of small reports, so that whoever drives it may pause, step or stop it."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, isfinite, isnan, log, nan
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import clip_grad_norm_

from tiny_llama.config import ModelConfig
from tiny_llama.cost import Shape, forward_flops, is_muon_matrix, parameter_shapes
from tiny_llama.data import IGNORED, Batch, TokenizedCorpus
from tiny_llama.errors import CheckpointError, ConfigError, TrainingError
from tiny_llama.generation import generate
from tiny_llama.model import TinyLlama
from tiny_llama.muon import Muon
from tiny_llama.optimizers import SGD, AdamW, Optimizer
from tiny_llama.peak import reading_bytes
from tiny_llama.sample_config import SampleConfig
from tiny_llama.train_config import TrainConfig

T = TypeVar("T")


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
        corpus.check_context(model.config.context)
        self.optimizers = make_optimizers(model, config)
        self.next_step = 0
        """The step whose weights come next."""
        self._unreported: _Update | None = None
        self._pieces: Generator[None, None, StepReport] | None = None

    @cached_property
    def trained_on(self) -> TokenizedCorpus:
        """The corpus, with errors in its training part where the config wants some."""
        config, context = self.config, self.model.config.context
        return self.corpus.noisy(config.text_noise, seed=config.seed_of_data, context=context)

    @property
    def is_done(self) -> bool:
        """Whether all steps are done and reported."""
        return self.next_step > self.config.steps and self._unreported is None

    @property
    def first_unreported(self) -> int:
        """The step whose report comes next."""
        return self.next_step - (self._unreported is not None)

    def __next__(self) -> StepReport:
        """Do the next step and whatever is due after it.

        Raises:
            StopIteration: when all steps are done.
        """
        if self.is_done:
            raise StopIteration
        while (report := self.advance()) is None:
            pass
        return report

    def advance(self) -> StepReport | None:
        """Do the next piece of work, so that others can have a turn in between.

        A step's own training is one piece. Where a look or a sample is due after it, each few
        held-out texts and each token are one more.

        Returns:
            The report, once a step and all that is due after it are done; None before that, or
            when all steps are.
        """
        if self.is_done:
            return None
        pieces, self._pieces = self._pieces or self._step(), None
        try:
            next(pieces)
        except StopIteration as end:
            report: StepReport = end.value
            return report
        self._pieces = pieces
        return None

    def skip_untrained(self) -> None:
        """Begin with the first step, where somebody else looks at the untrained model."""
        self.next_step = max(1, self.next_step)

    def evaluate(self) -> HeldOut:
        """Look at the held-out texts."""
        return _all_of(self._evaluate())

    def sample(self) -> str:
        """Let the model write, from the corpus's usual beginning."""
        return _all_of(self._write())

    def snapshot(self) -> dict[str, Tensor]:
        """Copy the weights, by path."""
        return {path: p.detach().clone() for path, p in self.model.named_parameters()}

    def state(self) -> dict[str, Tensor]:
        """Give what a run needs besides its weights to go on.

        That is the optimizers' memory and, between a step and its report, what the step found.
        """
        found = {} if self._unreported is None else {UNREPORTED: self._unreported.as_tensor()}
        return found | self.memory()

    def memory(self) -> dict[str, Tensor]:
        """Give what the optimizers keep, by number of the optimizer, path and name."""
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
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        if shapes.pop(UNREPORTED, (3,)) != (3,) or shapes != wanted:
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
        if UNREPORTED in state:
            self._unreported = _Update.from_tensor(state[UNREPORTED])

    def _step(self) -> Generator[None, None, StepReport]:
        """Do a step, unless that is done and only its report is owed, and what is due after it."""
        if self._unreported is None:
            self._unreported = self._train(self.next_step)
            self.next_step += 1
        step, config, done = self.next_step - 1, self.config, self._unreported
        held_out = (yield from self._evaluate()) if config.evaluates_at(step) else None
        if held_out:
            self._check_finite(step, "held-out loss", held_out.loss)
        sample = (yield from self._write()) if config.samples_at(step) else None
        self._unreported = None
        return StepReport(
            step=step,
            n_tokens=step * config.batch_size * self.model.config.context,
            loss=done.loss,
            learning_rate=config.learning_rate_at(step) if step else 0.0,
            gradient_norm=done.gradient_norm,
            seconds=done.seconds,
            held_out=held_out,
            sample=sample,
            snapshot=self.snapshot() if config.snapshots_at(step) else None,
        )

    def _evaluate(self) -> Generator[None, None, HeldOut]:
        """Look at the held-out texts, a piece after each few of them."""
        self.model.eval()
        config = self.model.config
        texts = self.corpus.held_out_pieces(
            n_texts=self.config.evaluate_texts,
            context=config.context,
            n_rows=texts_at_once(config),
        )
        return evaluation(self.model, texts, self.corpus)

    def _write(self) -> Generator[None, None, str]:
        """Let the model write, a piece a token."""
        self.model.eval()
        tokenizer, said = self.corpus.tokenizer, []
        prompt = tokenizer.encode(self.corpus.prompt)
        settings = SampleConfig(n_tokens=self.config.sample_tokens, seed=self.config.seed)
        for next_token in generate(self.model, prompt, settings):
            said.append(next_token.token)
            yield
        return tokenizer.decode([*prompt, *said])

    def _train(self, step: int) -> "_Update":
        """Do one step of training, and time it; step 0 is none."""
        if not step:
            return _Update(loss=None, gradient_norm=None, seconds=0.0)
        began = time.perf_counter()
        loss, gradient_norm = self._update(step)
        seconds = time.perf_counter() - began
        return _Update(loss=loss, gradient_norm=gradient_norm, seconds=seconds)

    def _update(self, step: int) -> tuple[float, float]:
        """Do one step of training; return the loss and the length of the gradient."""
        config, context = self.config, self.model.config.context
        batch = self.trained_on.batch(
            batch_size=config.batch_size, context=context, seed=config.seed_of_data, step=step
        )
        if self.model.config.dropout:
            torch.manual_seed(_dropout_seed(config.seed, step))
        if not self.model.training:  # to say so anew takes a hundredth of a step
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
            optimizer.zero_grad()  # between steps, a waiting run holds none
        return found

    def _check_finite(self, step: int, name: str, value: float) -> None:
        if not isfinite(value):
            raise TrainingError(
                f"Training ended at step {step}: the {name} became {value}; usually the learning "
                f"rate (here {self.config.learning_rate_at(step):g}) is too high, or norm or "
                f"gradient clipping is missing, so start again with a lower rate or longer warm-up."
            )

    def _named(self, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
        names = {id(parameter): path for path, parameter in self.model.named_parameters()}
        for group in optimizer.param_groups:
            yield from ((names[id(parameter)], parameter) for parameter in group["params"])


UNREPORTED = "unreported"
"""Under this name `Trainer.state` keeps what a step found whose looks are still owed."""


@dataclass(frozen=True, kw_only=True)
class _Update:
    """What a step of training found, until it is reported."""

    loss: float | None
    gradient_norm: float | None
    seconds: float

    def as_tensor(self) -> Tensor:
        """Give the three of them, NaN for what there is not."""
        found = (self.loss, self.gradient_norm, self.seconds)
        return torch.tensor([nan if each is None else each for each in found], dtype=torch.float64)

    @classmethod
    def from_tensor(cls, found: Tensor) -> "_Update":
        """Read what `as_tensor` gave."""
        loss, gradient_norm, seconds = (None if isnan(each) else each for each in found.tolist())
        return cls(loss=loss, gradient_norm=gradient_norm, seconds=seconds or 0.0)


def evaluate(model: TinyLlama, texts: Batch, corpus: TokenizedCorpus) -> HeldOut:
    """Judge a model by texts that it was not trained on.

    Args:
        model: set to evaluation mode for the while.
        texts: what to read and what should come next, any number of rows.
        corpus: where the texts are from; its tokenizer knows how many bytes each token stands for.
    """
    was_training, n_rows = model.training, texts_at_once(model.config)
    pieces = zip(texts.inputs.split(n_rows), texts.targets.split(n_rows), strict=True)
    rows = (Batch(inputs=inputs, targets=targets) for inputs, targets in pieces)
    found = _all_of(evaluation(model.eval(), rows, corpus))
    model.train(was_training)
    return found


@torch.no_grad()
def evaluation(
    model: TinyLlama, texts: Iterable[Batch], corpus: TokenizedCorpus
) -> Generator[None, None, HeldOut]:
    """Judge a model, which must be in evaluation mode, by texts that come a few at a time.

    Yields:
        None after each few, and returns what all of them say.
    """
    lengths = torch.from_numpy(corpus.tokenizer.byte_lengths())
    loss, n_right, n_said, n_bytes = 0.0, 0, 0, 0
    for batch in texts:
        said = batch.targets[batch.targets != IGNORED]
        a_loss, right = _judged(model, batch)
        loss, n_right = loss + a_loss, n_right + right
        n_said, n_bytes = n_said + len(said), n_bytes + int(lengths[said].sum())
        yield
    return HeldOut(
        loss=loss / n_said,
        bits_per_byte=loss / log(2) / max(1, n_bytes),
        accuracy=n_right / n_said if corpus.counts_answers else None,
    )


def texts_at_once(config: ModelConfig) -> int:
    """Say how many texts of its context a model had better read at a time, without a gradient.

    As many as take a blink of one core and some megabytes: what is kept grows with all of them.
    """
    flops = sum(forward_flops(config, config.context).values())
    n_bytes = reading_bytes(config, config.context)
    return max(1, min(MOST_TEXTS, PIECE_FLOPS // flops, PIECE_BYTES // n_bytes))


MOST_TEXTS, PIECE_FLOPS, PIECE_BYTES = 32, 1_000_000_000, 32_000_000
LOGITS_AT_ONCE = 1_000_000
"""Numbers, of which two copies are made: a large vocabulary is looked at some places at a time."""


def _judged(model: TinyLlama, batch: Batch) -> tuple[float, int]:
    """Sum the loss of the tokens that count, and count those that the model finds likeliest."""
    loss, n_right = 0.0, 0
    places = model.read(batch.inputs).flatten(0, 1)
    n_places = max(1, LOGITS_AT_ONCE // model.config.vocab_size)
    pieces = zip(places.split(n_places), batch.targets.flatten().split(n_places), strict=True)
    for each, targets in pieces:
        logits = model.unembed(each[None])[0]
        loss += float(F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
        n_right += int((logits.argmax(-1) == targets).sum())
    return loss, n_right


def _all_of(pieces: Generator[None, None, T]) -> T:
    """Do all pieces of some work and return what comes of it."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            found: T = end.value
            return found


def make_optimizers(model: TinyLlama, config: TrainConfig) -> list[Optimizer]:
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
    """Give the shape of each tensor of `Trainer.state` once a step is done, by its name there."""
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
    """Say which optimizer moves a parameter: with Muon, AdamW what is no matrix in the blocks."""
    is_left = config.optimizer == "muon" and not is_muon_matrix(path, shape)
    return "adamw" if is_left else config.optimizer


def _kept_of(shape: Shape, kind: str, config: TrainConfig) -> dict[str, Shape]:
    """Say what an optimizer keeps of one parameter between steps."""
    if kind == "adamw":
        return {"step": (), "exp_avg": shape, "exp_avg_sq": shape}
    forgets = kind == "sgd" and config.beta1 == 0
    return {} if forgets else {"momentum_buffer": shape}


def _adamw(parameters: Sequence[Tensor], config: TrainConfig) -> Optimizer:
    betas = (config.beta1, config.beta2)
    groups = _decay_groups(parameters, config)
    return AdamW(groups, lr=config.learning_rate, betas=betas)


def _sgd(parameters: Sequence[Tensor], config: TrainConfig) -> Optimizer:
    groups = _decay_groups(parameters, config)
    return SGD(groups, lr=config.learning_rate, momentum=config.beta1)


def _muon(matrices: Sequence[Tensor], config: TrainConfig) -> Optimizer:
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
