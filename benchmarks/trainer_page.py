"""The browser's trainer without the app: a page that has nothing but this project's files."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

from explorer.components.browser_trainer.material import material
from explorer.engine.worker.lending import lent
from tiny_llama.setup import Setup
from tiny_llama.training import Trainer

ROOT = Path(__file__).parent.parent
_HOST = "http://trainer.test/"
_KINDS = {".html": "text/html", ".js": "text/javascript"}


def trainer_page(browser: Browser) -> Page:
    """Open the page; nothing that it asks for leaves this process."""
    page = browser.new_page()
    page.route("**/*", _answer)
    page.goto(f"{_HOST}benchmarks/trainer_page.html")
    page.wait_for_function("window.isReady")
    return page


def train(page: Page, trainer: Trainer, setup: Setup, **how: Any) -> dict[str, Any]:
    """Train a run in the browser to its end, and give its reports and what it has learned.

    Args:
        page: what `trainer_page` gave.
        trainer: where the run stands.
        setup: of the run; the vocabulary is the trainer's.
        how: `where`: "worker", "two workers" or "page"; `build`: "plain" or "relaxed"; `orders`:
            given one after another each time that something is told; `losesSecondAt`: the step
            after which the second worker is ended.
    """
    model = trainer.model.config
    content = material(replace(setup, model=model), *lent(trainer))
    how = {"where": "worker", "build": "plain"} | how
    found: dict[str, Any] = page.evaluate(
        "([material, how]) => train(material, how)", [base64.b64encode(content).decode(), how]
    )
    return found


def _answer(route: Route) -> None:
    path = ROOT / route.request.url.removeprefix(_HOST)
    if path.is_file() and path.suffix in _KINDS:
        route.fulfill(body=path.read_bytes(), content_type=_KINDS[path.suffix])
    else:
        route.abort()
