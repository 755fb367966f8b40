"""What starts and turns cost a worker, in processor time: it says the same on a busy machine.

    python benchmarks/turns.py [--runs 1,10,30] [--seconds 24]

Default runs start one after the other in one process, each followed by two turns; then all take
turns until so many seconds of processor time are spent. No server, no pages.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from explorer.engine import store
from explorer.engine.messages import Message, News, Start
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.worker.live_runs import LiveRuns
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig

SETUP = Setup(training=TrainConfig(steps=20_000))


class Class:
    """Runs that start and take turns in this process.

    Args:
        folder: where their folders are made.
    """

    def __init__(self, folder: Path) -> None:
        self.steps: dict[str, int] = {}
        self.first_step: list[float] = []
        """Processor seconds from each run's start to its first step."""
        self._folder = folder
        self._began: dict[str, float] = {}
        self.runs = LiveRuns(self._take)
        self.runs.warm_up()

    def start(self, name: str) -> None:
        """Start one more run."""
        run = Run(id=name, setup=SETUP, owner="student", folder=self._folder / name)
        store.write_record(run)
        self._began[name] = time.process_time()
        start = Start(run=name, folder=str(run.folder), state=RunState.RUNNING)
        self.runs.start(start)()
        self.runs.tell_new()

    def _take(self, message: Message) -> None:
        if isinstance(message, News) and message.rows:
            if message.run not in self.steps:
                self.first_step.append(time.process_time() - self._began[message.run])
            self.steps[message.run] = max(int(row["step"]) for row in message.rows)


def main() -> None:
    """Measure each number of runs and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", default="1,10,30", help="runs at once; several with commas")
    parser.add_argument("--seconds", type=float, default=24, help="of processor time for each")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("| runs | start to step 1, median / max, CPU s | steps a CPU second, all together |")
    print("| ---: | ---: | ---: |")
    for n_runs in map(int, chosen.runs.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            print(measured(Class(Path(folder)), n_runs, chosen.seconds), flush=True)


def measured(runs: Class, n_runs: int, seconds: float) -> str:
    """Start runs, let them take turns, and say in a row of the table what that cost."""
    began = time.process_time()
    for number in range(n_runs):
        runs.start(f"run{number:05}")
        for _ in range(2):
            runs.runs.train_a_slice()
    while time.process_time() - began < seconds:
        runs.runs.train_a_slice()
    pace = sum(runs.steps.values()) / (time.process_time() - began)
    first = runs.first_step
    return f"| {n_runs} | {median(first):.2f} / {max(first):.2f} | {pace:.1f} |"


if __name__ == "__main__":
    main()
