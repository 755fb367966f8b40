"""Experiments as they lie in folders, made in a moment: known numbers, nothing trained."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from explorer.recorded import ABOUT
from tiny_llama.comparing.law import Law
from tiny_llama.comparing.outcomes import best_rates, note_divergence, read_outcome
from tiny_llama.comparing.plan import Plan, Run, write_plan
from tiny_llama.comparing.plan_file import make_plan, open_plan_file
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.files import write_json
from tiny_llama.metrics import add_metrics
from tiny_llama.setup import write_setup

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
NAMES = ("race", "ladder", "ladder-backwards", "leave-one-out", "scaling", "smarter", "tasks")
START, END, NOISE = 6.0, 1.5, 0.01
BEST = 0.006
"""The learning rate that is best; others are the worse the further they are from it."""
SAVED = {"position": 0.1, "norm": 0.0, "feed_forward": 0.05, "bias": -0.03}
"""What LLaMA's choice of each setting saves; one that is not here saves 0.005."""
LACKS = {"no-positions": 0.5, "no-attention": 0.8, "one-layer": 0.2, "no-norm": 0.1}
DIVERGED_AT = 14
"""The step at which GPT-3 style diverges at the highest rate that is tried."""
SPENT = {"small-long": 0.0, "big-short": 0.4}
"""What ways to spend one budget lose; noise costs as much as its share."""
LAW = Law(e=0.5, a=90.0, b=700.0, alpha=0.5, beta=0.5)
"""What the runs of sizes and lengths come to."""


def planned(name: str) -> Plan:
    """Read one of the experiments that there are, its models as large as without a text."""
    return make_plan(open_plan_file(EXPERIMENTS / f"{name}.toml"), lambda setup: setup)


def make_all(folder: Path) -> Path:
    """Make all experiments that the page shows."""
    for name in NAMES:
        make(folder / name, planned(name))
    return folder


def make(folder: Path, plan: Plan, *, is_done: Callable[[Run], bool] = lambda _: True) -> None:
    """Write the folder of an experiment.

    Args:
        folder: new.
        plan: its plan.
        is_done: tells which runs are done; of the others there is nothing.
    """
    write_plan(folder, plan)
    highest = max(plan.learning_rates, default=0.0)
    for run in plan.trials:
        _write(folder, run, is_done, highest)
    trials = [read_outcome(folder, run, plan.measure) for run in plan.trials]
    for run in plan.seed_runs(best_rates(plan, trials)):
        _write(folder, run, is_done, highest)
    about = {"date": "2026-11-30", "processor": "Made_up CPU", "seconds": 7200, "threads": 1}
    write_json(folder / ABOUT, about | {"n_over": plan.n_runs, "n_runs": plan.n_runs})


def final_loss(run: Run) -> float:
    """Say what a run comes to: what its model has, its rate, what its seed does to all alike."""
    if run.side.startswith("size-"):
        chance = np.random.default_rng([zlib.crc32(run.side.encode()), run.seed])
        law = float(LAW.loss(law_parameters(run.setup), law_tokens(run.setup)))
        return law * (1 + 0.003 * chance.normal())
    if run.setup.training.text_noise or run.side in SPENT:
        chance = np.random.default_rng([zlib.crc32(run.side.encode()), run.seed])
        kind = run.side.partition("-noise")[0]
        noise = run.setup.training.text_noise
        return END + SPENT[kind] + noise + NOISE * 0.3 * chance.normal()
    model, rate = run.setup.model, run.setup.training.learning_rate
    usual = {"position": "rope", "norm": "rmsnorm", "feed_forward": "swiglu", "bias": "none"}
    usual |= {"tied_unembedding": False, "attention": "causal"}
    lost = sum(SAVED.get(s, 0.005) for s, best in usual.items() if getattr(model, s) != best)
    chance = np.random.default_rng([zlib.crc32(run.side.encode()), run.seed])
    common = np.random.default_rng(run.seed)
    noise = NOISE * (0.3 * chance.normal() + common.normal())
    return END + lost + 0.05 * np.log(rate / BEST) ** 2 * run.is_trial + noise


def _write(folder: Path, run: Run, is_done: Callable[[Run], bool], highest: float) -> None:
    if not is_done(run):
        return
    place, training = folder / run.name, run.setup.training
    write_setup(place, run.setup)
    is_lost = training.learning_rate == highest and run.setup.model.position == "learned"
    last = DIVERGED_AT - 1 if is_lost else training.steps
    steps = [step for step in range(last + 1) if training.evaluates_at(step)]
    add_metrics(
        place, [_row(run, step, before) for before, step in zip([0, *steps], steps, strict=False)]
    )
    if is_lost:
        note_divergence(place, DIVERGED_AT, "The loss is no number any more.")


def _row(run: Run, step: int, before: int) -> dict[str, object]:
    share = step / run.setup.training.steps
    tokens = step * run.setup.tokens_a_step
    row: dict[str, object] = {"step": step, "n_tokens": tokens, "seconds": 0.02 * (step - before)}
    row["held_out_loss"] = float(START + (final_loss(run) - START) * (1 - (1 - share) ** 4))
    row["bits_per_byte"] = row["held_out_loss"] / 2.5
    if isinstance(CORPORA.get(run.setup.corpus), Task):
        lacking = run.side.partition("_")[2]
        row["accuracy"] = float(min(1.0, 0.02 + share * (0.95 - LACKS.get(lacking, 0.0))))
    if step in (0, run.setup.training.steps):
        row["sample"] = f"{run.name} wrote this at step {step}."
    return row
