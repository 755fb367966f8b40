"""How long until a model is as good as nanoGPT is after its own recipe for a CPU, on one core.

    python benchmarks/time_to_loss.py [--text FILE | --corpus NAME] [--steps 300,350,400,450,500]

nanoGPT trains by its published CPU recipe: 4 layers, 4 heads, 128 wide, 64 characters, 12 texts a
step, 2,000 steps. Ours trains at that size as it does by `--preset medium-llama`, which is as wide,
and so by Muon, once for each number of steps that is asked for, since the schedule ends with the
last one. A round is one step of everybody, so a disturbance meets all alike; times are the
processor's, which on one thread are a clock's on an idle core.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import cos, pi
from pathlib import Path
from typing import Protocol

import torch
from nano_gpt import GPT
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.corpora import CORPORA
from tiny_llama.corpora.own_text import read_text_file
from tiny_llama.data import Batch, TokenizedCorpus, tokenize
from tiny_llama.model import TinyLlama
from tiny_llama.setup import setup_of_preset
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer

BEGUN = setup_of_preset("medium-llama")
SIZE = replace(BEGUN.model, n_layers=4, n_heads=4, context=64)
BATCH_SIZE = 12
NANO_STEPS = 2000
HELD_OUT_TEXTS = 600


class Learner(Protocol):
    """Somebody who learns step by step."""

    name: str
    steps: int

    def step(self) -> None:
        """Do the next one."""

    def logits(self, inputs: Tensor) -> Tensor:
        """Score what comes next."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a learner reached, and in how much of nanoGPT's time."""

    name: str
    steps: int
    held_out_loss: float
    seconds: float
    share_of_nano: float


def main() -> None:
    """Let everybody learn, and print a row each."""
    chosen = arguments()
    torch.set_num_threads(1)
    text = read_text_file(chosen.text) if chosen.text else CORPORA[chosen.corpus]
    corpus = tokenize(text)
    held_out = corpus.held_out(n_texts=HELD_OUT_TEXTS, context=SIZE.context)
    learners = list(everybody(corpus, [int(n) for n in chosen.steps.split(",")], chosen.seed))
    seconds = learn(learners)
    outcomes = [
        Outcome(
            name=learner.name,
            steps=learner.steps,
            held_out_loss=held_out_loss(learner, held_out),
            seconds=spent,
            share_of_nano=spent / seconds[0],
        )
        for learner, spent in zip(learners, seconds, strict=True)
    ]
    print(table(outcomes))
    if chosen.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))


def arguments() -> argparse.Namespace:
    """Read what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, help="a text file in place of a built-in corpus")
    parser.add_argument("--corpus", default="tiny-shakespeare", help="needs the internet once")
    parser.add_argument("--steps", default="300,350,400,450,500", help="of ours, with commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print everything as JSON, too")
    return parser.parse_args()


def everybody(corpus: TokenizedCorpus, steps: Sequence[int], seed: int) -> Iterator[Learner]:
    """Yield nanoGPT, and ours by its defaults and by Muon, for each number of steps."""
    yield NanoGPT(corpus, seed)
    for optimizer in dict.fromkeys((BEGUN.training.optimizer, "muon")):
        for n_steps in steps:
            config = replace(BEGUN.training, steps=n_steps, optimizer=optimizer, seed=seed)
            yield Ours(f"ours, {optimizer}", corpus, config)


class NanoGPT:
    """Karpathy's model by his README's line for a CPU: rate, decay and clipping as there."""

    name, steps = "nanoGPT", NANO_STEPS

    def __init__(self, corpus: TokenizedCorpus, seed: int) -> None:
        torch.manual_seed(seed)
        self._model = GPT(
            vocab_size=corpus.tokenizer.vocab_size,
            block_size=SIZE.context,
            n_layer=SIZE.n_layers,
            n_head=SIZE.n_heads,
            n_embd=SIZE.d_model,
        )
        for path, parameter in self._model.named_parameters():
            if path.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=0.02 / (2 * SIZE.n_layers) ** 0.5)
        self._parameters = list(self._model.parameters())
        matrices = [p for p in self._parameters if p.dim() > 1]
        vectors = [p for p in self._parameters if p.dim() == 1]
        self._optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
            betas=(0.9, 0.99),
            fused=True,
        )
        self._corpus, self._seed, self._done = corpus, seed, 0

    def step(self) -> None:  # noqa: D102 - as Learner has it
        batch = self._corpus.batch(
            batch_size=BATCH_SIZE, context=SIZE.context, seed=self._seed, step=self._done + 1
        )
        loss = F.cross_entropy(self._model(batch.inputs).flatten(0, 1), batch.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._done += 1

    def logits(self, inputs: Tensor) -> Tensor:  # noqa: D102
        scores: Tensor = self._model.eval()(inputs)
        return scores

    def _learning_rate(self, top: float = 1e-3, low: float = 1e-4, warmup: int = 100) -> float:
        if self._done < warmup:
            return top * (self._done + 1) / (warmup + 1)
        progress = (self._done - warmup) / (NANO_STEPS - warmup)
        return low + (top - low) * (1 + cos(pi * progress)) / 2


class Ours:
    """This library's model of that size, everything else by its defaults but what is named."""

    def __init__(self, name: str, corpus: TokenizedCorpus, config: TrainConfig) -> None:
        self.name, self.steps = name, config.steps
        model = TinyLlama(replace(SIZE, vocab_size=corpus.tokenizer.vocab_size), seed=config.seed)
        config = replace(config, batch_size=BATCH_SIZE, evaluate_every=0, sample_every=0)
        self._trainer = Trainer(model, corpus, replace(config, evaluate_texts=1, sample_tokens=1))
        next(self._trainer)  # step 0: a look at the untrained model

    def step(self) -> None:  # noqa: D102
        next(self._trainer)

    def logits(self, inputs: Tensor) -> Tensor:  # noqa: D102
        scores: Tensor = self._trainer.model.eval()(inputs)
        return scores


def learn(learners: Sequence[Learner]) -> list[float]:
    """Let everybody take all steps, spread over the same time; return each one's seconds."""
    seconds = [0.0] * len(learners)
    for done in range(NANO_STEPS):
        for number, learner in enumerate(learners):
            due = (done + 1) * learner.steps // NANO_STEPS - done * learner.steps // NANO_STEPS
            for _ in range(due):
                seconds[number] += timed(learner.step)
    return seconds


def timed(step: Callable[[], None]) -> float:
    """Measure the processor time of a step on this thread."""
    began = time.thread_time()
    step()
    return time.thread_time() - began


@torch.no_grad()
def held_out_loss(learner: Learner, texts: Batch) -> float:
    """Compute it in nats a character."""
    total = sum(
        float(
            F.cross_entropy(
                learner.logits(inputs).flatten(0, 1), targets.flatten(), reduction="sum"
            )
        )
        for inputs, targets in zip(texts.inputs.split(50), texts.targets.split(50), strict=True)
    )
    return total / texts.targets.numel()


def table(outcomes: Sequence[Outcome]) -> str:
    """Write the outcomes as Markdown."""
    lines = [
        f"{os.cpu_count()} cores; PyTorch {torch.__version__} with "
        f"{torch.backends.cpu.get_cpu_capability()}",
        "",
        "| | steps | held-out loss | ms a step | share of nanoGPT's time |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for each in outcomes:
        milliseconds = each.seconds / each.steps * 1e3
        lines.append(
            f"| {each.name} | {each.steps:,} | {each.held_out_loss:.3f} | {milliseconds:.1f} | "
            f"{each.share_of_nano:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
