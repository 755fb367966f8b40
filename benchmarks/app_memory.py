"""What the whole app takes of memory while runs train: web server, worker, and both together.

    python benchmarks/app_memory.py [--runs 3] [--seconds 20]

Needs a `chromium` on the path, for a student who presses Train. Linux only: it reads /proc.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Start the app, train, and print a line of a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="students who train at once")
    parser.add_argument("--seconds", type=float, default=20, help="how long they train")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        where = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "explorer/app.py", *where],
            cwd=ROOT,
            env=os.environ | {"TINY_LLAMA_RUNS": folder},
            stdout=subprocess.DEVNULL,
        )
        try:
            time.sleep(5)
            train(f"http://127.0.0.1:{port}/train?steps=50000", chosen.runs, chosen.seconds)
            server, worker = megabytes(app.pid), sum(map(megabytes, children(app.pid)))
        finally:
            app.terminate()
            app.wait(timeout=60)
    print(f"| {chosen.runs} | {server:.0f} | {worker:.0f} | {server + worker:.0f} |")


def train(address: str, n_runs: int, seconds: float) -> None:
    """Let as many students as runs open the page, each in a browser of their own, and train."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        pages = [browser.new_context().new_page() for _ in range(n_runs)]
        for page in pages:
            page.goto(address)
            page.get_by_role("button", name="Train", exact=True).click(timeout=60_000)
            page.get_by_text("Training: step").wait_for(timeout=120_000)
        time.sleep(seconds)
        browser.close()


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return sorted({int(child) for each in lists for child in each.read_text().split()})


def megabytes(process: int) -> float:
    """What a process holds in memory, files that it has open there included (VmRSS)."""
    status = Path(f"/proc/{process}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) / 1000


if __name__ == "__main__":
    main()
