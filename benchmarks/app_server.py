"""The app as a server of our own: started, watched from outside, and ended (Linux: reads /proc)."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class AppServer:
    """A fresh server with no run yet, on a free port of this machine; a context manager.

    Args:
        settings: more command-line settings of Streamlit, such as `--server.fileWatcherType=none`.
        under: a command that starts the server in its place, as one that limits its memory.
        python: the interpreter that runs it, and with it what is installed beside.
        root: the project that is started.
    """

    def __init__(
        self,
        *settings: str,
        under: Sequence[str] = (),
        python: str = sys.executable,
        root: Path = ROOT,
    ) -> None:
        self._home = tempfile.TemporaryDirectory()
        self.runs, self._log = Path(self._home.name) / "runs", Path(self._home.name) / "log"
        self._port = free_port()
        self._settings, self._under = settings, under
        self._python, self._root = python, root

    @property
    def address(self) -> str:
        """Where it can be reached, without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the web server."""
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that the web server started."""
        return descendants(self.pid)

    def printed(self) -> str:
        """Give what the server and its workers have printed so far."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        where = [f"--server.port={self._port}", "--server.address=127.0.0.1"]
        settings = [*where, "--server.headless=true", *self._settings]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *self._under,
                    *(self._python, "-m", "streamlit", "run", "explorer/app.py", *settings),
                ],
                cwd=self._root,
                env=os.environ | {"TINY_LLAMA_RUNS": str(self.runs)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def _wait_until_healthy(self) -> None:
        for _ in range(300):
            if self._process.poll() is not None:
                raise RuntimeError(f"The server ended at once:\n{self.printed()}")
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"The server did not start:\n{self.printed()}")

    def _end(self) -> None:
        """End the server; its workers end with it, after they have saved their runs."""
        workers = self.workers
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        deadline = time.monotonic() + 60
        while any(map(is_alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._home.cleanup()


def free_port() -> int:
    """Find a port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(process: int) -> list[int]:
    """List the processes that a process has started, and those that they have started."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    children = sorted({int(child) for each in lists for child in each.read_text().split()})
    return [each for child in children for each in (child, *descendants(child))]


def is_alive(process: int) -> bool:
    """Tell whether a process still runs, which one that only waits to be reaped does not."""
    with suppress(OSError):
        return _after_name(process)[0] != "Z"
    return False


def resident_megabytes(process: int) -> float:
    """Say what a process holds in memory, files that it has open there included (VmRSS)."""
    return _kilobytes(process, "status", "VmRSS") / 1000


def proportional_megabytes(process: int) -> float:
    """Say the same, but of what several processes share only this one's part (PSS)."""
    return _kilobytes(process, "smaps_rollup", "Pss") / 1000


def cpu_seconds(process: int) -> float:
    """Give the processor time that a process has taken since it began."""
    _, *numbers = _after_name(process)
    user, system = numbers[10:12]
    return (int(user) + int(system)) / TICKS_A_SECOND


def busy_seconds() -> float:
    """Give the processor time that all processes together have taken since the machine started."""
    with Path("/proc/stat").open() as lines:
        user, nice, system, _, _, irq, softirq, *_ = map(int, lines.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS_A_SECOND


def _after_name(process: int) -> list[str]:
    """Read the fields of /proc/PID/stat from the state on; the name before may hold anything."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _kilobytes(process: int, file: str, field: str) -> int:
    lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
