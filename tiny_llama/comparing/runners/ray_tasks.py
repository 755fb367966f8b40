"""Runs at once on the machines of a Ray cluster, all of which see the experiment's folder.

Ray itself finds a place for each task, and does it again elsewhere where its process or its machine
is lost; the run then goes on from its last checkpoint.
"""

import logging
import os
import signal
import socket
from concurrent.futures import Future
from threading import Event
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nobody is told what is run here
os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # or Ray would print on standard output

import ray
import torch
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)

from tiny_llama.comparing.plan import Run
from tiny_llama.comparing.runners.at_once import TRIES, AtOnce
from tiny_llama.comparing.runners.order import Order, carry_out
from tiny_llama.errors import ConfigError


class RayTasks(AtOnce):
    """Does each run as a task of the cluster at `RAY_ADDRESS`, or of one started on this machine.

    Args:
        threads: of each run, for which as many processors of one machine are reserved.

    Raises:
        ConfigError: if the cluster cannot be reached, or none of its machines has so many.
    """

    lost = (WorkerCrashedError, NodeDiedError, OutOfMemoryError, ObjectLostError)

    def __init__(self, *, threads: int) -> None:
        _connect()
        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        self.n_at_once = sum(int(n_processors) // threads for n_processors in nodes)
        if not self.n_at_once:
            most = max(nodes, default=0)
            raise ConfigError(
                f"--threads {threads} is more than the {most:g} processors that the largest "
                f"machine of the Ray cluster has; choose fewer."
            )
        self._threads = threads
        self._task = ray.remote(_do).options(num_cpus=threads, max_retries=TRIES - 1)
        self._tasks: list[Any] = []

    def submit(self, order: Order) -> "Future[str]":
        """Have a run done by the next machine that has room."""
        task = self._task.remote(order, self._threads)
        self._tasks.append(task)
        future: Future[str] = task.future()
        return future

    def stop(self) -> None:
        """Let all tasks keep what they have done, and leave the cluster."""
        try:
            for task in self._tasks:
                ray.cancel(task)
            if self._tasks:
                ray.wait(self._tasks, num_returns=len(self._tasks))
        finally:
            ray.shutdown()

    def wrong(self, run: Run, future: "Future[str]") -> str:
        """Say why a run could not be done, be it that a machine lacks what it takes."""
        try:
            return super().wrong(run, future)
        except RayTaskError as error:
            return (
                f"A machine of the Ray cluster cannot do {run.name!r} "
                f"({str(error).splitlines()[-1].strip()}); install this project on each, with "
                f"requirements-ray.txt."
            )


def _connect() -> None:
    """Connect to the cluster; Ray itself would try for minutes where nobody answers."""
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"The Ray cluster at RAY_ADDRESS={address!r} cannot be used ({why}); see that it runs, "
            f"and that its machines have this version of Ray, {ray.__version__}."
        ) from None


def _do(order: Order, threads: int) -> str:
    """Carry out an order on a machine of the cluster; cancelling interrupts the main thread."""
    torch.set_num_threads(threads)
    stopped = Event()
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        return carry_out(order, stopped)
    finally:
        signal.signal(signal.SIGINT, before)
