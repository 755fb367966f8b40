"""Quiet, offline, on one thread, in two tiers: what every test can rely on."""

import os
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast
from unittest.mock import patch
from urllib.parse import parse_qs

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
import torch
from _pytest.mark import ParameterSet
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner

from explorer import session
from explorer.engine.run import Run
from explorer.engine.server.engine import Engine
from explorer.settings import SECTIONS
from tiny_llama.config import ModelConfig
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.setup import Setup

if TYPE_CHECKING:
    from app_in_browser import Come, Server
    from playwright.sync_api import Browser, Playwright

EVERY_OPTION = [(slot, option) for slot, options in MENU.items() for option in options]
EVERY_CHOICE = EVERY_OPTION + [(slot, word) for slot, words in CHOICES.items() for word in words]
ODD_MODELS = [
    {"embedding_scale": True, "embedding_norm": True},
    {"embedding_norm": True, "norm": "layernorm_plain", "position": "alibi"},
    {"unembedding_bias": True, "tied_unembedding": True},
    {"rope_fraction": 0.5, "n_kv_heads": 2, "qk_norm": "head"},
    {"nope_every": 2, "qk_norm": "all"},
    {"nope_every": 1},
    {"attention": "local_global", "rope_theta_local": 50.0, "n_layers": 3},
    {"feed_forward": "moe_swiglu", "n_experts": 3, "n_active_experts": 3, "bias": "all"},
    {"feed_forward": "moe_swiglu", "n_experts": 4, "n_active_experts": 1, "block": "parallel"},
]
"""Settings, and combinations of them, that no single choice brings about."""

ODD_TEXTS = {
    "one character": "a",
    "signs": "😀 שלום \u200b\t\n",
    "markup": "<b>Gus</b> **a** $x$ | `y` [d](e) ~~f~~ &amp;\n\n# g",
    "long": "The duck sat. " * 142,
    "blank lines": "a\n\n\nb",
}
"""Texts that students may give a model to read."""

QUICK = {"sample_tokens": "10", "evaluate_texts": "4", "batch_size": "2"}
"""Settings of a run of which only the model matters."""

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))

torch.set_num_threads(1)


# Two tiers.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the second tier, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the second tier out, unless it or one test is asked for."""
    is_one = any("::" in argument for argument in config.args)
    if config.option.all or config.option.markexpr or is_one:
        return
    kept: list[pytest.Item] = []
    slow: list[pytest.Item] = []
    for item in items:
        (slow if item.get_closest_marker("slow") else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=slow)


def pytest_report_header(config: pytest.Config) -> str:
    return "tiers: both" if config.option.all else "tiers: the first, unless --all or -m slow"


def across(
    ones: Iterable[object], others: Iterable[object], *, mainly: object = None
) -> list[ParameterSet]:
    """Pair each of these with each of those, as parameters.

    The second tier has the product. The first has the first of the ones with every other, and
    every one with the first of the others, or with the one that the tests are mainly for.
    """
    ones, others = list(ones), list(others)
    first, main = ones[0], others[0] if mainly is None else mainly
    assert main in others
    return [
        pytest.param(one, other, marks=() if one == first or other == main else SLOW)
        for one in ones
        for other in others
    ]


SLOW = pytest.mark.slow


# Models.


@pytest.fixture
def small() -> ModelConfig:
    """Give a model small enough to build and train in milliseconds."""
    return ModelConfig(vocab_size=11, context=16, n_layers=2, d_model=16, n_heads=4, window=3)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Lend an engine with its worker, for all pages that are tested in this process."""
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


def trained(engine: Engine, setups: Mapping[str, Setup]) -> dict[str, str]:
    """Train a model by each setup, each for an owner of that name; return their ids."""
    ids = {name: engine.start(setup, owner=name) for name, setup in setups.items()}
    until(lambda: all(found(engine, run_id).status == "finished" for run_id in ids.values()))
    return ids


@contextmanager
def training(engine: Engine, setup: Setup, *, text: str | None = None) -> Iterator[str]:
    """Let a run go on all the while, of an owner called "me"."""
    run_id = engine.start(setup, owner="me", text=text)
    until(lambda: found(engine, run_id).step)
    yield run_id
    engine.control(run_id, "stop", owner="me")


def found(engine: Engine, run_id: str) -> Run:
    """Find a run that must be there."""
    run = engine.poll(run_id)
    assert run is not None
    return run


# Pages.


@pytest.fixture(scope="session", autouse=True)
def one_scan() -> Iterator[None]:
    """Look through the installed packages for components once; AppTest would for every app."""
    found = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture
def app_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Let pages and tests look at the same runs."""
    monkeypatch.setattr(session, "engine", lambda: engine)
    return engine


def open_page(name: str, *, owner: str | None = None, **link: str | list[str]) -> AppTest:
    """Open a page out of a link; with an owner, as the student whose browser kept this secret."""
    app = AppTest.from_file(ROOT / "explorer" / "app.py", default_timeout=60)
    if owner:
        app.session_state["owner_secret"] = owner
    for key, value in link.items():
        app.query_params[key] = value
    unfold(app)
    app.switch_page(f"../pages/{name}.py").run()
    assert not app.exception
    return app


def unfold(app: AppTest) -> None:
    """Open the sections of a run's settings, whose widgets are drawn only then."""
    for section in SECTIONS:
        app.session_state[f"section_{section.name}"] = True


def go_back(app: AppTest, **link: str) -> AppTest:
    """Let the browser go back, or forward, to another link of the page that is open."""
    app.query_params = dict(link)
    again = partial(RerunData, is_history_navigation=True)
    with patch.object(local_script_runner, "RerunData", again):
        app.run()
    assert not app.exception
    return app


def walk(app: AppTest, name: str) -> AppTest:
    """Go to another page by the list of pages."""
    links = [each.proto for each in app.get("page_link")]
    link = next(each for each in links if (each.page or "home") == name)  # the bar comes first
    app.query_params = parse_qs(link.query_string)
    if name == "train":
        unfold(app)
    app.switch_page(f"../pages/{name}.py").run()
    assert not app.exception
    return app


MARK = re.compile(r"\[([^\]]+)\]\((\./\?view=glossary&word=[^)\s]+)\)")
"""A word that is explained at a touch, and the link to its entry."""


def prose(app: AppTest) -> list[str]:
    """List the texts of a page, without the marks of words that are explained at a touch."""
    return [MARK.sub(r"\1", each.value) for kind in (app.markdown, app.caption) for each in kind]


def numbers(app: AppTest) -> dict[str, str]:
    """Read the numbers in the slim line of a view, by their labels."""
    line = next(line for line in prose(app) if re.match(r"[A-Z][^·]* \*\*[^·]*\*\* · ", line))
    return dict(re.findall(r"(?:^| · )([^·]*?) \*\*(.*?)\*\*", line))


# A browser.


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """Lend the app on a port of its own, for all that is tested in a browser in this process."""
    from app_in_browser import Server  # skips where there is no browser

    with Server(tmp_path_factory.mktemp("app")) as server:
        yield server


@pytest.fixture(scope="session")
def playwright() -> "Iterator[Playwright]":
    """Lend what drives browsers, of which a process has one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: "Playwright") -> "Iterator[Browser]":
    """Lend a real browser, for all that is tested in it in this process."""
    from app_in_browser import chromium

    with chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def firefox(playwright: "Playwright") -> "Iterator[Browser]":
    """Lend a Firefox, likewise; where there is none, its tests are skipped."""
    from app_in_browser import firefox

    with firefox(playwright) as browser:
        yield browser


@pytest.fixture
def come(browser: "Browser", server: "Server") -> "Iterator[Come]":
    """Let students come, each to a link."""
    from app_in_browser import students

    with students(browser, server) as come:
        yield come


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what its students see to what is printed of a test that fails in the browser."""
    report = yield
    if report.when == "call" and report.failed and "come" in item.funcargs:
        come = cast("Come", item.funcargs["come"])
        for number, student in enumerate(come.came, start=1):
            report.sections.append((f"student {number} sees", student.sees()))
    return report
