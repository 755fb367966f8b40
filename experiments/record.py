"""Record experiments of this folder, and make of their logs what the app ships.

    python experiments/record.py [NAME ...]              train what is left of them, then ship
    python experiments/record.py [NAME ...] --rebuild    only ship, from the logs that there are

Logs are whole run folders, one experiment beside the other, and stay where they are. Ctrl-C stops,
and the same line goes on. What two experiments share is trained once.
"""

import argparse
import platform
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from explorer.content import RECORDED
from tiny_llama.command_line import main as tiny_llama
from tiny_llama.comparing.outcomes import DIVERGED, Outcome, read_outcomes
from tiny_llama.comparing.plan import read_plan, write_plan
from tiny_llama.files import read_json, write_json
from tiny_llama.metrics import SAMPLE, Row, add_metrics, read_metrics
from tiny_llama.setup import load_setup, write_setup

HERE = Path(__file__).parent
NAMES = (
    *("race", "ladder", "leave-one-out", "ladder-backwards"),
    *("scaling-rates", "scaling", "smarter", "tasks"),
)
"""In the order in which they are trained: what is most wanted first."""
ABOUT = "recorded.json"
"""What an experiment's folder says of its recording: day, machine, versions, seconds."""


def main() -> None:
    """Record and ship the experiments that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rebuild", action="store_true", help="train nothing")
    parser.add_argument("--logs", type=Path, default=HERE / "logs", help="where whole runs lie")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no experiment {min(unknown)!r}; choose {', '.join(NAMES)}")
    for name in options.names or NAMES:
        if not options.rebuild:
            record(name, options.logs)
        if (options.logs / name).is_dir():
            ship(options.logs / name, RECORDED / name)


def record(name: str, logs: Path) -> None:
    """Train what is left of an experiment."""
    folder = logs / name
    if not (folder / ABOUT).is_file():
        write_json(folder / ABOUT, _about())
    others = [str(path) for other in NAMES if other != name and (path := logs / other).is_dir()]
    line = ["sweep", str(HERE / f"{name}.toml"), "--out", str(folder), "--threads", "1"]
    if code := tiny_llama([*line, *(["--others", *others] if others else [])]):
        sys.exit(code)


def ship(logs: Path, folder: Path) -> None:
    """Put an experiment as far as it is over into the app: its plan, its runs, how it was made."""
    plan = read_plan(logs)
    outcomes = [each for kind in read_outcomes(logs, plan) for each in kind if each.is_over]
    shutil.rmtree(folder, ignore_errors=True)
    write_plan(folder, plan)
    for outcome in outcomes:
        is_first = outcome.run.seed == plan.seeds[0]
        rows = thinned(
            read_metrics(logs / outcome.run.name),
            every_look=not outcome.run.is_trial,
            samples=is_first,
        )
        _ship_run(logs / outcome.run.name, folder / outcome.run.name, rows)
    write_json(folder / ABOUT, read_json(logs / ABOUT) | _totals(plan.n_runs, outcomes))


def thinned(rows: list[Row], *, every_look: bool = True, samples: bool = True) -> list[Row]:
    """Leave what is shown of a run, each row with the seconds of those left out before it.

    Args:
        rows: all of them.
        every_look: whether to keep each row with a look at held-out text; else the first and the
            last row.
        samples: whether to keep samples, and the rows that have one.
    """
    kept, seconds = [], 0.0
    for row in rows:
        seconds += row.get("seconds", 0.0)
        said = row if samples else {name: row[name] for name in row if name != SAMPLE}
        is_look = "held_out_loss" in row if every_look else row in (rows[0], rows[-1])
        if is_look or SAMPLE in said:
            kept.append({**said, "seconds": float(f"{seconds:.6g}")})
            seconds = 0.0
    return kept


def _ship_run(logs: Path, folder: Path, rows: list[Row]) -> None:
    write_setup(folder, load_setup(logs))
    add_metrics(folder, rows)
    if (logs / DIVERGED).is_file():
        shutil.copy(logs / DIVERGED, folder)


def _about() -> dict[str, Any]:
    """Say when and on what machine this is recorded."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _totals(n_runs: int, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "n_over": len(outcomes),
        "n_runs": n_runs,
        "seconds": round(sum(each.seconds for each in outcomes)),
    }


def _processor() -> str:
    """Name the processor, as Linux knows it or as the system says."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


if __name__ == "__main__":
    main()
