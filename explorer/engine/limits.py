"""What one run, one student and the whole app may take; every limit in one place, with its reason.

There are two sets: one for a small container that a class shares, as on Community Cloud, and one
for a machine of one's own. `limits()` says which holds here; `TINY_LLAMA_LIMITS=shared` or `own`
overrules it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from pathlib import Path

from explorer.engine.machine import memory_bytes
from tiny_llama.comparing.durations import in_words
from tiny_llama.comparing.plan import USUAL_SEEDS, Plan, Side
from tiny_llama.cost import count_parameters, training_flops
from tiny_llama.errors import ConfigError, TextError
from tiny_llama.peak import lasting_bytes, step_bytes
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.tokenizers.characters import MOST_CHARACTERS
from tiny_llama.tokenizers.learning import Apart

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
MOST_LENT_PARAMETERS = 500_000
"""Of a run in a browser: what comes back of each is 16 bytes of one message, which the server reads
while everybody waits."""


def most_returned_bytes() -> int:
    """Say how long a message may be by which a browser gives back what it has made of a run.

    One that the server has lost comes with its text, in which a line's end takes two letters.
    """
    return 18 * MOST_LENT_PARAMETERS + 250 * limits().steps + 2 * limits().text_bytes


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is allowed at one kind of place."""

    place: str
    """In words, for the sentence that refuses."""

    # One run.
    parameters: int
    """Training holds 20 bytes a parameter: weight, gradient, two averages, untrained weight."""
    context: int
    """Scores grow with its square."""
    batch_tokens: int
    """Batch size times context: what one step reads."""
    step_bytes: int
    """What one step may take besides; runs take turns, so only one at a time does."""
    step_flops: int
    """During a step nobody else's run moves and no question is answered."""
    steps: int
    """A row of metrics each."""
    snapshots: int
    """Half of the model's size on disk each."""
    text_bytes: int
    """Held in tokens, four bytes each, as long as the run is live."""
    learning: Apart
    """What a tokenizer that learns may take, of which only one does at a time."""

    # One student.
    live_runs_a_student: int
    """Runs that train or wait at once: enough to compare, too few to crowd others out."""

    # One student's experiments.
    usual_seeds: int
    """Of a race, unless one chooses: six can tell something, where there is the time for them."""
    live_experiments_a_student: int
    """That go on at once."""
    experiment_runs: int
    """In one experiment."""
    experiment_runs_at_once: int
    """That go on at once in one experiment: the memory has to hold them beside those of others."""
    experiment_seconds: float
    """That one experiment would take here alone; beside others it has its student's share."""
    unwatched_experiment_seconds: float
    """An experiment that nobody looks at pauses after this."""

    # The whole app.
    training_bytes: int
    """All that runs in memory hold together, and the largest step of any of them."""
    starts_a_minute: int
    """Of one student: preparing a run costs more than a turn."""
    looked_at_bytes: int
    """Weights of models that pages look at, kept in a worker; one of them is always kept."""
    answer_bytes: int
    """What pages were told about models, kept in the server: a class asks the same things."""
    hand_overs: int
    """What browsers have trained and the server takes in at once: each goes through forms that take
    some 20 MB together, and waits for the same worker."""
    workers: int
    """Processes with PyTorch in them, some 300 MB each."""
    unwatched_seconds: float = 300
    """A run that nobody looks at pauses after this; a turn is worth more to those who look."""
    unloaded_seconds: float = 60
    """A paused run leaves the memory after this; its folder holds all that it takes to go on."""
    forgotten_seconds: float
    """Runs that nobody has touched for this long are deleted."""
    folder_bytes: int
    """With more than this in all run folders, whoever has most loses those untouched longest."""
    student_bytes: int
    """In one student's folders; with more, their own ones untouched for longest are deleted."""
    process_bytes: int
    """By how much a worker may grow beyond what it takes without a run: as a last resort, since
    whatever asks for more then is told so, where the system would end all runs."""


SHARED = Limits(
    place="on a small container that a class shares",
    parameters=2_000_000,  # 40 MB
    context=512,
    batch_tokens=32_768,
    step_bytes=110_000_000,
    step_flops=16_000_000_000,  # a third of a second of one core
    steps=20_000,  # metrics stay under 4 MB
    snapshots=32,
    text_bytes=1_000_000,
    learning=Apart(most_characters=300_000, most_bytes=64_000_000, most_seconds=30),
    live_runs_a_student=3,
    usual_seeds=3,
    live_experiments_a_student=1,
    experiment_runs=48,  # a ladder of seven rungs with three rates and three seeds has 42
    experiment_runs_at_once=8,
    experiment_seconds=1800,
    unwatched_experiment_seconds=1800,
    training_bytes=200_000_000,  # fifty default runs; `limits` fits it to the memory
    starts_a_minute=12,
    looked_at_bytes=16_000_000,  # twenty default models
    answer_bytes=16_000_000,
    hand_overs=3,
    workers=1,  # a second one would not fit beside the server
    forgotten_seconds=24 * 3600,
    folder_bytes=2_000_000_000,
    student_bytes=500_000_000,
    process_bytes=310_000_000,
)
OWN = Limits(
    place="in this app",
    parameters=5_000_000,  # 100 MB
    context=512,
    batch_tokens=131_072,
    step_bytes=400_000_000,
    step_flops=40_000_000_000,  # about a second of one core
    steps=50_000,  # metrics stay under 10 MB
    snapshots=100,
    text_bytes=5_000_000,
    learning=Apart(most_characters=5_000_000, most_bytes=1_000_000_000, most_seconds=120),
    live_runs_a_student=12,
    usual_seeds=USUAL_SEEDS,
    live_experiments_a_student=3,
    experiment_runs=500,
    experiment_runs_at_once=16,
    experiment_seconds=24 * 3600,
    unwatched_experiment_seconds=inf,  # it may go on over night
    training_bytes=2_000_000_000,
    starts_a_minute=60,
    looked_at_bytes=100_000_000,
    answer_bytes=100_000_000,
    hand_overs=12,
    workers=8,
    forgotten_seconds=30 * 24 * 3600,
    folder_bytes=10_000_000_000,
    student_bytes=5_000_000_000,
    process_bytes=3_000_000_000,
)
SMALL_MEMORY = 4_000_000_000
"""Below this a machine counts as a small container; Community Cloud gives at most 2.7 GB."""
_CLOUD_FOLDER = Path("/mount/src")
"""Where Community Cloud lays an app; its container does not always show its memory limit."""
_CLOUD_MEMORY = 1_000_000_000
"""What it is taken to give then: 0.69 to 2.7 GB are announced."""
PROCESSES = 440_000_000
"""What is always taken: the server's 185 MB with a class on all pages, 255 a worker without a run.
"""
_OCCUPIED, _LEAST_ROOM = PROCESSES + 110_000_000, 140_000_000
"""What all else takes, and what is left to runs at the least: a look at a model takes 80 at the
most, a tokenizer that learns 30."""
_LOOKS = 110_000_000
"""What looks at models, 80 MB at the most, and what the allocator cannot give back may take beside
the runs."""


@cache
def limits() -> Limits:
    """Give the limits that hold where this app runs."""
    chosen, memory = os.environ.get("TINY_LLAMA_LIMITS", ""), memory_bytes()
    if _CLOUD_FOLDER in Path(__file__).resolve().parents:
        memory = min(memory, _CLOUD_MEMORY)
    if chosen != "shared" and (chosen == "own" or memory >= SMALL_MEMORY):
        return OWN
    room = min(SHARED.training_bytes, max(_LEAST_ROOM, memory - _OCCUPIED))
    return replace(SHARED, training_bytes=room, process_bytes=room + _LOOKS)


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


def check_lent(setup: Setup) -> None:
    """Refuse a setup whose weights are too many to come back from a browser.

    Raises:
        ConfigError: if they are.
    """
    if (n_parameters := count_parameters(setup.model)) > MOST_LENT_PARAMETERS:
        raise ConfigError(
            f"The model has {n_parameters:,} parameters; at most {MOST_LENT_PARAMETERS:,} can come "
            f"back from a browser: choose less, or let it train on the server."
        )


def check_experiment(plan: Plan, seconds: Mapping[str, float]) -> None:
    """Refuse an experiment of which this app cannot carry all.

    Args:
        plan: the experiment; each of its runs is checked by itself as it is started.
        seconds: how long a run of each side takes here, alone.

    Raises:
        ConfigError: with every number, and how long it would take.
    """
    here, n_runs = limits(), plan.n_runs
    in_all = n_runs / len(plan.sides) * sum(seconds.values())
    n_bytes = n_runs / len(plan.sides) * sum(map(_folder_bytes, plan.sides.values()))
    if (
        n_runs > here.experiment_runs
        or in_all > here.experiment_seconds
        or n_bytes > here.student_bytes
    ):
        raise ConfigError(
            f"This experiment is {n_runs:,} runs, which would take {in_words(in_all)} and "
            f"{n_bytes / 1e6:,.0f} MB of the disk; one student may have "
            f"{here.experiment_runs:,} runs, {in_words(here.experiment_seconds)} and "
            f"{here.student_bytes / 1e6:,.0f} MB {here.place}: take fewer seeds, rates or steps."
        )


def _folder_bytes(side: Side) -> int:
    """Count the bytes of a run folder: two checkpoints, and snapshots of half precision."""
    n_parameters = count_parameters(side.setup.model)
    return n_parameters * (2 * 12 + 2 * side.setup.training.n_snapshots)


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


def held_bytes(setup: Setup, text_bytes: int = 0) -> int:
    """Count the bytes that a run holds in memory while it is live, between its steps.

    Args:
        setup: of the run.
        text_bytes: of the student's own text, each of which may be a token; built-in texts are
            shared by all runs, but for a copy with errors in it, which is the run's own.
    """
    n_tokens = text_bytes
    if setup.training.text_noise:
        n_tokens += text_bytes or LONGEST_TEXT
    return lasting_bytes(setup) + TOKEN_BYTES * n_tokens


def with_expected_vocabulary(setup: Setup, text: str | None) -> Setup:
    """Give a setup the vocabulary that its tokenizer will have at most, as far as one can tell.

    Args:
        setup: what is to be run.
        text: the student's own text, where that is the corpus.
    """
    size = setup.model.vocab_size
    if (usual := TOKENIZERS[setup.tokenizer].default_vocab_size) is not None:
        size = setup.vocab_size or usual
    elif setup.tokenizer == "characters" and text is not None:
        size = min(MOST_CHARACTERS, len(set(text))) + 1
    return replace(setup, model=replace(setup.model, vocab_size=max(2, size)))


def share_of_one_student(here: Limits) -> int:
    """Say how much of the memory for runs one student's may take, so that others find some, too."""
    return here.training_bytes * 3 // 4


TOKEN_BYTES = 4
LONGEST_TEXT = 1_200_000
"""Characters, and so tokens at most, of the longest built-in text."""


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
            f"as each takes 20 bytes"
        )
    if (n_tokens := setup.tokens_a_step) > here.batch_tokens:
        yield (
            f"batch_size={training.batch_size:,} times context={model.context} are {n_tokens:,} "
            f"tokens a step, at most {here.batch_tokens:,} are allowed"
        )
    if (n_bytes := step_bytes(setup)) > here.step_bytes:
        yield (
            f"a step would take {n_bytes / 1e6:,.0f} MB for activations, logits and gradients, at "
            f"most {here.step_bytes / 1e6:,.0f} are allowed: lower batch_size, context or the "
            f"vocabulary"
        )
    elif (n_bytes := n_bytes + held_bytes(setup)) > (most := share_of_one_student(here)):
        yield (
            f"training it would take {n_bytes / 1e6:,.0f} MB, at most {most / 1e6:,.0f} are "
            f"allowed to one student: lower batch_size, context or the model"
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
