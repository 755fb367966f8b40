"""Whether several seeds of one setup train faster as one batched step than one after another.

    python benchmarks/batched_seeds.py [--seeds 5] [--rounds 20]

All parameters are stacked and the model is mapped over them (`torch.func.functional_call` under
`torch.vmap`), each seed with its own texts, clipping and AdamW as in `Trainer`; the first losses of
both ways must agree. Both take turns on one thread, and the quickest step of each counts, in
processor time, so that a busy machine matters little.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812

from tiny_llama.checkpoint import find_corpus
from tiny_llama.config import ModelConfig
from tiny_llama.data import TokenizedCorpus, tokenize
from tiny_llama.model import TinyLlama
from tiny_llama.optimizers import AdamW
from tiny_llama.parts import linear
from tiny_llama.parts.norms.rms import Normalize
from tiny_llama.parts.positions.rope import Turn
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer

SIZES = {
    "16 wide, 2 layers, context 32": ModelConfig(d_model=16, n_layers=2, n_heads=2, context=32),
    "16 wide, 2 layers": ModelConfig(d_model=16, n_layers=2, n_heads=2),
    "32 wide, 2 layers": ModelConfig(d_model=32, n_layers=2, n_heads=2),
    "64 wide, 4 layers": ModelConfig(),
    "128 wide, 8 layers": ModelConfig(d_model=128, n_layers=8, n_heads=8),
}
QUIET = TrainConfig(steps=100_000, evaluate_every=0, sample_every=0, n_snapshots=0)


class Batched:
    """Several seeds of one model that do each step together."""

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers, self.model = trainers, trainers[0].model
        named = [dict(each.model.named_parameters()) for each in trainers]
        self.weights = {
            path: torch.stack([each[path].detach() for each in named]).requires_grad_()
            for path in named[0]
        }
        matrices = [p for p in self.weights.values() if p.dim() > 2]
        vectors = [p for p in self.weights.values() if p.dim() <= 2]
        self.optimizer = AdamW(
            [
                {"params": matrices, "weight_decay": QUIET.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=QUIET.learning_rate,
            betas=(QUIET.beta1, QUIET.beta2),
        )
        self.step = 0

    def __call__(self) -> list[float]:
        """Do a step of all; give their losses."""
        self.step += 1
        batches = [
            each.corpus.batch(
                batch_size=QUIET.batch_size,
                context=self.model.config.context,
                seed=each.config.seed,
                step=self.step,
            )
            for each in self.trainers
        ]
        inputs = torch.stack([each.inputs for each in batches])
        targets = torch.stack([each.targets for each in batches])
        losses = torch.vmap(self._loss)(self.weights, inputs, targets)
        losses.sum().backward()
        self._clip()
        for group in self.optimizer.param_groups:
            group["lr"] = QUIET.learning_rate_at(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return [float(loss) for loss in losses.detach()]

    def _loss(self, weights: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.model, weights, (inputs,))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def _clip(self) -> None:
        """Shorten each seed's gradient, over all parameters, to the usual length."""
        grads = [p.grad for p in self.weights.values() if p.grad is not None]
        squares = torch.stack([each.flatten(1).square().sum(1) for each in grads]).sum(0)
        shares = (QUIET.gradient_clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for each in grads:
            each.mul_(shares.view(-1, *[1] * (each.dim() - 1)))


def main() -> None:
    """Measure each size and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="There is a performance drop")
    corpus = tokenize(find_corpus("tales"), "characters")
    for name, size in SIZES.items():
        apart, together = measure(size, corpus, chosen.seeds, chosen.rounds)
        print(
            f"{name}: {chosen.seeds} seeds apart {1000 * apart:.1f} ms a step of each, batched "
            f"{1000 * together:.1f} ms, {apart / together:.2f} times as fast"
        )


def measure(
    size: ModelConfig, corpus: TokenizedCorpus, n_seeds: int, n_rounds: int
) -> tuple[float, float]:
    """Time both ways by turns; give the quickest of each, in seconds for a step of all seeds."""
    config = replace(size, vocab_size=corpus.tokenizer.vocab_size)
    trainers = [
        Trainer(TinyLlama(config, seed=seed), corpus, replace(QUIET, seed=seed))
        for seed in range(n_seeds)
    ]
    for trainer in trainers:
        trainer.skip_untrained()
        trainer.model.train()
    batched = Batched(trainers)

    def apart() -> list[float]:
        return [float(next(trainer).loss or 0.0) for trainer in trainers]

    def together() -> list[float]:
        with _mappable():
            return batched()

    first = torch.tensor(apart()), torch.tensor(together())
    torch.testing.assert_close(*first, rtol=1e-4, atol=1e-5)
    ways = apart, together
    seconds = [[_timed(way) for way in ways] for _ in range(n_rounds)]
    best = [min(each) for each in zip(*seconds, strict=True)]
    return best[0], best[1]


@contextmanager
def _mappable() -> Iterator[None]:
    """Put plain PyTorch in the place of our own gradients, which have no rule for a batch."""
    with (
        patch.object(linear, "_suits_onednn", lambda *_: False),
        patch.object(Normalize, "apply", lambda x, w, eps: F.rms_norm(x, w.shape, w, eps)),
        patch.object(Turn, "apply", _turn_plainly),
    ):
        yield


def _turn_plainly(q: Tensor, k: Tensor, half: int, *tables: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate as `Turn` does."""

    def turn(x: Tensor) -> Tensor:
        rows = x.flatten(2)
        cos, first, second = (table[:, : rows.shape[-1]] for table in tables)
        up, down = rows.roll(-half, -1), rows.roll(half, -1)
        return (rows * cos - up * first + down * second).view_as(x)

    return turn(q), turn(k)


def _timed(way: Callable[[], object]) -> float:
    began = time.process_time()
    way()
    return time.process_time() - began


if __name__ == "__main__":
    main()
