"""Who may start or resume a run: one student's share, the memory that there is, and the line."""

import time
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress

from explorer.engine.limits import Limits, held_bytes, share_of_one_student
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.errors import EngineError
from explorer.engine.server.registry import Registry
from tiny_llama.peak import step_bytes
from tiny_llama.setup import OWN_TEXT, TEXT


class Admission:
    """Keeps runs within the limits.

    Args:
        registry: the runs that there are.
        limits: what they may take together.
    """

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.limits = limits
        self._registry = registry
        self._starts: defaultdict[str, deque[float]] = defaultdict(deque)
        """When each student started runs within the last minute."""

    def admit(self, run: Run) -> None:
        """Take in one more run, which may have to wait for its turn in memory.

        Raises:
            EngineError: if the student has too many already, or has started too many just now.
        """
        with self._registry.lock:  # else two at once might both find the last place
            self.check_turns(run.owner)
            self._check_pace(run.owner)
            self._registry.add(run)

    def check_turns(self, owner: str) -> None:
        """Refuse a student one more moving run where they have all that they may have.

        Raises:
            EngineError: if they have.
        """
        own = [run for run in self._registry.moving() if run.owner == owner]
        n_moving = sum(not run.experiment for run in own)  # those of experiments count as such
        if n_moving >= self.limits.live_runs_a_student:
            raise EngineError(
                f"You have {n_moving} run{'s' * (n_moving > 1)} going, the most that one student "
                f"may have at once {self.limits.place}; pause or stop one of them first."
            )

    def fits(self, run: Run) -> bool:
        """Tell whether a run fits into memory beside the others, and into its owner's share.

        What runs hold adds up; of what a step takes besides, only the largest counts, since they
        take turns.
        """
        with self._registry.lock:
            inside = [*(each for each in self._inside() if each is not run), run]
            own = [each for each in inside if each.owner == run.owner]
            share = share_of_one_student(self.limits)
            return (
                _bytes(inside, share) <= self.limits.training_bytes and _bytes(own, share) <= share
            )

    def line(self) -> list[Run]:
        """List the runs that wait for room, in the order in which they are let in.

        Whoever holds least comes first, then whoever has waited longest, so that nobody's many or
        large runs stand before the first one of somebody else.
        """
        with self._registry.lock:
            held: defaultdict[str, int] = defaultdict(int)
            for run in self._inside():
                held[run.owner] += _bytes([run], share_of_one_student(self.limits))
            waiting = [run for run in self._registry.all() if run.status is RunState.WAITING]
            return sorted(waiting, key=lambda run: (held[run.owner], run.waits_since))

    def _inside(self) -> list[Run]:
        return [run for run in self._registry.all() if run.worker or run.status in _COMING]

    def _check_pace(self, owner: str) -> None:
        starts, now, most = self._starts[owner], time.monotonic(), self.limits.starts_a_minute
        while starts and now - starts[0] > 60:
            starts.popleft()
        if len(starts) >= most:
            raise EngineError(
                f"You have started {len(starts)} runs within a minute, the most that one student "
                f"may {self.limits.place}; wait {60 - (now - starts[0]):.0f} seconds and try again."
            )
        starts.append(now)


_COMING = (RunState.STARTING, RunState.RUNNING)


def _bytes(runs: Iterable[Run], most: int) -> int:
    """Add up what runs hold together, and the largest step of any of them.

    None counts with more than `most`: of a vocabulary that is still to be learned only a bound is
    known, and a run that takes more is refused as soon as it has one.
    """
    held, steps = [0], [0]
    for run in runs:
        held.append(min(most, held_bytes(run.setup, _text_bytes(run))))
        steps.append(min(most - held[-1], step_bytes(run.setup)))
    return sum(held) + max(steps)


def _text_bytes(run: Run) -> int:
    """Count the bytes of the student's own text; built-in ones are counted with the worker."""
    if run.setup.corpus == OWN_TEXT:
        with suppress(OSError):
            return (run.folder / TEXT).stat().st_size
    return 0
