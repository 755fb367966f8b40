"""The hidden units of a feed-forward network: which of them open on which tokens."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tiny_llama.analyses import Found
from tiny_llama.analyses.places import THRESHOLDS
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError
from tiny_llama.tap import record

MOST_UNITS = 24
"""Rows of the map: those that do most on the text."""
N_BINS = 36


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """The hidden layer of one feed-forward network, all `t f`."""

    before: Tensor
    """What the activation reads."""
    gate: Tensor
    """What it gives, by which `up` is multiplied; without a gate, the hidden layer itself."""
    up: Tensor
    """The other projection; without a gate, the one that the activation reads."""
    hidden: Tensor

    def named(self, what: str) -> Tensor:
        """Give one of them by its name."""
        found: Tensor = getattr(self, what)
        return found


@torch.no_grad()
def read_hidden(subject: Subject, ids: Tensor) -> list[Hidden]:
    """Let a model read ids, `t`, and keep the hidden layer of each layer's feed-forward.

    Raises:
        ConfigError: if it has none, or several a layer.
    """
    config = subject.model.config
    if not (config.has_feed_forward and config.n_layers):
        raise ConfigError(
            f"This model has no feed-forward network to look at (feed_forward="
            f"'{config.feed_forward}', n_layers={config.n_layers}); choose another model."
        )
    if config.has_experts:
        raise ConfigError(
            f"The hidden units of this model lie in {config.n_experts} experts, each of which "
            f"reads some tokens only (feed_forward='{config.feed_forward}'); choose a model with "
            f"one network a layer."
        )
    names = ("to_gate", "gate", "up", "hidden") if config.has_gate else ("up", "hidden")
    with record(subject.model, *(f"blocks.*.feed_forward.{name}" for name in names)) as seen:
        subject.model(ids[None])
    layers = []
    for layer in range(config.n_layers):
        found = {name: seen[f"blocks.{layer}.feed_forward.{name}"][0] for name in names}
        before = found["to_gate"] if config.has_gate else found["up"]
        gate = found["gate"] if config.has_gate else found["hidden"]
        layers.append(Hidden(before=before, gate=gate, up=found["up"], hidden=found["hidden"]))
    return layers


def units(
    subject: Subject, *, text: str, layer: int, what: str, unit: int | None, token: int
) -> Found:
    """Look at one layer's units: the busiest of them, one unit, and one token.

    Args:
        subject: the model.
        text: what it reads.
        layer: counted from 0.
        what: of the map: "before", "gate", "up" or "hidden".
        unit: counted from 0; None, or one that there is not: the busiest.
        token: counted from 0; one that the text does not have counts as its last.

    Returns:
        `tokens`; `shown`, the units of the largest mean |hidden|, largest first, `n`; `map`, `n t`;
        `unit` as used, and `unit_values`, its before, gate, up and hidden at every token, `4 t`;
        `token_values`, the same of every unit at the chosen token, `4 f`.

    Raises:
        TextError: if the text has no token.
        ConfigError: if there is no feed-forward, or no such layer.
    """
    ids = subject.read(text)
    found = _layer(read_hidden(subject, ids), layer)
    order = found.hidden.abs().mean(0).argsort(descending=True, stable=True)
    if unit is None or not 0 <= unit < len(order):
        unit = int(order[0])
    every = torch.stack([found.before, found.gate, found.up, found.hidden])
    return {
        "tokens": subject.labels(ids),
        "shown": order[:MOST_UNITS].numpy(),
        "map": found.named(what)[:, order[:MOST_UNITS]].mT.numpy().copy(),
        "unit": unit,
        "unit_values": every[:, :, unit].numpy().copy(),
        "token_values": every[:, min(token, len(ids) - 1)].numpy().copy(),
    }


def openings(subject: Subject, *, text: str, layer: int) -> Found:
    """Count how far the units of all layers open, and lay gate against up in one.

    Returns:
        `near_zero`, for each of `THRESHOLDS` the share of hidden values whose size is below it
        times the layer's root mean square, `l n`; `negative`, the share of values before the
        activation that are below 0, `l`; `exact`, the share of hidden values that are exactly 0,
        `l`; of the chosen layer: `counts`, values by gate (or what the activation reads, without a
        gate) and up (or hidden), `n_up n_gate`, between `gate_edges` and `up_edges`, which leave
        out the furthest 1% on either axis; `correlation` of the two, `1`.

    Raises:
        TextError: if the text has no token.
        ConfigError: if there is no feed-forward, or no such layer.
    """
    layers = read_hidden(subject, subject.read(text))
    chosen = _layer(layers, layer)
    has_gate = subject.model.config.has_gate
    across, upward = (
        z.flatten().double().numpy()
        for z in ((chosen.gate, chosen.up) if has_gate else (chosen.before, chosen.hidden))
    )
    edges = [_edges(across), _edges(upward)]
    counts, *_ = np.histogram2d(upward, across, bins=[edges[1], edges[0]])
    return {
        "near_zero": np.stack([_near_zero(each.hidden) for each in layers]),
        "negative": np.array([float((each.before < 0).double().mean()) for each in layers]),
        "exact": np.array([float((each.hidden == 0).double().mean()) for each in layers]),
        "counts": counts.astype(np.int32),
        "gate_edges": edges[0],
        "up_edges": edges[1],
        "n_values": across.size,
        "correlation": np.array([_correlation(across, upward)]),
    }


def _layer(layers: list[Hidden], layer: int) -> Hidden:
    if not 0 <= layer < len(layers):
        raise ConfigError(
            f"layer={layer} does not exist: this model has {len(layers)} layers, counted from 0; "
            f"choose one of them."
        )
    return layers[layer]


def _near_zero(hidden: Tensor) -> np.ndarray:
    sizes = np.sort(hidden.abs().flatten().double().numpy())
    rms = np.sqrt(np.square(sizes).mean())
    n_below: np.ndarray = np.searchsorted(sizes, THRESHOLDS * rms, side="left")
    return n_below / sizes.size


def _edges(values: np.ndarray) -> np.ndarray:
    """Say where bins begin and end: the middle 99% of the values."""
    if not np.isfinite(values).all():
        raise ConfigError(
            "This model's hidden layer has values that are no finite numbers; its training went "
            "wrong: choose an earlier step or another model."
        )
    low, high = np.quantile(values, [0.005, 0.995])
    return np.linspace(low, high if high > low else low + 1, N_BINS + 1)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
