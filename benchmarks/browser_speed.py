"""How fast a student's own browser trains, beside PyTorch on one thread of the same machine.

    python benchmarks/browser_speed.py [--steps 60] [--rounds 3]

prints a table. All three take the same steps of the same run in turns, and what counts is the
seconds that each says its steps took, in its quickest round: on a machine that others use, too,
that is disturbed least.
"""

import argparse
import shutil
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from playwright.sync_api import Page, sync_playwright
from trainer_page import train, trainer_page

from tiny_llama.checkpoint import new_trainer, prepare_corpus
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"n_layers": 2, "d_model": 32, "context": 64},
    "small": {"n_layers": 3, "d_model": 48, "context": 96},
    "default": {},
    "wide": {"d_model": 96, "n_heads": 6},
}
BUILDS = ("plain", "relaxed")
WARM_UP = 5
"""Steps that do not count."""


def main() -> None:
    """Measure all sizes and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| size | parameters | PyTorch, tokens/s | plain | relaxed |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = trainer_page(chromium)
        for name, sizes in SIZES.items():
            print(_line(name, _setup(sizes, asked.steps), page, asked.rounds))


def _setup(sizes: dict[str, Any], steps: int) -> Setup:
    training = TrainConfig(steps=steps, evaluate_every=0, evaluate_texts=1, sample_tokens=1)
    return Setup(model=ModelConfig(**sizes), training=training)


def _line(name: str, setup: Setup, page: Page, n_rounds: int) -> str:
    """Measure one size and give its line of the table."""
    corpus = prepare_corpus(setup)
    best: dict[str, float] = {}
    for _ in range(n_rounds):
        trainer = new_trainer(setup, corpus)
        found = {
            build: [row.get("seconds", 0.0) for row in _reports(page, setup, trainer, build)]
            for build in BUILDS
        }
        found["PyTorch"] = [report.seconds for report in trainer]
        for who, seconds in found.items():
            best[who] = min(best.get(who, 9e9), median(seconds[WARM_UP:]))
    model = replace(setup.model, vocab_size=corpus.tokenizer.vocab_size)
    speed = {who: setup.tokens_a_step / seconds for who, seconds in best.items()}
    shares = " | ".join(
        f"{speed[build]:,.0f} ({speed[build] / speed['PyTorch']:.2f})" for build in BUILDS
    )
    return f"| {name} | {count_parameters(model):,} | {speed['PyTorch']:,.0f} | {shares} |"


def _reports(page: Page, setup: Setup, trainer: Trainer, build: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = train(page, trainer, setup, build=build)["reports"]
    return found


if __name__ == "__main__":
    main()
