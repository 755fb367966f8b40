"""A limit on the memory of a server and all that it starts, kept by the kernel (Linux, as root).

Where no control group can be made, a watcher kills as the kernel would: whichever process holds
most, when all together hold too much. `kept_by` says which it is.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from app_server import proportional_megabytes

ROOT_1, ROOT_2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class MemoryLimit:
    """A control group with a limit; a context manager.

    Args:
        megabytes: that its processes may hold together; swap is no way out.
    """

    def __init__(self, megabytes: int) -> None:
        self._bytes = megabytes * 1_000_000
        self._group: Path | None = None
        self._n_killed = 0
        self._ended = threading.Event()
        self.kept_by = "a watcher of our own"

    def __enter__(self) -> Self:
        for version, root, file in (
            (1, ROOT_1, "memory.limit_in_bytes"),
            (2, ROOT_2, "memory.max"),
        ):
            with suppress(OSError):
                group = root / f"tiny-llama-{os.getpid()}-{time.monotonic_ns()}"
                if not (root / "cgroup.procs").exists():
                    continue
                group.mkdir()
                if (group / file).exists():
                    (group / file).write_text(str(self._bytes))
                    self._group, self.kept_by = group, f"the kernel, cgroup v{version}"
                    return self
                group.rmdir()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for _ in range(50):
            if self._group is None or not self._group.exists():
                return
            with suppress(OSError):  # as long as a process has not quite ended
                self._group.rmdir()
            time.sleep(0.1)

    @property
    def command(self) -> Sequence[str]:
        """What to put in front of a command, so that it and what it starts are limited."""
        if self._group is None:
            return ()
        return ("sh", "-c", f'echo $$ > {self._group}/cgroup.procs; exec "$@"', "sh")

    @property
    def n_killed(self) -> int:
        """How many processes were killed for want of memory so far."""
        if self._group is None:
            return self._n_killed
        for file in ("memory.oom_control", "memory.events"):
            with suppress(OSError):
                rows = dict(row.split() for row in (self._group / file).read_text().splitlines())
                return int(rows.get("oom_kill", 0))
        return 0

    def watch(self, processes: Callable[[], Sequence[int]]) -> None:
        """Kill as the kernel would, where it does not keep the limit itself.

        Args:
            processes: tells which ones are limited.
        """
        if self._group is None:
            threading.Thread(target=self._watch, args=(processes,), daemon=True).start()

    def _watch(self, processes: Callable[[], Sequence[int]]) -> None:
        while not self._ended.wait(0.1):
            held = {}
            for process in processes():
                with suppress(OSError, StopIteration):
                    held[process] = 1e6 * proportional_megabytes(process)
            if sum(held.values()) > self._bytes:
                largest = max(held, key=lambda process: held[process])
                with suppress(ProcessLookupError):
                    os.kill(largest, signal.SIGKILL)
                    self._n_killed += 1
