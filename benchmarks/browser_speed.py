"""How fast a student's own browser trains, beside PyTorch on one thread of the same machine.

    python benchmarks/browser_speed.py [--rounds 3] [--sizes default,wide] [--parts]

prints a table. PyTorch, Chromium and Firefox, each browser with both builds of the engine and with
the faster one in two workers that share each step, take the same steps of the same run in turns, so
that what else the machine does hits all alike. Two speeds are given, each from the quickest round:
by the clock, from the seconds that each says its steps took, which means something on an idle
machine only; and by processor time, of all of a browser's processes, the start not counted.

With --parts it also says where the time goes in Chromium, by its own profiler and a build that
keeps the names of functions, and how fast matrix products are beside the most that vectors of four
can do there.
"""

import argparse
import base64
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from app_server import cpu_seconds, descendants
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from trainer_page import train, trainer_page

from explorer.components.browser_trainer import build as building
from explorer.components.browser_trainer import material as packing
from tiny_llama.checkpoint import new_trainer, prepare_corpus
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, training_flops
from tiny_llama.data import TokenizedCorpus
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"n_layers": 2, "d_model": 32, "context": 64},
    "small": {"n_layers": 3, "d_model": 48, "context": 96},
    "default": {},
    "wide": {"d_model": 96, "n_heads": 6},
}
BUILDS = ("plain", "relaxed")
WAYS = {
    **{build: {"build": build} for build in BUILDS},
    "relaxed in two workers": {"build": "relaxed", "where": "two workers"},
}
"""Of training in a browser: what `trainer_page.train` is told."""
WARM_UP = 10
"""Steps that do not count."""
STEPS_OF_DEFAULT = 60
"""That count; smaller models do more in the same time."""
PARTS = {
    "matrix products": ("meet",),
    "copies for them": ("pack", "product"),
    "softmax": ("soften", "attention"),
    "activation and gate": ("bend", "feed_forward"),
    "norms": ("norm",),
    "loss": ("cross_entropy", "loss"),
    "AdamW": ("take_step", "move", "gradient_norm"),
    "RoPE": ("turn", "queries_and_keys"),
    "residual stream and embedding": ("copy", "add", "fill", "block", "embed", "part"),
}
"""Which functions make up which part: the first with a word of the name."""
REST = "JavaScript and the rest"
OURS = "/explorer/components/browser_trainer/"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a step takes, in seconds."""

    by_clock: float
    by_processor: float


def main() -> None:
    """Measure, and print a line for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--parts", action="store_true", help="where the time goes, too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with sync_playwright() as playwright:
        pages = {name: trainer_page(browser) for name, browser in _browsers(playwright).items()}
        print(f"{processor()}; load {os.getloadavg()[0]:.1f}; {', '.join(pages)}")
        contenders = [f"{name}, {way}" for name in pages for way in WAYS]
        head = ["size", "parameters", "measured by", "PyTorch, tokens/s", *contenders]
        print(f"| {' | '.join(head)} |\n| --- | ---: | --- |{' ---: |' * (len(contenders) + 1)}")
        for name in asked.sizes.split(","):
            for line in _lines(name, pages, asked.rounds):
                print(line, flush=True)
        if asked.parts:
            for build in BUILDS:
                print(_parts(pages["Chromium"], build), flush=True)


def processor() -> str:
    """Name this machine's processor, and whether it has AVX-512."""
    facts = Path("/proc/cpuinfo").read_text()
    name = next((x.split(": ")[1] for x in facts.splitlines() if x.startswith("model name")), "")
    has = "with AVX-512" if "avx512f" in facts else "without AVX-512"
    return f"{name or platform.processor()} {has}, {os.cpu_count()} cores"


def _browsers(playwright: Playwright) -> dict[str, Browser]:
    """Start those that this machine has, by name and version."""
    chromium, firefox = shutil.which("chromium"), shutil.which("firefox-esr")
    found = {
        "Chromium": playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    }
    if firefox:
        found["Firefox"] = playwright.firefox.launch(executable_path=firefox, channel="moz-firefox")
    print(", ".join(f"{name} {browser.version}" for name, browser in found.items()))
    return found


# -- Speed -----------------------------------------------------------------------------------------


def _lines(name: str, pages: dict[str, Page], n_rounds: int) -> Iterator[str]:
    """Measure one size, and give its lines of the table."""
    setup = _setup(SIZES[name])
    corpus = prepare_corpus(setup)
    paces = [_round(pages, setup, corpus) for _ in range(n_rounds)]
    model = replace(setup.model, vocab_size=corpus.tokenizer.vocab_size)
    for kind in ("by_clock", "by_processor"):
        best = {who: min(getattr(pace[who], kind) for pace in paces) for who in paces[0]}
        speed = {who: setup.tokens_a_step / seconds for who, seconds in best.items()}
        own = speed.pop("PyTorch")
        cells = [f"{each:,.0f} ({each / own:.2f})" for each in speed.values()]
        words = "the clock" if kind == "by_clock" else "processor time"
        line = [name, f"{count_parameters(model):,}", words, f"{own:,.0f}", *cells]
        yield f"| {' | '.join(line)} |"


def _setup(sizes: dict[str, Any]) -> Setup:
    """Make a run that does nothing but steps, so many that all sizes take as long."""
    model, usual = ModelConfig(**sizes), ModelConfig()
    share = training_flops(usual, usual.context) / training_flops(model, model.context)
    steps = WARM_UP + round(STEPS_OF_DEFAULT * share)
    return Setup(
        model=model,
        training=TrainConfig(steps=steps, evaluate_every=0, evaluate_texts=1, sample_tokens=1),
    )


def _round(pages: dict[str, Page], setup: Setup, corpus: TokenizedCorpus) -> dict[str, Pace]:
    found = {"PyTorch": _pytorch(setup, corpus)}
    for name, page in pages.items():
        for way, how in WAYS.items():
            found[f"{name}, {way}"] = _in_browser(page, setup, corpus, **how)
    return found


def _pytorch(setup: Setup, corpus: TokenizedCorpus) -> Pace:
    seconds, moments = [], []
    for report in new_trainer(setup, corpus):
        seconds.append(report.seconds)
        moments.append(time.process_time())
    spent = moments[-2] - moments[WARM_UP]  # a sample is written after the last step
    return Pace(
        by_clock=median(seconds[WARM_UP:-1]),
        by_processor=spent / (len(moments) - 2 - WARM_UP),
    )


def _in_browser(page: Page, setup: Setup, corpus: TokenizedCorpus, **how: str) -> Pace:
    """Train a short run and a long one: the second's further steps are what counts."""
    short = replace(setup, training=replace(setup.training, steps=WARM_UP))
    spent = []
    for each in (short, setup):
        trainer, before = new_trainer(each, corpus), _spent_by_browsers()
        reports = train(page, trainer, each, **how)["reports"]
        spent.append(_spent_by_browsers() - before)
    seconds = [row.get("seconds", 0.0) for row in reports]
    return Pace(
        by_clock=median(seconds[WARM_UP:]),
        by_processor=(spent[1] - spent[0]) / (setup.training.steps - WARM_UP),
    )


def _spent_by_browsers() -> float:
    """Give the processor seconds of all browsers; those whose turn it is not are still."""
    return sum(map(cpu_seconds, descendants(os.getpid())))


# -- Parts -----------------------------------------------------------------------------------------


def _parts(page: Page, build: str) -> str:
    """Say what share of a default step's time each part takes, and how fast products are."""
    setup = _setup({})
    corpus = prepare_corpus(setup)
    step = _in_browser(page, setup, corpus, build=build).by_processor
    with _named_builds() as folder, patch.object(packing, "HERE", folder):
        counts = _profile(page, setup, corpus, build)
        peak = _peak(page, folder / f"peak.{build}.wasm")
    parts: Counter[str] = Counter()
    for function, n in counts.items():
        parts[_part(function)] += n
    shares = {part: n / counts.total() for part, n in parts.most_common()}
    model = replace(setup.model, vocab_size=corpus.tokenizer.vocab_size)
    operations = training_flops(model, model.context) * setup.training.batch_size
    speed = operations / (step * shares["matrix products"]) / 1e9
    words = ", ".join(f"{part} {share:.1%}" for part, share in shares.items())
    return (
        f"{build}: {words}. Matrix products: {speed:.0f} GFLOP/s, attention counted over the whole "
        f"square; vectors of four do {peak:.0f} at most."
    )


@contextmanager
def _named_builds() -> Iterator[Path]:
    """Compile the engine with the names of its functions kept, and the peak's loop."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        flags = (*(flag for flag in building.FLAGS if "strip" not in flag), "-g")
        building.build(folder, flags=flags)
        for build, file in zip(BUILDS, building.BUILDS, strict=True):
            features = building.FEATURES + building.BUILDS[file]
            command = [sys.executable, "-m", "ziglang", "cc", *building.FLAGS, features]
            source = str(Path(__file__).with_name("vector_peak.c"))
            target = ("-I", str(building.SOURCES), "-o", str(folder / f"peak.{build}.wasm"))
            subprocess.run([*command, source, *target], check=True)
        yield folder


def _profile(page: Page, setup: Setup, corpus: TokenizedCorpus, build: str) -> Counter[str]:
    """Train on the page itself; count in how many samples each function of ours was at work."""
    session, trainer = page.context.new_cdp_session(page), new_trainer(setup, corpus)
    session.send("Profiler.enable")
    session.send("Profiler.setSamplingInterval", {"interval": 500})
    session.send("Profiler.start")
    train(page, trainer, setup, build=build, where="page")
    profile = session.send("Profiler.stop")["profile"]
    names = {
        node["id"]: node["callFrame"]["functionName"]
        for node in profile["nodes"]
        if node["callFrame"]["url"].startswith("wasm:") or OURS in node["callFrame"]["url"]
    }
    return Counter(names[sample] for sample in profile["samples"] if sample in names)


def _part(function: str) -> str:
    name = function.rpartition(".")[2]
    return next((part for part, words in PARTS.items() if any(x in name for x in words)), REST)


def _peak(page: Page, wasm: Path) -> float:
    """Give the GFLOP/s of the quickest of many tries."""
    script = """async data => {
      const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0))
      const { peak } = (await WebAssembly.instantiate(bytes)).instance.exports
      const tries = Array.from({ length: 200 }, () => {
        const began = performance.now()
        peak(1e6, 1e-9, 1e-9)
        return performance.now() - began
      })
      return 12 * 8 * 1e6 / Math.min(...tries.slice(20)) / 1e6
    }"""
    return float(page.evaluate(script, base64.b64encode(wasm.read_bytes()).decode()))


if __name__ == "__main__":
    main()
