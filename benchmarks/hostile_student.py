"""A hostile student beside nine ordinary ones, in as much memory as Community Cloud gives at least.

    python benchmarks/hostile_student.py [--only WORDS] [--seconds 30] [--root FOLDER]
    python benchmarks/hostile_student.py --cloud --python VENV/bin/python

Nine students train a default run each, change a setting every eight seconds, and look into a model
every five with a text that nobody has asked about. First they are measured with a tenth like them,
then with one who does what `attacks.py` says, each attack on a fresh server. That one's client is a
process of its own, niced, so that it takes no time from those who are measured. Linux only; to have
the kernel keep the limit, as root.

Seconds in brackets are those beside a tenth ordinary student, on the same server just before: on a
machine with other work, only the two beside each other say something. Killed are what the kernel
ended; workers that ended otherwise count, too.

The share is that of the ordinary runs' steps a second under attack in those beside a tenth ordinary
student: the mean of them, and the slowest run's. In brackets is the mean by the workers' processor
time: how many steps of the ordinary runs a second of it brought forth, which says the same on a
busy machine.

With `--cloud` the app is started as on Community Cloud, as far as that can be had: what is
committed is copied to `/mount/src`, the working directory is its root, Streamlit's settings are
those that are set there, and limits are those that the app chooses for that place. `--python` names
the interpreter of an environment into which `explorer/requirements.txt` was installed.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import mean
from typing import Any

from app_server import ROOT, AppServer, is_alive, proportional_megabytes
from attacks import ATTACKS
from class_report import Meter, spread
from memory_limit import MemoryLimit
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit_client import Tab, user_key

TABLE_HEAD = """\
| what one browser does | killed | page p95, s (before) | look p95, s (before) \
| share of fair share, mean / slowest (by processor) \
| memory at most, MB | troubles of the others | load |
| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"""
CLOUD_FOLDER = Path("/mount/src")
CLOUD_SETTINGS = (
    "--server.enableCORS=true",
    "--server.enableXsrfProtection=true",
    "--server.runOnSave=true",
    "--runner.fastReruns=true",
    "--client.showErrorDetails=false",
)
"""What Community Cloud sets, whatever an app's own settings say."""
N_ORDINARY = 9
PATIENCE = 120.0
"""Seconds after which an ordinary student gives up on a page."""
EVERY, LOOKS_EVERY = 8.0, 5.0
"""Seconds between two changes of a setting, and between two looks, of one student."""
NEARLY_THERE = 2.0
"""Seconds between an attack's begin and the first measurement under it."""
WORDS = ("the", "duck", "sat", "by", "a", "pond", "and", "his", "red", "fox", "ran", "up", "old")


@dataclass
class Times:
    """Seconds that pages and looks took, by when they were asked for."""

    pages: list[tuple[float, float]] = field(default_factory=list)
    looks: list[tuple[float, float]] = field(default_factory=list)

    def within(self, begin: float, end: float) -> tuple[list[float], list[float]]:
        """Give those that were asked for between two moments."""
        return (
            [took for at, took in self.pages if begin <= at <= end],
            [took for at, took in self.looks if begin <= at <= end],
        )


class Student:
    """An ordinary student: a tab to train in, and one to look into a model."""

    def __init__(self, address: str, number: int, times: Times) -> None:
        self._train = Tab(address, "train", "steps=20000")
        self._look = Tab(address, "attention", "")
        self._times, self._chance = times, random.Random(number)

    @property
    def troubles(self) -> list[str]:
        """What went wrong in both tabs."""
        return self._train.ledger.troubles + self._look.ledger.troubles

    @property
    def run_id(self) -> str:
        """The name of the student's run."""
        return self._train.ledger.run_id or ""

    async def begin(self) -> None:
        """Open the Train page and press Train, then open the other page."""
        for tab in (self._train, self._look):
            await tab.open()
            await _answer(tab)
            if tab is self._train:
                await tab.press("train")
                await _answer(tab)

    async def attend(self) -> None:
        """Change settings and look into a model, until cancelled."""
        await asyncio.gather(self._change(), self._look_inside())

    async def leave(self) -> None:
        """Close both pages."""
        for tab in (self._train, self._look):
            with suppress(Exception):
                await tab.close()

    async def _change(self) -> None:
        while True:
            await asyncio.sleep(EVERY * self._chance.uniform(0.5, 1.5))
            began = time.perf_counter()
            with suppress(TimeoutError, LookupError):
                await self._train.enter("steps", self._chance.randrange(10_000, 50_000))
                await _answer(self._train)
            self._times.pages.append((began, time.perf_counter() - began))

    async def _look_inside(self) -> None:
        while True:
            await asyncio.sleep(LOOKS_EVERY * self._chance.uniform(0.5, 1.5))
            text = " ".join(self._chance.choices(WORDS, k=16))
            began = time.perf_counter()
            with suppress(TimeoutError, StopIteration):
                widgets = self._look.widgets
                id_ = next(each for each in widgets if user_key(each) == "text")
                widgets[id_] = WidgetState(id=id_, string_value=text)
                await self._look.ask()
                await _answer(self._look)
            self._times.looks.append((began, time.perf_counter() - began))


async def _answer(tab: Tab) -> None:
    async with asyncio.timeout(PATIENCE):
        await tab.ledger.answered.wait()


class Memory:
    """Watches how much the server and its workers hold, and which workers there have been."""

    def __init__(self, app: AppServer) -> None:
        self.most_megabytes, self.workers = 0.0, set(workers_of(app))
        self._task = asyncio.create_task(self._watch(app))

    def stop(self) -> None:
        """Watch no more."""
        self._task.cancel()

    async def _watch(self, app: AppServer) -> None:
        while True:
            with suppress(OSError, StopIteration):
                processes = [app.pid, *app.workers]
                self.workers.update(workers_of(app))
                held = sum(map(proportional_megabytes, processes))
                self.most_megabytes = max(self.most_megabytes, held)
            await asyncio.sleep(0.5)


def workers_of(app: AppServer) -> Iterator[int]:
    """Yield the processes that hold runs; others come and go, as one that trains a tokenizer."""
    for process in app.workers:
        with suppress(OSError):
            if b"explorer.engine.worker\0" in Path(f"/proc/{process}/cmdline").read_bytes():
                yield process


async def measure(app: AppServer, limit: MemoryLimit, attack: str, seconds: float) -> str:
    """Measure a line of the table: nine ordinary students before and under an attack."""
    times, memory = Times(), Memory(app)
    students = [Student(app.address, number, times) for number in range(N_ORDINARY)]
    tenth = Student(app.address, N_ORDINARY, Times())
    for student in (*students, tenth):
        await student.begin()
    lessons = [asyncio.create_task(each.attend()) for each in (*students, tenth)]
    await until_all_move(app, [*students, tenth])
    calm_from = time.perf_counter()
    calm, calm_pace = await speeds(app, students, seconds)
    if attack != "nothing":
        lessons.pop().cancel()
        await tenth._train.press("run_stop")
        await tenth.leave()
    n_troubles = sum(len(each.troubles) for each in students)
    n_workers, began = len(memory.workers), time.perf_counter()
    hostile = subprocess.Popen([sys.executable, __file__, "--attack", attack, app.address])
    try:
        await asyncio.sleep(NEARLY_THERE)
        under, pace = await speeds(app, students, seconds)
    finally:
        hostile.kill()
        hostile.wait()
    pages, looks = times.within(began, began + NEARLY_THERE + seconds)
    calm_pages, calm_looks = times.within(calm_from, calm_from + seconds)
    troubles = [text for each in students for text in each.troubles][n_troubles:]
    killed = {
        "the server": not is_alive(app.pid),
        f"{limit.n_killed} by the kernel": limit.n_killed > 0,
        f"the worker × {len(memory.workers) - n_workers}": len(memory.workers) > n_workers,
    }
    cells = [
        attack,
        ", ".join(name for name, is_so in killed.items() if is_so) or "–",
        f"{_p95(pages)} ({_p95(calm_pages)})",
        f"{_p95(looks)} ({_p95(calm_looks)})",
        f"{_ratio(mean(under), mean(calm)):.2f} / {_ratio(min(under), mean(calm)):.2f} "
        f"({_ratio(pace, calm_pace):.2f})",
        f"{memory.most_megabytes:.0f}",
        "; ".join(f"{troubles.count(each)} × {each[:60]}" for each in dict.fromkeys(troubles))
        or "–",
        f"{os.getloadavg()[0]:.0f}",
    ]
    memory.stop()
    for lesson in lessons:
        lesson.cancel()
    await asyncio.gather(*lessons, return_exceptions=True)
    for student in students:
        await student.leave()
    return f"| {' | '.join(cells)} |"


def _p95(seconds: Sequence[float]) -> str:
    return f"{spread(seconds)['p95']:.2f}" if seconds else "–"


def _ratio(one: float, other: float) -> float:
    return one / other if other else float("nan")


async def until_all_move(app: AppServer, students: Sequence[Student]) -> None:
    """Wait until every run has done a step, or for two minutes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(120):
            while not all(Meter.read(app).steps.get(each.run_id) for each in students):
                await asyncio.sleep(0.5)


async def speeds(
    app: AppServer, students: Sequence[Student], seconds: float
) -> tuple[list[float], float]:
    """Measure each run's steps a second, over so long; there are none where the server has died.

    Returns:
        Those, and how many steps all of them did in a second of the workers' processor time.
    """
    before, began = read(app), time.perf_counter()
    await asyncio.sleep(seconds)
    after, passed = read(app), time.perf_counter() - began
    if not (before and after):
        return [0.0] * len(students), 0.0
    done = [after.steps.get(each.run_id, 0) - before.steps.get(each.run_id, 0) for each in students]
    return [n / passed for n in done], _ratio(sum(done), after.workers - before.workers)


def read(app: AppServer) -> Meter | None:
    """Read what has been used so far; None where the server has died."""
    with suppress(OSError, StopIteration):
        return Meter.read(app)
    return None


def processor() -> str:
    """Name the kind of processor, and how many of it."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}"


def main() -> None:
    """Measure what the command line asks for."""
    chosen = arguments()
    if chosen.attack:
        os.nice(10)
        asyncio.run(hostile_life(chosen.attack, chosen.address))
        return
    if not chosen.cloud:
        os.environ["TINY_LLAMA_LIMITS"] = "shared"
    with laid_out(chosen.root) if chosen.cloud else nullcontext(chosen.root) as root:
        measure_all(chosen, root)


def measure_all(chosen: Any, root: Path) -> None:
    """Measure each attack that is asked for, on a fresh server."""
    settings = [*(CLOUD_SETTINGS if chosen.cloud else ()), *chosen.settings]
    wanted = [name for name in ATTACKS if chosen.only in name]
    with MemoryLimit(chosen.megabytes) as limit:
        print(f"{chosen.megabytes} MB kept by {limit.kept_by}; {processor()}\n\n{TABLE_HEAD}")
    for attack in wanted:
        with (
            MemoryLimit(chosen.megabytes) as limit,
            AppServer(*settings, under=limit.command, python=chosen.python, root=root) as app,
        ):
            limit.watch(lambda app=app: (app.pid, *app.workers))  # type: ignore[misc]
            try:
                line = asyncio.run(measure(app, limit, attack, chosen.seconds))
            except Exception as error:
                line = f"| {attack} | gave up: {error!r} | | | | | | |"
            print(line, flush=True)
            if chosen.log:
                print(json.dumps(app.printed()[-2000:]), flush=True)


@contextmanager
def laid_out(root: Path) -> Iterator[Path]:
    """Copy what is committed of a project to where Community Cloud lays an app, for the while."""
    CLOUD_FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CLOUD_FOLDER) as folder:
        archive = subprocess.run(["git", "-C", root, "archive", "HEAD"], stdout=-1, check=True)
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def arguments() -> Any:
    """Read what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="attacks whose words have this in them")
    parser.add_argument(
        "--seconds", type=float, default=30, help="how long each attack is measured"
    )
    parser.add_argument(
        "--megabytes", type=int, default=690, help="what server and workers may hold"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="another copy of the project")
    parser.add_argument("--python", default=sys.executable, help="what the server is run by")
    parser.add_argument("--cloud", action="store_true", help="start it as on Community Cloud")
    parser.add_argument("--log", action="store_true", help="print what the server said last, too")
    parser.add_argument("--settings", nargs="*", default=[], help="more settings of Streamlit")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("address", nargs="?", help=argparse.SUPPRESS)
    return parser.parse_args()


async def hostile_life(attack: str, address: str) -> None:
    """Attack until the process is killed, over again where the server has thrown one out."""
    while True:
        with suppress(Exception):
            await ATTACKS[attack](address)
        await asyncio.sleep(1)


if __name__ == "__main__":
    main()
