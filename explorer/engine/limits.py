"""What one run, one student and the whole app may take; every limit in one place, with its reason.

There are two sets: one for a small container that a class shares, as on Community Cloud, and one
for a machine of one's own. `limits()` says which holds here; `TINY_LLAMA_LIMITS=shared` or `own`
overrules it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from explorer.engine.machine import memory_bytes
from tiny_llama.config import ModelConfig
from tiny_llama.cost import activation_bytes, count_parameters, training_flops, training_memory
from tiny_llama.errors import ConfigError, TextError
from tiny_llama.setup import Setup

MOST_GENERATED = 1_000
"""Tokens in one answer: some seconds of one core."""
MOST_PROMPT_CHARACTERS = 10_000
"""More would be forgotten anyway: a model reads its context at most."""
MOST_NAME_LETTERS = 40
"""Of what a student calls a run: more fits beside no curve."""
MOST_PACKED_BYTES = 60_000_000
"""A download is packed in the server's memory, one for each student who asks."""
MOST_LAYERS = 64
"""Deeper ones of this width hardly train, and every layer costs some 50 calls of PyTorch a step."""

MOST_EXPERTS = 256
"""In all layers together: each costs some 50 calls of PyTorch a step, however little it reads."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is allowed at one kind of place."""

    place: str
    """In words, for the sentence that refuses."""

    # One run.
    parameters: int
    """Training holds 16 bytes a parameter (weight, gradient, two averages)."""
    context: int
    """Scores grow with its square."""
    batch_tokens: int
    """Batch size times context: what one step reads."""
    activation_bytes: int
    """What one step may hold besides; runs take turns, so only one at a time does."""
    step_flops: int
    """During a step nobody else's run moves and no question is answered."""
    steps: int
    """A row of metrics each."""
    snapshots: int
    """Half of the model's size on disk each."""
    text_bytes: int
    """Held in tokens, four bytes each, as long as the run is live."""

    # One student.
    live_runs_a_student: int
    """Runs that train or wait at once: enough to compare, too few to crowd others out."""

    # The whole app.
    training_bytes: int
    """Weights, gradients and averages of all runs in memory together."""
    looked_at_bytes: int
    """Weights of models that pages look at, kept in a worker; one of them is always kept."""
    answer_bytes: int
    """What pages were told about models, kept in the server: a class asks the same things."""
    workers: int
    """Processes with PyTorch in them, some 300 MB each."""
    unwatched_seconds: float = 300
    """A run that nobody looks at pauses after this; a turn is worth more to those who look."""
    unloaded_seconds: float = 60
    """A paused run leaves the memory after this; its folder holds all that it takes to go on."""
    forgotten_seconds: float
    """Runs that nobody has touched for this long are deleted."""
    folder_bytes: int
    """With more than this in all run folders, the ones untouched for longest are deleted."""


SHARED = Limits(
    place="on a small container that a class shares",
    parameters=2_000_000,  # 32 MB
    context=512,
    batch_tokens=32_768,
    activation_bytes=120_000_000,
    step_flops=16_000_000_000,  # a third of a second of one core
    steps=20_000,  # metrics stay under 4 MB
    snapshots=32,
    text_bytes=1_000_000,
    live_runs_a_student=3,
    training_bytes=150_000_000,  # forty-five default runs; `limits` fits it to the memory
    looked_at_bytes=16_000_000,  # twenty default models
    answer_bytes=16_000_000,
    workers=1,  # a second one would not fit beside the server
    forgotten_seconds=24 * 3600,
    folder_bytes=2_000_000_000,
)
OWN = Limits(
    place="in this app",
    parameters=5_000_000,  # 80 MB
    context=512,
    batch_tokens=131_072,
    activation_bytes=300_000_000,
    step_flops=40_000_000_000,  # about a second of one core
    steps=50_000,  # metrics stay under 10 MB
    snapshots=100,
    text_bytes=5_000_000,
    live_runs_a_student=12,
    training_bytes=2_000_000_000,
    looked_at_bytes=100_000_000,
    answer_bytes=100_000_000,
    workers=8,
    forgotten_seconds=30 * 24 * 3600,
    folder_bytes=10_000_000_000,
)
SMALL_MEMORY = 4_000_000_000
"""Below this a machine counts as a small container; Community Cloud gives at most 2.7 GB."""
_CLOUD_FOLDER = Path("/mount/src")
"""Where Community Cloud lays an app; its container does not always show its memory limit."""
_CLOUD_MEMORY = 1_000_000_000
"""What it is taken to give then: 0.69 to 2.7 GB are announced."""
_OCCUPIED, _LEAST_ROOM = 560_000_000, 120_000_000
"""What server and worker take with one run, and what is left to the others at the least. For each
byte that a run is counted with, the worker grows by about one (measured with thirty runs)."""


@cache
def limits() -> Limits:
    """The limits that hold where this app runs."""
    chosen, memory = os.environ.get("TINY_LLAMA_LIMITS", ""), memory_bytes()
    if _CLOUD_FOLDER in Path(__file__).resolve().parents:
        memory = min(memory, _CLOUD_MEMORY)
    if chosen != "shared" and (chosen == "own" or memory >= SMALL_MEMORY):
        return OWN
    room = max(_LEAST_ROOM, memory - _OCCUPIED)
    return replace(SHARED, training_bytes=min(SHARED.training_bytes, room))


def check_setup(setup: Setup) -> None:
    """Refuse a setup that this app cannot carry.

    Asked twice: before a run starts, and once the tokenizer has said how large the vocabulary is.

    Raises:
        ConfigError: with every reason, each as name, value and rule.
    """
    here = limits()
    if problems := list(_problems(setup, here)):
        raise ConfigError(
            f"This run is too large to train {here.place}: {'; '.join(problems)}; choose less."
        )


def check_text(text: str) -> None:
    """Refuse a student's own text that is longer than this app can hold for everybody.

    Raises:
        TextError: if it is.
    """
    n_bytes, most = len(text.encode()), limits().text_bytes
    if n_bytes > most:
        raise TextError(
            f"The text has {n_bytes:,} bytes; at most {most:,} can be trained on "
            f"{limits().place}, since every token of it stays in memory: take a part of it."
        )


def held_bytes(setup: Setup) -> int:
    """What a run holds in memory while it is live, its text aside."""
    return training_memory(setup.model, optimizer=setup.training.optimizer).total


def _problems(setup: Setup, here: Limits) -> Iterator[str]:
    model, training = setup.model, setup.training
    for name, most in (("n_layers", MOST_LAYERS), ("context", here.context)):
        if (value := getattr(model, name)) > most:
            yield f"{name}={value:,} must be at most {most}"
            return  # the rest would only say the same in larger numbers
    n_experts = model.n_layers * model.n_experts * model.has_experts
    if n_experts > MOST_EXPERTS:
        yield (
            f"n_layers={model.n_layers} times n_experts={model.n_experts} are {n_experts:,} "
            f"experts, at most {MOST_EXPERTS} are allowed, as each takes time of its own"
        )
        return
    if (n_parameters := count_parameters(model)) > here.parameters:
        yield (
            f"the model has {n_parameters:,} parameters, at most {here.parameters:,} are allowed, "
            f"as each takes 16 bytes"
        )
    if (n_tokens := setup.tokens_a_step) > here.batch_tokens:
        yield (
            f"batch_size={training.batch_size:,} times context={model.context} are {n_tokens:,} "
            f"tokens a step, at most {here.batch_tokens:,} are allowed"
        )
    if (n_bytes := _step_bytes(model, training.batch_size)) > here.activation_bytes:
        yield (
            f"a step would hold {n_bytes / 1e6:,.0f} MB of activations, at most "
            f"{here.activation_bytes / 1e6:,.0f} are allowed: lower batch_size or context"
        )
    if (flops := training.batch_size * training_flops(model, model.context)) > here.step_flops:
        yield (
            f"a step would take {flops / 1e9:,.0f} billion operations, at most "
            f"{here.step_flops / 1e9:,.0f} are allowed, as everybody else waits meanwhile: lower "
            f"batch_size, context or the model"
        )
    if training.steps > here.steps:
        yield f"steps={training.steps:,} must be at most {here.steps:,}"
    if training.n_snapshots > here.snapshots:
        yield f"n_snapshots={training.n_snapshots} must be at most {here.snapshots}"


def _step_bytes(model: ModelConfig, batch_size: int) -> int:
    """Bytes that a step keeps; dropout and soft-caps make attention keep its patterns, too."""
    kept = activation_bytes(model, batch_size=batch_size, n_tokens=model.context)
    if model.dropout or model.attention_softcap:
        patterns = batch_size * model.n_heads * model.context**2 * model.n_layers
        kept += 4 * 4 * patterns  # scores, probabilities, what dropout left, and its mask
    return kept
