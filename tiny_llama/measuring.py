"""What a run really takes, measured on the model that trains: the other half of `cost`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tiny_llama.data import IGNORED, Batch
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record
from tiny_llama.training import Trainer


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Counted on tensors that exist; memory in bytes, operations of one training step."""

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    """What the optimizers keep between steps; 0 before the first."""
    activations: int
    """What the forward pass of a step keeps for the backward pass."""
    step_flops: int
    """Floating-point operations of the matrix products of a step, as PyTorch counts them."""


def measure(trainer: Trainer) -> Measured:
    """Measure a run between two of its steps; nothing about it changes.

    It runs a step's forward pass once more, and both passes of two short texts with attention taken
    step by step, since PyTorch counts no operations inside its fused kernels. What a whole text
    takes follows from the two: every product grows with the tokens or with their square.
    """
    model, config = trainer.model.train(), trainer.config
    batch = trainer.corpus.batch(
        batch_size=config.batch_size,
        context=model.config.context,
        seed=config.seed_of_data,
        step=0,
    )
    activations = _kept_bytes(model, batch)
    step_flops = config.batch_size * _text_flops(model, batch.inputs[0])
    parameters = list(model.parameters())
    return Measured(
        parameters=sum(parameter.numel() for parameter in parameters),
        weights=_bytes(parameters),
        gradients=_bytes(parameters),  # each has one of its size while a step is done
        optimizer=_bytes(trainer.memory().values()),
        activations=activations,
        step_flops=step_flops,
    )


def _kept_bytes(model: TinyLlama, batch: Batch) -> int:
    """Count the bytes that autograd holds on to, each storage once, beyond what all steps share."""
    text = Batch(inputs=batch.inputs[:1], targets=batch.targets[:1])
    first, second = _kept_by_a_pass(model, text), _kept_by_a_pass(model, batch)
    shared = {tensor.untyped_storage().data_ptr() for tensor in first}  # weights, masks, tables
    storages = (tensor.untyped_storage() for tensor in second)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(n_bytes for place, n_bytes in sizes.items() if place not in shared)


def _kept_by_a_pass(model: TinyLlama, batch: Batch) -> list[Tensor]:
    """List the tensors that a forward pass on a copy of the batch keeps; alive, none can move."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.detach())  # with its history it would keep itself alive for ever
        return kept[-1]

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _loss(model, batch.inputs.clone(), batch.targets.clone())
    return kept


def _text_flops(model: TinyLlama, text: Tensor) -> int:
    """Count the operations of both passes on a text, from those on its start and on twice that."""
    short, whole = min(SHORT, len(text) // 2), len(text)
    if short < 1:
        return _counted_flops(model, text)
    one, two = _counted_flops(model, text[:short]), _counted_flops(model, text[: 2 * short])
    by_square = Fraction(two - 2 * one, 2 * short**2)
    by_token = Fraction(one, short) - by_square * short
    return int(by_token * whole + by_square * whole**2)


SHORT = 8
"""Tokens."""


def _counted_flops(model: TinyLlama, text: Tensor) -> int:
    """Count the operations of both passes on a text, as they are done."""
    has_attention = model.config.has_attention and model.config.n_layers
    watched = "blocks.*.attention.scores" if has_attention else "logits"
    weights = list(model.parameters())
    counter = _FlopCounter()  # type: ignore[no-untyped-call]
    with _without_onednn(), record(model, watched), counter:
        loss = _loss(model, text[None], text[None])
        torch.autograd.grad(loss, weights, allow_unused=True)  # an expert may read none of it
    return counter.n_flops


class _FlopCounter(TorchDispatchMode):
    """Counts by PyTorch's own table, as its `FlopCounterMode`, which loads its compiler."""

    n_flops: int = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # which is what loads it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.n_flops += formula(*args, **(kwargs or {}), out_val=found)
        return found


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Let every matrix product go through PyTorch's own operators, which alone are counted."""
    onednn: Any = torch.backends.mkldnn
    before, onednn.enabled = onednn.enabled, False
    try:
        yield
    finally:
        onednn.enabled = before


def _loss(model: TinyLlama, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = model(inputs).flatten(0, 1)
    return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
