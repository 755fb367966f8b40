"""The engine that trains in a browser gives PyTorch's numbers, for all that it has of the menu."""

import gzip
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from engine_in_wasmtime import FOLDER, PLAIN, Engine
from numpy.linalg import norm
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import clip_grad_norm_

from explorer.components.browser_trainer.build import BUILDS, build
from explorer.components.browser_trainer.shape import not_covered, shape
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import CHOICES, FEED_FORWARD, MENU, OPTIMIZER
from tiny_llama.model import TinyLlama
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import make_optimizers

RELAXED = "engine.relaxed.wasm"
BASE = ModelConfig(vocab_size=37, context=24, n_layers=2, d_model=16, window=5)
N_TEXTS, STEPS = 3, 5
TRAINING = TrainConfig(steps=20, warmup_steps=2)
Texts = tuple[np.ndarray, np.ndarray]
SLOTS = {**MENU, **CHOICES}
OPTIONS = [
    {slot: option}
    for slot, options in SLOTS.items()
    for option in options
    if option != "moe_swiglu"
]
SETTINGS = [
    {},
    {"n_kv_heads": 2},
    {"n_kv_heads": 1},
    {"attention_softcap": 2.0, "logit_softcap": 3.0},
    {"tied_unembedding": True},
    {"unembedding_bias": True},
    {"embedding_scale": True},
    {"embedding_norm": True},
    {"rope_fraction": 0.5},
    {"nope_every": 2},
    {"attention": "local_global", "rope_theta": 1e6, "rope_theta_local": 1e4},
    {"block": "parallel_two_norms", "norm_placement": "post"},
    {"n_layers": 0},
    {"n_layers": 7, "attention": "five_local"},
    {"vocab_size": 3, "context": 4, "n_layers": 1, "d_model": 4, "n_heads": 2, "d_hidden": 3},
    {"d_model": 15, "n_heads": 5, "d_head": 6, "d_hidden": 13, "context": 19},
    {"context": 50, "attention": "sliding", "window": 20, "position": "alibi", "n_heads": 8},
    {"d_model": 6, "n_heads": 3, "position": "sinusoidal", "context": 17, "vocab_size": 101},
    {"context": 300, "n_layers": 1, "attention": "sliding", "window": 270, "d_model": 8},
]


def at_random(seed: int) -> dict[str, object]:
    """Draw one option for each slot, and sizes, such that a model can be built of them."""
    random = Random(seed)
    while True:
        drawn: dict[str, object] = {slot: random.choice(list(of)) for slot, of in SLOTS.items()}
        drawn |= {
            "n_heads": random.choice([2, 4, 6]),
            "n_kv_heads": random.choice([1, 2]),
            "d_model": 12,
            "d_head": random.choice([2, 4, 8]),
            "context": random.choice([9, 16, 33]),
            "tied_unembedding": random.random() < 0.5,
            "embedding_norm": random.random() < 0.3,
        }
        try:
            replace(BASE, **drawn)
        except ConfigError:
            continue
        if drawn["feed_forward"] != "moe_swiglu":
            return drawn


def model_of(config: ModelConfig) -> TinyLlama:
    """Build a model in which vectors, too, are no longer as they start."""
    model, draw = TinyLlama(config, seed=1), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for vector in (each for each in model.parameters() if each.dim() == 1):
            vector.add_(torch.randn(vector.shape, generator=draw), alpha=0.1)
    return model


def weights(model: TinyLlama) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


def engine_of(model: TinyLlama, build: str = PLAIN, n_texts: int = N_TEXTS) -> Engine:
    engine = Engine(shape(model.config, n_texts=n_texts), FOLDER / build)
    engine.parameters[:] = weights(model)
    return engine


def texts(config: ModelConfig, random: np.random.Generator) -> Texts:
    """Draw what to read and what should follow; some of it does not count."""
    size = (N_TEXTS, config.context)
    inputs, targets = (random.integers(0, config.vocab_size, size) for _ in range(2))
    targets[0, : config.context // 2] = -100
    return inputs, targets


def loss_of(
    model: TinyLlama, inputs: np.ndarray, targets: np.ndarray, smoothing: float = 0.0
) -> torch.Tensor:
    logits = model(torch.from_numpy(inputs)).flatten(0, 1)
    return F.cross_entropy(
        logits, torch.from_numpy(targets).flatten(), ignore_index=-100, label_smoothing=smoothing
    )


class Trained:
    """A model that PyTorch trains, in one precision or the other."""

    def __init__(self, model: TinyLlama) -> None:
        self.model, self._optimizers = model, make_optimizers(model, TRAINING)

    def differentiate(self, texts: Texts, smoothing: float = 0.0) -> float:
        for parameter in self.model.parameters():
            parameter.grad = None
        loss = loss_of(self.model, *texts, smoothing)
        loss.backward()
        return float(loss.detach())

    def take_step(self, step: int) -> float:
        length = clip_grad_norm_(self.model.parameters(), TRAINING.gradient_clip)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = TRAINING.learning_rate_at(step)
            optimizer.step()
        return float(length)

    def gradients(self) -> list[np.ndarray]:
        return [each.grad.numpy().ravel() for each in self.model.parameters()]

    def weights(self) -> list[np.ndarray]:
        return [each.detach().numpy().ravel() for each in self.model.parameters()]


def check_close(
    engine: Engine,
    row: np.ndarray,
    ours: list[np.ndarray],
    exact: list[np.ndarray],
    within: float,
    is_still: Sequence[bool] = (),
) -> None:
    """Hold each of the engine's tensors against what double precision gives.

    Where terms cancel, float32 has few digits: then no more is asked than PyTorch has itself.
    Tensors that should stand still (a key's bias has no gradient but by rounding) may differ, since
    AdamW makes whole steps of whatever little there is.
    """
    for number, (own, wanted) in enumerate(zip(ours, exact, strict=True)):
        path, begin, _ = engine.tensors()[number]
        if is_still and is_still[number]:
            continue
        off = norm(row[begin : begin + wanted.size] - wanted)
        assert off <= max(within * norm(wanted), 4 * norm(own - wanted), 1e-12), path


def check_training(config: ModelConfig, build: str = PLAIN) -> None:
    model, random = model_of(config), np.random.default_rng(0)
    engine = engine_of(model, build)
    exact, ours = Trained(deepcopy(model).double()), Trained(model)
    for step in range(1, STEPS + 1):
        inputs, targets = texts(config, random)
        loss = ours.differentiate((inputs, targets))
        exact.differentiate((inputs, targets))
        found = engine.call("differentiate", engine.read(inputs, targets), 0.0)
        if step == 1:
            assert found == pytest.approx(loss, abs=1e-5)
            gradients = engine.array("gradients_at", engine.n_parameters)
            first = exact.gradients()
            check_close(engine, gradients, ours.gradients(), first, within=5e-6)
        exact.take_step(step)
        length = pytest.approx(ours.take_step(step), rel=1e-3)
        assert engine.take_step(TRAINING, step) == length
    is_still = [norm(gradient) < 1e-6 for gradient in first]
    check_close(engine, engine.parameters, ours.weights(), exact.weights(), 1e-4, is_still)


@pytest.mark.parametrize("changes", [*OPTIONS, *SETTINGS], ids=str)
def test_loss_gradients_and_five_steps_are_pytorch_s(changes):
    check_training(replace(BASE, **changes))


@pytest.mark.parametrize("seed", range(12))
def test_options_together_are_pytorch_s(seed):
    check_training(replace(BASE, **at_random(seed)))


def test_the_faster_build_rounds_otherwise_and_is_right():
    check_training(replace(BASE, n_kv_heads=2), RELAXED)


@pytest.mark.parametrize("changes", [*OPTIONS, *SETTINGS], ids=str)
def test_tensors_lie_in_the_model_s_own_order(changes):
    model = TinyLlama(replace(BASE, **changes))
    engine = Engine(shape(model.config, n_texts=1))
    wanted = [(path, tuple(each.shape)) for path, each in model.named_parameters()]
    assert [(path, size) for path, _, size in engine.tensors()] == wanted
    sizes = [int(np.prod(size)) for _, size in wanted]
    assert [begin for _, begin, _ in engine.tensors()] == [0, *np.cumsum(sizes)[:-1]]
    assert engine.n_parameters == sum(sizes)


def test_smoothed_labels_are_pytorch_s():
    model, both = model_of(BASE), texts(BASE, np.random.default_rng(0))
    engine, exact = engine_of(model), Trained(deepcopy(model).double())
    ours = Trained(model)
    loss = ours.differentiate(both, smoothing=0.2)
    exact.differentiate(both, smoothing=0.2)
    assert engine.call("differentiate", engine.read(*both), 0.2) == pytest.approx(loss, abs=1e-5)
    gradients = engine.array("gradients_at", engine.n_parameters)
    check_close(engine, gradients, ours.gradients(), exact.gradients(), within=5e-6)


def test_it_judges_as_pytorch_does():
    model = model_of(BASE)
    inputs, targets = texts(BASE, np.random.default_rng(0))
    engine, counts = engine_of(model), targets >= 0
    total = engine.call("judge", engine.read(inputs, targets))
    assert engine.call("counted") == counts.sum()
    assert total / counts.sum() == pytest.approx(float(loss_of(model, inputs, targets).detach()))
    best = model(torch.from_numpy(inputs)).argmax(-1).numpy()
    assert engine.call("right") == ((best == targets) & counts).sum()


@pytest.mark.parametrize("changes", [*OPTIONS, *SETTINGS], ids=str)
def test_token_after_token_it_finds_what_it_finds_at_once(changes):
    model = model_of(replace(BASE, **changes))
    engine, config = engine_of(model, n_texts=1), model.config
    tokens = np.random.default_rng(0).integers(0, config.vocab_size, config.context)
    wanted = model(torch.from_numpy(tokens)[None])[0].detach().numpy()
    for position, token in enumerate(tokens):
        found = engine.at(engine.call("read_token", position, int(token)), config.vocab_size)
        assert found == pytest.approx(wanted[position], abs=2e-5)


def test_numbers_that_are_none_are_not_hidden():
    model = model_of(BASE)
    engine = engine_of(model)
    engine.parameters[3] = np.nan
    inputs, targets = texts(BASE, np.random.default_rng(0))
    inputs[:] = 0
    assert np.isnan(engine.call("differentiate", engine.read(inputs, targets), 0.0))
    assert np.isnan(engine.take_step(TRAINING, 1))


def test_what_it_has_not_is_named():
    assert not not_covered(Setup())
    for slot, option in (each for changes in OPTIONS for each in changes.items()):
        assert not not_covered(Setup().with_settings({slot: option}))
    experts = [name for name, option in FEED_FORWARD.items() if option.has_experts]
    assert experts
    for option in experts:
        says = not_covered(Setup().with_settings({"feed_forward": option}))
        assert says == f"feed_forward={option}"
    for option in set(OPTIMIZER) - {"adamw"}:
        assert not_covered(Setup().with_settings({"optimizer": option})) == f"optimizer={option}"
    assert not_covered(Setup().with_settings({"dropout": 0.1})) == "dropout=0.1"


def test_all_that_a_browser_loads_is_small():
    kinds = {".js", ".css", ".wasm"}
    files = [path for path in FOLDER.iterdir() if path.suffix in kinds]
    assert {path.name for path in files} > {*BUILDS, "worker.js", "browser_trainer.css"}
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) < 60_000


@pytest.mark.slow
def test_the_source_gives_the_very_bytes(tmp_path):
    build(tmp_path)
    for name in BUILDS:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
