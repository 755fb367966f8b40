"""Quiet, offline, on one thread: what every test can rely on."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
import torch
from streamlit.testing.v1 import AppTest, local_script_runner

from explorer import session
from explorer.engine.server.engine import Engine
from tiny_llama.config import ModelConfig
from tiny_llama.menu import CHOICES, MENU

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

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))

torch.set_num_threads(1)


@pytest.fixture
def small() -> ModelConfig:
    """A model small enough to build and train in milliseconds."""
    return ModelConfig(vocab_size=11, context=16, n_layers=2, d_model=16, n_heads=4, window=3)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An engine with its worker, for the tests of one file."""
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


@pytest.fixture
def app_engine(engine, monkeypatch):
    """Pages and tests look at the same runs."""
    monkeypatch.setattr(session, "engine", lambda: engine)
    return engine


def open_page(name: str, *, owner: str | None = None, **link: str | list[str]) -> AppTest:
    """Open a page out of a link; with an owner, as the student whose browser kept this secret."""
    app = AppTest.from_file(ROOT / "explorer" / "app.py", default_timeout=60)
    if owner:
        app.session_state["owner_secret"] = owner
    for key, value in link.items():
        app.query_params[key] = value
    app.switch_page(f"../pages/{name}.py").run()
    assert not app.exception
    return app


def go_back(app: AppTest, **link: str) -> AppTest:
    """Let the browser go back, or forward, to another link of the page that is open."""
    app.query_params = dict(link)
    again = partial(local_script_runner.RerunData, is_history_navigation=True)
    with patch.object(local_script_runner, "RerunData", again):
        app.run()
    assert not app.exception
    return app


def walk(app: AppTest, name: str) -> AppTest:
    """Go to another page by the list of pages."""
    links = [each.proto for each in app.sidebar.get("page_link")]
    (link,) = [each for each in links if (each.page or "home") == name]
    app.query_params = parse_qs(link.query_string)
    app.switch_page(f"../pages/{name}.py").run()
    assert not app.exception
    return app


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The app on a port of its own, for the tests of one file."""
    from app_in_browser import Server  # skips where there is no browser

    with Server(tmp_path_factory.mktemp("app")) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    """A real browser, for the tests of one file."""
    from app_in_browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def come(browser, server):
    """Lets students come, each to a link."""
    from app_in_browser import students

    with students(browser, server) as come:
        yield come


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where a test in the browser fails, add what its students see to what is printed of it."""
    report = yield
    if report.when == "call" and report.failed and "come" in item.funcargs:
        for number, student in enumerate(item.funcargs["come"].came, start=1):
            report.sections.append((f"student {number} sees", student.sees()))
    return report
