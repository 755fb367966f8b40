"""A whole class at once: how long pages and live updates take, and what server and worker need.

    python benchmarks/class_load.py --sessions 1,10,30 [--seconds 60] [--browser] [--json]

Every student opens /train, presses Train, watches the run and changes a setting now and then. They
are WebSocket clients that speak as a browser does (`streamlit_client.py`), or with --browser real
headless Chromium contexts, which take processor time from the app if they share its machine.
Linux only: it reads /proc. Needs a `chromium` on the path for --browser.

With --trains browser every run trains in its student's own browser, and the server hears of it now
and then (`browser_student.py`; real browsers really train); with --trains nobody nobody presses.

A page run is timed from the question to its last message; with --browser from the click until the
browser has drawn a frame after that message. Live updates are timed alike in both, on the wire.
"""

import argparse
import asyncio
import json
import random
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol, cast

import playwright.async_api as browsers
from app_server import AppServer
from browser_student import BrowserTrainer
from class_report import TABLE_HEAD, FirstRows, Megabytes, Meter, Visit, report, table_row
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit_client import Answer, Ledger, Tab

PATIENCE_SECONDS = 120
"""How long a student waits for one page before giving up."""


class Student(Protocol):
    """Somebody at a browser, real or not; each method returns when the page has answered."""

    ledger: Ledger
    page_runs: list[Answer]

    async def open(self) -> None:
        """Open the page."""

    async def train(self) -> None:
        """Press Train."""

    async def change_steps(self, steps: int) -> None:
        """Change a setting, which runs the whole page again."""

    async def close(self) -> None:
        """Leave."""


class TabStudent:
    """A student whose browser is a WebSocket client."""

    def __init__(self, address: str, query: str, trains: str) -> None:
        self._tab = Tab(address, "train", query)
        self._trains, self._trainer = trains, cast(BrowserTrainer | None, None)
        self.ledger = self._tab.ledger
        self.page_runs = self.ledger.page_runs

    async def open(self) -> None:  # noqa: D102 - as Student has it
        await self._tab.open()
        await self.ledger.answered.wait()

    async def train(self) -> None:  # noqa: D102
        if self._trains == "nobody":
            self.ledger.pressed_at = time.perf_counter()
            return
        await self._tab.press("train")
        await self.ledger.answered.wait()
        if self._trains == "browser":
            self._trainer = BrowserTrainer(self._tab)

    async def change_steps(self, steps: int) -> None:  # noqa: D102
        await self._tab.enter("steps", steps)
        await self.ledger.answered.wait()

    async def close(self) -> None:  # noqa: D102
        if self._trainer:
            self._trainer.stop()
        await self._tab.close()


class BrowserStudent:
    """A student with a context of Chromium; the ledger reads what goes over its WebSocket."""

    def __init__(self, browser: browsers.Browser, address: str, query: str) -> None:
        self.ledger = Ledger()
        self.page_runs: list[Answer] = []
        self._browser, self._link = browser, f"{address}/train?{query}"

    async def open(self) -> None:  # noqa: D102
        context = await self._browser.new_context()
        self._page = await context.new_page()
        self._page.set_default_timeout(PATIENCE_SECONDS * 1000)
        self._page.on("websocket", self._listen)
        async with self._timed():
            await self._page.goto(self._link)

    async def train(self) -> None:  # noqa: D102
        async with self._timed():
            await self._page.locator(".st-key-train button").click()

    async def change_steps(self, steps: int) -> None:  # noqa: D102
        box = self._page.locator(".st-key-steps input")
        await box.fill(str(steps))
        async with self._timed():
            await box.press("Enter")

    async def close(self) -> None:  # noqa: D102
        await self._page.context.close()

    def _listen(self, socket: browsers.WebSocket) -> None:
        socket.on("framesent", self._note_sent)
        socket.on("framereceived", self._note_received)

    def _note_sent(self, raw: bytes | str) -> None:
        if isinstance(raw, bytes):
            self.ledger.sent(BackMsg.FromString(raw))

    def _note_received(self, raw: bytes | str) -> None:
        if isinstance(raw, bytes):
            self.ledger.received(raw)

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        """Time what passes until the answer to what the body does has been drawn."""
        self.ledger.answered.clear()
        asked_at, n_before = time.perf_counter(), len(self.ledger.page_runs)
        yield
        await self.ledger.answered.wait()
        await self._page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
        )
        for answer in self.ledger.page_runs[n_before:]:  # none, if the page run was lost
            seconds = time.perf_counter() - asked_at
            self.page_runs.append(replace(answer, asked_at=asked_at, seconds=seconds))


def main() -> None:
    """Let one class after the other in, each to a fresh server, and print what was measured."""
    chosen = arguments()
    print(TABLE_HEAD)
    for n_students in map(int, chosen.sessions.split(",")):
        with AppServer() as app:
            found = asyncio.run(measure(app, n_students, chosen))
            found |= {"browser": chosen.browser, "tracebacks": app.printed().count("Traceback")}
        print(table_row(found), flush=True)
        if chosen.json:
            print(json.dumps(found), flush=True)


def arguments() -> argparse.Namespace:
    """Read what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", default="30", help="students; several numbers with commas")
    parser.add_argument("--seconds", type=float, default=60, help="how long all are measured")
    parser.add_argument("--spread", type=float, default=20, help="seconds in which all arrive")
    parser.add_argument("--every", type=float, default=8, help="seconds between page runs of one")
    parser.add_argument("--query", default="steps=50000", help="what stands in the link")
    parser.add_argument("--trains", choices=["server", "browser", "nobody"], default="server")
    parser.add_argument("--browser", action="store_true", help="in real browsers; up to 10 or so")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, too")
    return parser.parse_args()


async def measure(app: AppServer, n_students: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Let a class in, wait until everybody has pressed Train, and measure from then on."""
    async with chromium() if chosen.browser else nullcontext() as browser:
        students = [new_student(browser, app.address, chosen) for _ in range(n_students)]
        over, first_rows = asyncio.Event(), FirstRows(app.runs)
        lessons = [
            asyncio.create_task(
                attend(
                    student,
                    over,
                    arrives=chosen.spread * number / n_students,
                    every=chosen.every,
                    chance=random.Random(number),
                )
            )
            for number, student in enumerate(students)
        ]
        await until_all_train(students, lessons)
        before = Meter.read(app)
        await asyncio.sleep(chosen.seconds)
        after, memory = Meter.read(app), Megabytes.read(app)
        over.set()
        await asyncio.gather(*lessons)
        first_rows.stop()
    visits = [Visit(ledger=student.ledger, page_runs=student.page_runs) for student in students]
    return report(visits, before, after, memory, first_rows.seen_at)


def new_student(
    browser: browsers.Browser | None, address: str, chosen: argparse.Namespace
) -> Student:
    """Let somebody new into the class."""
    query = chosen.query + "&where=browser" * (chosen.trains == "browser")
    if browser:
        return BrowserStudent(browser, address, query)
    return TabStudent(address, query, chosen.trains)


async def attend(
    student: Student, over: asyncio.Event, *, arrives: float, every: float, chance: random.Random
) -> None:
    """Attend one lesson; what goes wrong in it is noted, and does not end anybody else's."""
    try:
        await asyncio.sleep(arrives)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await student.open()
        await asyncio.sleep(chance.uniform(0.5, 2))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await student.train()
        while not await is_set_within(over, every * chance.uniform(0.75, 1.25)):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await student.change_steps(chance.randrange(10_000, 50_000))
        await student.close()
    except Exception as error:
        student.ledger.troubles.append(f"gave up: {error!r}")


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until the event is set; say whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def until_all_train(
    students: Sequence[Student], lessons: Sequence["asyncio.Task[None]"]
) -> None:
    """Wait until everybody has pressed Train, or has given up."""
    while not all(
        student.ledger.pressed_at or lesson.done()
        for student, lesson in zip(students, lessons, strict=True)
    ):
        await asyncio.sleep(0.1)


@asynccontextmanager
async def chromium() -> AsyncIterator[browsers.Browser]:
    """Lend a headless Chromium."""
    async with browsers.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


if __name__ == "__main__":
    main()
