"""How soon a picture changes after a click on the pages that look inside.

    python benchmarks/looking.py --repeats 10 --runs 1
    python benchmarks/looking.py --openings --repeats 3 --runs 10

Students train default runs; another one, in a real Chromium, looks at a shipped model of the
same size and changes one thing after the other. Timed in the browser, from the click or the key
to the frame in which the picture's own words have changed. Server, worker and browser share the
machine's cores. Once without anybody's training, once beside it, in one go.

With --openings, the views that let the model do most are opened in a new tab each, for a model that
trains: from the link to the frame in which the view's own picture stands there and nothing more is
awaited. At every opening the model has come further, so that no answer is at hand.
"""

import argparse
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import parse_qs, urlsplit

from app_server import AppServer
from class_report import Megabytes
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PAGES = sorted(path.stem for path in (Path(__file__).parent.parent / "pages").glob("*.py"))
PATIENCE_SECONDS = 60
LIMIT_MS = 300
"""What is asked for, in the middle."""
WATCH = """(selector) => {
  const words = () => [...document.querySelectorAll(selector)].map(each =>
    (each.getAttribute("aria-label") ?? "") + each.textContent).join("|")
  const deep = () => [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")].map(
    each => each.shadowRoot?.querySelector("svg")?.getAttribute("aria-label") ?? "").join("|")
  const seen = () => words() + deep()
  const before = seen()
  window.changed = new Promise(done => {
    let began = null
    const start = () => { began ??= performance.now() }
    for (const kind of ["pointerdown", "keydown"]) {
      document.addEventListener(kind, start, { capture: true, once: true })
    }
    const look = () => {
      const waited = performance.now() - (began ?? performance.now())
      if ((began !== null && seen() !== before) || waited > 10_000) done(waited)
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
}"""
"""Remembers what the pictures say, and how long it takes from the next press until they differ;
ten seconds, if they do not."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something to change, and the words that change with the picture."""

    title: str
    link: str
    act: Callable[[Page, int], None]
    """Given the page and a number that counts up."""
    prepare: Callable[[Page], None] = lambda page: None
    """What is done before and not timed."""
    shows: str = "[data-testid=stMain] [data-testid=stPlotlyChart]"


def press(key: str, name: str, back: str = "ArrowLeft") -> Callable[[Page, int], None]:
    """Move a slider one step, to and fro."""

    def act(page: Page, number: int) -> None:
        slider = page.get_by_test_id("stMain").get_by_role("slider", name=name).first
        slider.press(back if number % 2 else key)

    return act


def radio(*names: str) -> Callable[[Page, int], None]:
    """Choose one of a few buttons after the other."""
    titles = cycle(names)
    return lambda page, number: page.get_by_role("radio", name=next(titles), exact=True).click()


def unfold(label: str) -> Callable[[Page], None]:
    """Open a list."""
    return lambda page: (
        page.get_by_test_id("stMain").get_by_role("combobox", name=label, exact=True).click()
    )


def option(n: int) -> Callable[[Page, int], None]:
    """Choose one entry of an open list after the other."""
    return lambda page, number: page.get_by_role(
        "option", name=str((number + 1) % n), exact=True
    ).click()


def pill(name: str) -> Callable[[Page, int], None]:
    """Switch something on and off."""
    return lambda page, number: page.get_by_role("button", name=name, exact=True).click()


ACTIONS = (
    Action(
        title="Attention: another head",
        link="/attention?view=head",
        prepare=unfold("Head"),
        act=option(4),
    ),
    Action(
        title="Attention, in stages: another reader",
        link="/attention?view=stages",
        act=press("ArrowLeft", "The token that reads", "ArrowRight"),
    ),
    Action(title="Attention: a head switched off", link="/attention?view=ablate", act=pill("0.3")),
    Action(
        title="Rotary embeddings: another position",
        link="/rotary?view=rotation",
        act=press("ArrowLeft", "Turned to position", "ArrowRight"),
    ),
    Action(
        title="Rotary embeddings: another head's pairs",
        link="/rotary?view=model",
        prepare=unfold("Head"),
        act=option(4),
    ),
    Action(
        title="RMSNorm and LayerNorm: another token",
        link="/norm_and_swiglu?view=norms",
        act=press("ArrowLeft", "Token", "ArrowRight"),
    ),
    Action(
        title="SwiGLU: gate or hidden",
        link="/norm_and_swiglu?view=gate",
        act=radio("gate", "hidden"),
    ),
    Action(
        title="Generation: another temperature",
        link="/generation?view=next",
        act=press("ArrowRight", "1 Temperature"),
    ),
    Action(
        title="Logit lens: probability or rank",
        link="/generation?view=lens",
        act=radio("Rank", "Probability"),
        shows=".lens",
    ),
    Action(
        title="Tokens: another merge",
        link="/tokens?view=merges",
        act=press("ArrowRight", "Merges made"),
    ),
)


OPENINGS = {
    "Family tree, which asks no model": "/family_tree?",
    "KV cache: what this model keeps": "/generation?view=cache&cache_of=this",
    "KV cache: the time it saves": "/generation?view=cache&cache_of=time",
    "Longer contexts": "/rotary?view=longer",
    "Several texts": "/generation?view=samples",
}
DRAWN = """() => {
  const kinds = "svg, canvas, table, [role=img], [data-testid=stDataFrame], .tokens, .samples"
  const isLarge = each => each.getBoundingClientRect().width >= 200
  const look = root => [...root.querySelectorAll("*")].some(
    each => each.matches(kinds) && isLarge(each) || each.shadowRoot && look(each.shadowRoot))
  const picture = document.querySelector(".st-key-picture")
  const state = document.querySelector("[data-test-script-state]")?.dataset.testScriptState
  return picture && look(picture) && state === "notRunning"
}"""
"""Whether a view's own picture is there and the page has run to its end."""


def main() -> None:
    """Measure everything without and beside a run that trains, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=10, help="presses of each kind")
    parser.add_argument("--runs", type=int, default=1, help="students who train meanwhile")
    parser.add_argument("--openings", action="store_true", help="time openings of views instead")
    chosen = parser.parse_args()
    n = chosen.repeats
    with AppServer() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        if chosen.openings:
            _measure_openings(browser, app.address, repeats=n, runs=chosen.runs)
            return
        alone = [measured(browser, app.address, action, n) for action in ACTIONS]
        for _ in range(chosen.runs):
            start_training(browser, app.address)
        beside = [measured(browser, app.address, action, n) for action in ACTIONS]
        for name in PAGES:
            visit(browser, f"{app.address}/{'' if name == 'home' else name}").close()
        memory = Megabytes.read(app)
        browser.close()
    print("| click | alone p50 / p95, ms | beside training p50 / p95, ms |\n| --- | ---: | ---: |")
    for action, one, other in zip(ACTIONS, alone, beside, strict=True):
        print(f"| {action.title} | {_said(one)} | {_said(other)} |")
    every = [each for times in beside for each in times]
    print(f"\nBeside training, over all: {_said(every)} ms; asked for: {LIMIT_MS} in the middle.")
    print(f"Server and worker after all this: {memory}")


def _measure_openings(browser: Browser, address: str, *, repeats: int, runs: int) -> None:
    """Open views of one of some runs that train, and print a table."""
    ids = [start_training(browser, address) for _ in range(runs)]
    student = browser.new_context(viewport={"width": 1280, "height": 720})
    opened(student, f"{address}/generation?run={ids[0]}")  # the browser loads code
    print("| view | from the link to its picture, median / max, s |\n| --- | ---: |")
    for title, link in OPENINGS.items():
        times = [opened(student, f"{address}{link}&run={ids[0]}") for _ in range(repeats)]
        print(f"| {title} | {median(times):.1f} / {max(times):.1f} |", flush=True)


def opened(student: BrowserContext, link: str) -> float:
    """Count the seconds from a link to its view's picture."""
    page = student.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    began = time.monotonic()
    page.goto(link)
    page.wait_for_function(DRAWN)
    seconds = time.monotonic() - began
    page.close()
    return seconds


def measured(browser: Browser, address: str, action: Action, n: int) -> list[float]:
    """Count the milliseconds from each press until the picture has changed."""
    page = visit(browser, address + action.link)
    found = []
    for number in range(n + 1):
        action.prepare(page)
        page.evaluate(WATCH, action.shows)
        action.act(page, number)
        found.append(float(page.evaluate("window.changed")))
        time.sleep(0.7)  # as fast as somebody clicks who looks
    page.close()
    return found[1:]  # the first one loads code


def visit(browser: Browser, link: str) -> Page:
    """Open a page and wait until all of it is there."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    page.goto(link)
    page.get_by_role("heading", level=1).wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    time.sleep(3)
    return page


def start_training(browser: Browser, address: str) -> str:
    """Let another student train a default run for as long as this takes; return its id."""
    page = browser.new_context().new_page()
    page.goto(f"{address}/train?steps=20000")
    page.locator(".st-key-train button").click()
    page.get_by_text("Training: step").first.wait_for()
    page.wait_for_url("**run=*")
    run_id = parse_qs(urlsplit(page.url).query)["run"][0]
    page.context.close()  # the run goes on for some minutes
    return run_id


def _said(times: list[float]) -> str:
    return f"{median(times):.0f} / {quantiles(times, n=20)[-1]:.0f}"


if __name__ == "__main__":
    main()
