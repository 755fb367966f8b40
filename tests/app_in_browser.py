"""The app as a server of our own, and students who meet it in a real browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, urlencode, urlsplit
from weakref import WeakKeyDictionary

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    WebSocket,
    expect,
)

from explorer.stage import View
from tiny_llama.metrics import read_metrics

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("needs a `chromium` on the path", allow_module_level=True)

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

ROOT = Path(__file__).parent.parent
PATIENCE = 60_000
"""How long anything may take before a test gives up, in milliseconds."""
TINY = {"n_layers": 1, "d_model": 16, "n_heads": 2, "context": 16, "batch_size": 4}
TINY |= {"sample_tokens": 60, "evaluate_texts": 4, "warmup_steps": 5}
"""A model that does several hundred steps a second."""
LONG = TINY | {"steps": 50_000}
"""A run that lasts longer than any test."""
FIND_STEP = """([pattern, since]) => {
  const found = document.body.innerText.match(new RegExp(pattern, "m"))
  const step = found && Number(found[1].replaceAll(",", ""))
  return found && step >= since ? [step] : null
}"""
"""What the line above the chart says, read at one moment."""
PROBES = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""Streamlit asks for these beside the page, too, before it asks where they are."""


def link(**settings: object) -> str:
    return f"/train?{urlencode(settings)}"


class Server:
    """The app on a port of its own with a folder of its own; may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.runs, self._log = folder / "runs", folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def start(self) -> None:
        where = [f"--server.port={self._port}", "--server.address=127.0.0.1"]
        settings = [*where, "--server.headless=true"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "explorer/app.py", *settings],
                cwd=ROOT,
                env=os.environ | {"TINY_LLAMA_RUNS": str(self.runs)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.address}/_stcore/health"):
                return
            assert self._process.poll() is None, self.printed()
            time.sleep(0.1)
        raise AssertionError(f"the server did not start: {self.printed()}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_workers(self) -> None:
        """Kill what the server has started, as the kernel does where memory is short."""
        lists = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        for worker in {int(child) for each in lists for child in each.read_text().split()}:
            os.kill(worker, signal.SIGKILL)

    def printed(self) -> str:
        return self._log.read_text(errors="replace")

    def record(self, run_id: str) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads((self.runs / run_id / "run.json").read_text()))

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        """Read what a run has logged: a row for each step, in order, from step 0."""
        rows: list[dict[str, Any]] = read_metrics(self.runs / run_id)
        assert [row["step"] for row in rows] == list(range(len(rows)))
        return rows

    def has_row(self, run_id: str, step: int) -> bool:
        return any(row["step"] == step for row in read_metrics(self.runs / run_id))

    def loss(self, run_id: str, step: int) -> str:
        """Give the logged loss of a step as the page shows it, which is in single precision."""
        return f"{array('f', [self.rows(run_id)[step]['loss']])[0]:.3f}"


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    assert CHROMIUM, "CI must have a chromium"
    expect.set_options(timeout=PATIENCE)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@contextmanager
def firefox(playwright: Playwright) -> Iterator[Browser]:
    """Lend the Firefox of this machine, unpatched, driven by WebDriver BiDi.

    Playwright 1.65 begins by a command that Firefox ESR 153 does not know.
    """
    if FIREFOX is None:
        pytest.skip("needs a `firefox-esr` or `firefox` on the path")
    expect.set_options(timeout=PATIENCE)
    browser = playwright.firefox.launch(executable_path=FIREFOX, channel="moz-firefox")
    yield browser
    browser.close()


class Come(Protocol):
    """Lets a student come to a link, in a browser of their own or in one more tab of another's."""

    came: list["Student"]

    def __call__(self, link: str, *, beside: "Student | None" = None) -> "Student": ...


class Student:
    """A tab of a student's browser, in the words of who looks at it; notes whatever goes wrong."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.context, self.server = context, server
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self._note_foreign(request.url))
        self.page.on("console", self._note_console)

    def _note_foreign(self, url: str) -> None:
        if not re.match(rf"(http|ws)://{urlsplit(self.server.address).netloc}/|data:|blob:", url):
            self.troubles.append(f"asked for {url}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not PROBES.search(message.location["url"]):
            self.troubles.append(f"console: {message.text} {message.location['url']}")

    def open(self, link: str) -> None:
        self.page.goto(self.server.address + link)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        expect(self.model).to_be_attached()

    # What the student does.

    def rest(self) -> None:
        """Wait until the page has answered, as who reads before they press does anyway.

        Streamlit 1.67 runs a page anew beside a run that has not ended yet, and the two may fall
        over each other (its pull request 16763).
        """
        done = '[data-testid=stApp][data-test-script-state="notRunning"]'
        self.page.locator(done).wait_for()

    def press(self, name: str) -> None:
        self.rest()
        self.button(name).click()

    def pick(self, name: str) -> None:
        """Press what is in the menu of what is done with a run once in a while."""
        self.press("More")
        self.button_in_menu(name).click()

    def train(self) -> None:
        """Press Train and wait for the first steps of the run that it starts, and for its link."""
        self.press("Train")
        self.see("Training|Finished", since=1)
        self.rest()

    def choose(self, label: str, option: str) -> None:
        self.widget(label).scroll_into_view_if_needed()
        self.rest()
        self.draw()  # a list closes when the page scrolls under it
        self.widget(label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def unfold(self, title: str) -> None:
        self.page.get_by_test_id("stExpander").get_by_text(title, exact=True).click()

    def widget(self, label: str) -> Locator:
        box = self.page.get_by_role("combobox", name=label, exact=True)
        return box.and_(self.page.locator(":not(.st-key-bar *)"))

    def look_at(self, name: str) -> None:
        self.rest()
        self.model.click()
        self.page.get_by_role("option", name=name).click()

    def go_to(self, page: str) -> None:
        self.bar.get_by_role("link", name=page, exact=True).click()
        title = {"Home": "Tiny LLaMA Explorer", "Train": "Train"}[page]
        expect(self.page.get_by_role("heading", name=title, level=1)).to_be_visible()

    def drag_over_chart(self, start: float, end: float) -> None:
        """Draw a zoom from one part of the chart's width to another."""
        self.chart.scroll_into_view_if_needed()
        box = self.chart.bounding_box()
        assert box
        self.page.mouse.move(box["x"] + start * box["width"], box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + end * box["width"], box["y"] + box["height"] / 2)
        self.page.mouse.up()

    def earlier_sample(self) -> None:
        self.page.get_by_test_id("stSlider").get_by_role("slider").press("ArrowLeft")

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.rest()
            self.button_in_menu(name).click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    # What the student sees.

    def button(self, name: str) -> Locator:
        return self.page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)

    def button_in_menu(self, name: str) -> Locator:
        """Find a button of an open menu, which lies over the page."""
        return self.page.get_by_role("button", name=name, exact=True)

    def see(self, status: str, *, since: int = 0) -> int:
        """Wait until the run stands like this, at this step or a later one; return the step."""
        pattern = rf"^(?:{status}): step ([\d,]+) of"
        found = self.page.wait_for_function(FIND_STEP, arg=[pattern, since], polling=100)
        return int(found.json_value()[0])

    def draw(self) -> None:
        """Let the browser draw, by which it has scrolled and the chart is up to date."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def see_text(self, text: str) -> None:
        expect(self.page.get_by_text(text)).to_be_visible()

    @property
    def bar(self) -> Locator:
        """The bar above every page."""
        return self.page.locator(".st-key-bar")

    @property
    def model(self) -> Locator:
        """The bar's box that says which model all pages look at."""
        return self.bar.get_by_role("combobox", name="Model")

    def model_step(self) -> int:
        """Read how far the bar says that the model is trained."""
        words = self.bar.get_by_text(re.compile(r"[Ss]tep [\d,]+")).inner_text()
        return int(found_in(words, r"[Ss]tep ([\d,]+)").replace(",", ""))

    @property
    def numbers(self) -> Locator:
        return self.page.locator("dl.numbers")

    def tile(self, label: str) -> Locator:
        tile = self.numbers.locator("div").filter(has=self.page.get_by_text(label, exact=True))
        return tile.locator("dd")

    def number(self, label: str) -> float:
        return float(self.tile(label).inner_text())

    @property
    def legend(self) -> Locator:
        return self.page.get_by_role("group", name="Lines").get_by_role("button")

    @property
    def chart(self) -> Locator:
        """The chart, which is a slider to whoever reads along its curve."""
        return self.page.get_by_role("slider", name="Step", exact=True)

    def see_all(self) -> None:
        """Wait until the chart shows the whole of a long run."""
        expect(self.chart).to_have_attribute("aria-valuemax", str(LONG["steps"]))

    def view(self) -> tuple[float, float]:
        """Tell from where to where the x axis goes."""
        self.draw()
        low, high = (self.chart.get_attribute(f"aria-value{end}") for end in ("min", "max"))
        assert low
        assert high
        return float(low), float(high)

    def reading(self, key: str) -> float:
        """Give the training loss that the chart reads out where a key leads to."""
        self.chart.press(key)
        expect(self.chart).to_have_attribute("aria-valuetext", re.compile("Training: "))
        words = self.chart.get_attribute("aria-valuetext")
        return float(found_in(words or "", r"Training: ([\d.]+)"))

    @property
    def samples(self) -> Locator:
        return self.page.get_by_test_id("stCode")

    @property
    def query(self) -> dict[str, str]:
        return {name: word for name, (word,) in parse_qs(urlsplit(self.page.url).query).items()}

    def see_link(self, **words: str) -> None:
        """Wait until the link says this."""
        for name, word in words.items():
            expect(self.page).to_have_url(re.compile(rf"[?&]{name}={word}(&|$)"))

    @property
    def run_id(self) -> str:
        return self.query["run"]

    def sees(self) -> str:
        """Give all words on the screen, and where it is."""
        app = self.page.get_by_test_id("stApp")
        state = app.get_attribute("data-test-script-state")
        troubles = "\n".join(self.troubles)
        return f"{self.page.url}\n{state}\n{troubles}\n{app.inner_text()}"

    def forgive(self, *troubles: str) -> None:
        """Pass over the troubles that hold one of these words."""
        is_known = re.compile("|".join(map(re.escape, troubles))).search
        self.troubles = [each for each in self.troubles if not is_known(each)]

    def leave(self) -> None:
        """Stop what still goes, for the next test's sake, and be forgotten by this browser."""
        stop = self.page.get_by_role("button", name="Stop", exact=True, disabled=False)
        if stop.count():
            stop.click()
            self.see("Stopped|Finished")
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        self.page.evaluate("localStorage.clear()")
        self.page.close()


def found_in(words: str, pattern: str) -> str:
    """Find what the pattern's group stands for in these words."""
    found = re.search(pattern, words)
    assert found, words
    return found[1]


@contextmanager
def students(browser: Browser, server: Server, screen: str = "usual") -> Iterator[Come]:
    """Let students each open a link; when they have left, nothing may have gone wrong."""
    came: list[Student] = []
    before = len(server.printed())

    def open_link(link: str, *, beside: Student | None = None) -> Student:
        came.append(Student(beside.context if beside else free_context(browser, screen), server))
        came[-1].open(link)
        return came[-1]

    come = cast(Come, open_link)
    come.came = came
    yield come
    for student in came:
        student.leave()
    troubles = [trouble for student in came for trouble in student.troubles]
    assert not troubles, troubles
    printed = server.printed()[before:]
    assert "Traceback" not in printed, printed


SCREENS = {"light and wide": ("light", 1280), "dark and narrow": ("dark", 390)}
HEIGHTS = {1280: 720, 390: 844}
"""Of a projector, and of a phone."""
_screens: WeakKeyDictionary[BrowserContext, str] = WeakKeyDictionary()


def free_context(browser: Browser, screen: str) -> BrowserContext:
    """Give a browser with all tabs closed, as it has the app's scripts already, or a new one."""
    for context in browser.contexts:
        if not context.pages and _screens.get(context) == screen:
            return context
    context = browser.new_context(**_settings(screen))
    _screens[context] = screen
    return context


def _settings(screen: str) -> dict[str, Any]:
    if screen not in SCREENS:
        return {}
    scheme, width = SCREENS[screen]
    size = {"width": width, "height": HEIGHTS[width]}
    return {"color_scheme": scheme, "viewport": size, "reduced_motion": "reduce"}


# What holds for every view of every page.

WIDTH = """() => {
  const main = document.querySelector("[data-testid=stMain]")
  main.scrollLeft = 9999
  return document.documentElement.scrollWidth + main.scrollLeft
}"""
"""How wide the page is: the screen, and how far its main part can be pushed aside."""
RULES = {"resultTypes": ["violations"]}


HEADINGS = """() => [...document.querySelectorAll("[data-testid=stMain] :is(h1,h2,h3,h4,h5,h6)")]
  .filter(each => each.checkVisibility())
  .map(each => Number(each.tagName[1]))"""
"""The levels of a page's headings, in order."""


def skipped_headings(levels: list[int]) -> list[str]:
    """Name where headings go down by more than a level: readers by ear take it for a gap."""
    pairs = zip([0, *levels], levels, strict=False)
    return [f"heading {level} under {above}" for above, level in pairs if level > above + 1]


FRAME = """() => {
  const main = document.querySelector("[data-testid=stMain]")
  main.scrollTo(0, 0)
  const kinds = "svg, canvas, img, table, pre, [role=img], [data-testid=stDataFrame], .head, "
    + ".tokens, .st-key-scrolled"
  const boxes = []
  const look = root => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) look(each.shadowRoot)
      const { left, top, bottom, right: end } = each.getBoundingClientRect()
      const frame = each.parentElement?.closest(".scroll") // in which a wide drawing is panned
      const right = Math.min(end, frame?.getBoundingClientRect().right ?? end)
      const isPicture = each.matches(kinds) && !each.closest(".katex")
      if (isPicture && right - left >= 60 && bottom - top >= 60) {
        boxes.push([left, top, right, bottom])
      }
    }
  }
  look(main.querySelector(".st-key-picture"))
  const [step, shown] = [8, []]
  for (let x = 4; x < innerWidth; x += step) for (let y = 4; y < innerHeight; y += step) {
    shown.push(boxes.some(([l, t, r, b]) => l <= x && x < r && t <= y && y < b))
  }
  const controls = [...main.querySelectorAll(".st-key-controls [data-testid=stElementContainer]")]
  return {
    begins: Math.min(...boxes.map(box => box[1])),
    share: shown.filter(Boolean).length / shown.length,
    right: Math.max(...boxes.map(box => box[2])),
    controls: Math.max(0, ...controls.map(each => each.getBoundingClientRect().bottom)),
  }
}"""
"""Where a view's own picture begins on the first screen, how much of it is picture, and where the
last of its controls ends.
"""
MOST_BEGIN = {1280: 160, 390: 320}
LEAST_SHARE = 0.45


def frame_faults(student: Student) -> list[str]:
    """Name what a view lacks of the frame: the picture first and large, its controls beside it."""
    size = student.page.viewport_size
    assert size
    is_drawn = f"({FRAME})().share > 0"  # a chart's library comes after the page
    student.page.wait_for_function(is_drawn)
    frame = student.page.evaluate(FRAME)
    most, is_wide = MOST_BEGIN[size["width"]], size["width"] > 900
    faults = {
        f"picture begins at {frame['begins']}": (frame["begins"] or 9e9) > most,
        f"picture ends at {frame['right']} of the width": frame["right"] > size["width"],
        f"picture covers {frame['share']:.0%}": is_wide and frame["share"] < LEAST_SHARE,
        f"controls end at {frame['controls']}": is_wide and frame["controls"] > size["height"],
    }
    return [words for words, is_fault in faults.items() if is_fault]


def settle(student: Student) -> None:
    """Wait until the page has answered and drawn."""
    student.page.wait_for_timeout(100)  # what was pressed is on its way to the server
    student.rest()
    student.draw()


def choose(student: Student, title: str) -> None:
    """Choose a view of the page."""
    student.page.get_by_role("radio", name=title, exact=True).click()
    settle(student)


def frames_sent(student: Student, ready: Locator) -> list[str | bytes]:
    """Collect what the page sends to the server, after a reload and once it is quiet."""
    sent: list[str | bytes] = []

    def note(frame: str | bytes) -> None:
        sent.append(frame)

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", note)

    student.page.on("websocket", listen)
    student.page.reload()
    expect(ready).to_be_visible()
    while sent:
        sent.clear()
        student.page.wait_for_timeout(500)
    return sent


def findings(student: Student) -> list[str]:
    """List what a scan for accessibility holds for serious, and still does a moment later.

    A line each. A bar that has its height and not its links yet, say, is not found twice.
    """
    if not _scan(student.page):
        return []
    settle(student)
    return _scan(student.page)


def _scan(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def check_views(
    browser: Browser,
    server: Server,
    page: str,
    views: Iterable[View[Any]],
    screen: str,
    *,
    ready: str = "",
) -> None:
    """Open every view of a page as somebody with this screen: drawn, framed, for everybody.

    Args:
        browser: a real one.
        server: the app.
        page: its name in the link, and what else the link has.
        views: those of the page.
        screen: one of `SCREENS`.
        ready: key of what is on the page once a view is, with {} for the view; empty: nothing.
    """
    _, width = SCREENS[screen]
    troubles = {}
    with students(browser, server, screen) as come:
        student = come(f"/{page}")
        for view in views:
            choose(student, view.title)
            if ready:
                expect(student.page.locator(f".st-key-{ready.format(view.name)}")).to_be_visible()
            settle(student)
            expect(student.page.get_by_test_id("stException")).to_have_count(0)
            expect(student.page.get_by_test_id("stAlert").filter(has_text="not")).to_have_count(0)
            wide = student.page.evaluate(WIDTH)
            found = [*findings(student), *([f"{wide} pixels wide"] if wide > width else [])]
            found += frame_faults(student)
            found += skipped_headings(student.page.evaluate(HEADINGS))
            if found:
                troubles[view.name] = found
        assert not troubles, troubles
