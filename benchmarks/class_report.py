"""What a class and its server went through between two moments, as figures and as a table row."""

import asyncio
import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from app_server import (
    AppServer,
    busy_seconds,
    cpu_seconds,
    proportional_megabytes,
    resident_megabytes,
)
from streamlit_client import Answer, Ledger

TABLE_HEAD = """\
| sessions | page run p50 / p95, ms | lost | live update p50 / p95, ms \
| asked every, median / max, s | late | bytes | Train to step 1, median / max, s | troubles \
| server + workers, MB | PSS, MB | steps/s slowest / mean / total \
| cores: server + workers (all others) |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What had been used at one moment; two of them make a window."""

    at: float
    server: float
    workers: float
    own: float
    machine: float
    """Processor seconds of the server, its workers, this process, and the whole machine."""
    steps: dict[str, int]
    """The last step of each run."""

    @classmethod
    def read(cls, app: AppServer) -> "Meter":
        """Read it now."""
        return cls(
            at=time.perf_counter(),
            server=cpu_seconds(app.pid),
            workers=sum(map(cpu_seconds, app.workers)),
            own=time.process_time(),
            machine=busy_seconds(),
            steps={file.parent.name: last_step(file) for file in app.runs.glob("*/metrics.jsonl")},
        )


@dataclass(frozen=True, kw_only=True)
class Megabytes:
    """Memory of server, workers and both; pages that several processes share count once in PSS."""

    server: float
    workers: float
    both: float
    server_pss: float
    workers_pss: float
    both_pss: float

    @classmethod
    def read(cls, app: AppServer) -> "Megabytes":
        """Read it now."""
        server, workers = resident_megabytes(app.pid), sum(map(resident_megabytes, app.workers))
        server_pss = proportional_megabytes(app.pid)
        workers_pss = sum(map(proportional_megabytes, app.workers))
        return cls(
            server=round(server),
            workers=round(workers),
            both=round(server + workers),
            server_pss=round(server_pss),
            workers_pss=round(workers_pss),
            both_pss=round(server_pss + workers_pss),
        )


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What one student met."""

    ledger: Ledger
    page_runs: Sequence[Answer]


class FirstRows:
    """Notes when each run's first step is on disk, until it is stopped."""

    def __init__(self, runs: Path) -> None:
        self.seen_at: dict[str, float] = {}
        self._watch = asyncio.create_task(self._look(runs))

    def stop(self) -> None:
        """Look no more."""
        self._watch.cancel()

    async def _look(self, runs: Path) -> None:
        while True:
            for file in runs.glob("*/metrics.jsonl"):
                if file.parent.name not in self.seen_at and last_step(file) >= 1:
                    self.seen_at[file.parent.name] = time.perf_counter()
            await asyncio.sleep(0.2)


def report(
    visits: Sequence[Visit],
    before: Meter,
    after: Meter,
    memory: Megabytes,
    first_rows: dict[str, float],
) -> dict[str, Any]:
    """Give everything that was measured between the two meters, by name."""
    ledgers = [visit.ledger for visit in visits]
    return {
        "sessions": len(visits),
        "seconds": round(after.at - before.at, 1),
        **_times(visits, before.at, after.at),
        "shows_step_s": spread(_since_pressed(ledgers, [each.shows_step_at for each in ledgers])),
        "first_row_s": spread(
            _since_pressed(ledgers, [first_rows.get(each.run_id or "") for each in ledgers])
        ),
        "troubles": sum(len(each.troubles) for each in ledgers),
        "trouble_texts": sorted({text for each in ledgers for text in each.troubles})[:5],
        "memory_mb": asdict(memory),
        **_speeds(ledgers, before, after),
        **_cores(before, after),
    }


def _times(visits: Sequence[Visit], begin: float, end: float) -> dict[str, Any]:
    """Say how long pages and updates took that were asked for in the window."""
    ledgers = [visit.ledger for visit in visits]
    runs = [each for visit in visits for each in visit.page_runs if begin <= each.asked_at <= end]
    updates = [each for all_ in ledgers for each in all_.updates if begin <= each.asked_at <= end]
    return {
        "first_page_ms": spread(
            [1000 * each.page_runs[0].seconds for each in visits if each.page_runs]
        ),
        "page_run_ms": spread([1000 * each.seconds for each in runs]),
        "page_run_bytes": spread([each.n_bytes for each in runs]),
        "update_ms": spread([1000 * each.seconds for each in updates]),
        "update_bytes": spread([each.n_bytes for each in updates]),
        "interval_s": spread([each for all_ in ledgers for each in all_.intervals.values()]),
        "n_lost": sum(begin <= moment <= end for each in ledgers for moment in each.lost),
        "n_asked": sum(begin <= moment <= end for each in ledgers for moment in each.asked),
        "n_late": sum(begin <= moment <= end for each in ledgers for moment in each.late),
    }


def _since_pressed(ledgers: Sequence[Ledger], moments: Sequence[float | None]) -> list[float]:
    """Count the seconds from Train to a moment, where there were both."""
    return [
        moment - each.pressed_at
        for each, moment in zip(ledgers, moments, strict=True)
        if moment and each.pressed_at
    ]


def _speeds(ledgers: Sequence[Ledger], before: Meter, after: Meter) -> dict[str, Any]:
    """Give the steps a second of everybody's own run; 0 for who has none."""
    ids = [each.run_id or "" for each in ledgers]
    seconds = after.at - before.at
    speeds = [(after.steps.get(id_, 0) - before.steps.get(id_, 0)) / seconds for id_ in ids]
    return {"steps_per_s": spread(speeds), "steps_per_s_total": round(sum(speeds), 1)}


def _cores(before: Meter, after: Meter) -> dict[str, float]:
    """Say how many cores each took; Chromium's processes are among the others."""
    used = {
        name: getattr(after, name) - getattr(before, name) for name in ("server", "workers", "own")
    }
    others = after.machine - before.machine - sum(used.values())
    seconds = after.at - before.at
    return {
        "cores_server": round(used["server"] / seconds, 3),
        "cores_workers": round(used["workers"] / seconds, 3),
        "cores_clients": round(used["own"] / seconds, 3),
        "cores_others": round(others / seconds, 3),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Give count, smallest, median, mean, 95th percentile and largest; of none only the count."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "min": round(ordered[0], 2),
        "p50": round(median(ordered), 2),
        "mean": round(mean(ordered), 2),
        "p95": round(ordered[math.ceil(0.95 * len(ordered)) - 1], 2),
        "max": round(ordered[-1], 2),
    }


def table_row(found: dict[str, Any]) -> str:
    """Write a report as a line under `TABLE_HEAD`."""
    memory = found["memory_mb"]
    cells = [
        f"{found['sessions']}{' (Chromium)' if found['browser'] else ''}",
        _pair(found["page_run_ms"], "p50", "p95"),
        f"{found['n_lost']} of {found['n_lost'] + found['page_run_ms']['n']}",
        _pair(found["update_ms"], "p50", "p95"),
        _pair(found["interval_s"], "p50", "max", form=".1f"),
        f"{found['n_late']} of {found['n_asked']}",
        _pair(found["update_bytes"], "p50", form=",.0f"),
        _pair(found["shows_step_s"], "p50", "max", form=".1f"),
        f"{found['troubles'] + found['tracebacks']}",
        f"{memory['server']} + {memory['workers']} = {memory['both']}",
        f"{memory['both_pss']}",
        _pair(found["steps_per_s"], "min", "mean", form=".1f")
        + f" / {found['steps_per_s_total']:.0f}",
        f"{found['cores_server']:.2f} + {found['cores_workers']:.2f} ({found['cores_others']:.2f})",
    ]
    return f"| {' | '.join(cells)} |"


def _pair(values: dict[str, float], *names: str, form: str = ".0f") -> str:
    return " / ".join(format(values[name], form) if name in values else "–" for name in names)


def last_step(metrics: Path) -> int:
    """Find the last step that a run has written; 0 if there is none yet."""
    rows: list[bytes] = []
    with suppress(FileNotFoundError), metrics.open("rb") as file:  # it may be written anew
        file.seek(max(0, file.seek(0, os.SEEK_END) - 10_000))
        rows = file.read().splitlines(keepends=True)
    steps = [0]
    for row in reversed(rows):
        if row.endswith(b"\n") and row.startswith(b"{"):  # neither half written nor half read
            steps.append(int(json.loads(row).get("step", 0)))
        if len(steps) > 2:  # the last row may be that of the untrained model, which comes late
            break
    return max(steps)
