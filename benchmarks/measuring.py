"""How things are timed on a machine that others use too (Linux)."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F  # noqa: N812

SLICE_SECONDS = 0.15
"""How long one contender runs before it is the next one's turn."""
FEWEST_ROUNDS = 9
SPARE_CORES = 0.3
"""How much of a core other work may take beyond the cores that are not measured on."""


def take_turns(
    steps: Mapping[str, Callable[[], None]], *, seconds: float, patience: float
) -> dict[str, list[float]]:
    """Time everyone in short turns, round after round, so that a disturbance meets all alike.

    A round in which other processes took cores that it needed does not count, unless there are
    too few others when the patience, in seconds, is at its end. On one thread the processor's time
    is taken, from which nobody else can take any, so every round counts; on more, the clock's.

    Returns:
        Seconds a step of each contender, one number a round; the n-th numbers of all contenders
        were taken within moments of each other.
    """
    repeats = {name: max(1, round(SLICE_SECONDS / _warm_up(step))) for name, step in steps.items()}
    rounds: list[tuple[bool, dict[str, float]]] = []
    began, measured, n_quiet = time.perf_counter(), 0.0, 0
    while (measured < seconds or n_quiet < FEWEST_ROUNDS) and _since(began) < patience:
        neighbours = Neighbours()
        time.sleep(0.2)
        if not neighbours.are_quiet():
            time.sleep(0.5)
            continue
        neighbours, start = Neighbours(), time.perf_counter()
        order = sorted(steps, key=lambda name: (list(steps).index(name) - len(rounds)) % len(steps))
        times = {name: _seconds(steps[name], repeats[name]) for name in order}
        rounds.append((neighbours.are_quiet(), times))
        n_quiet += rounds[-1][0]
        measured += _since(start) * rounds[-1][0]
    while len(rounds) < FEWEST_ROUNDS:
        times = {name: _seconds(step, repeats[name]) for name, step in steps.items()}
        rounds.append((False, times))
    kept = [times for quiet, times in rounds if quiet or n_quiet < FEWEST_ROUNDS]
    return {name: [times[name] for times in kept] for name in steps}


class Neighbours:
    """What other processes take of the machine from now on."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), _busy(), time.process_time()

    def are_quiet(self) -> bool:
        """Tell whether they left enough cores for as many threads as PyTorch uses.

        From one thread, whose processor time is taken, they take none.
        """
        if torch.get_num_threads() == 1:
            return True
        others = _busy() - self._busy - (time.process_time() - self._own)
        free = (os.cpu_count() or 1) - torch.get_num_threads()
        return others / _since(self._began) < free + SPARE_CORES


def median_ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Say how many times as long one takes as the other, round by round, in the middle."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def matrix_product_peaks(sizes: Iterable[int] = (512, 1024, 2048)) -> dict[str, float]:
    """Find the best GFLOP/s of large float32 matrix products, by each library inside PyTorch."""
    best = {"MKL": 0.0, "oneDNN": 0.0}
    for size in sizes:
        a, b = torch.randn(2, size, size)
        packed = a.to_mkldnn()
        ways = {"MKL": lambda a=a, b=b: a @ b, "oneDNN": lambda p=packed, b=b: F.linear(p, b)}
        for name, multiply in ways.items():
            seconds = min(_seconds(multiply, 1) for _ in range(30))
            best[name] = max(best[name], 2 * size**3 / seconds / 1e9)
    return best


def _busy() -> float:
    """Count the seconds that all cores together have worked since the machine started."""
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _warm_up(step: Callable[[], object]) -> float:
    for _ in range(2):
        step()
    return min(_seconds(step, 1) for _ in range(3))


def _seconds(step: Callable[[], object], repeats: int) -> float:
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    for _ in range(repeats):
        step()
    return (clock() - began) / repeats


def _since(began: float) -> float:
    return time.perf_counter() - began
