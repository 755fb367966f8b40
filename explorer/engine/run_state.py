"""How a run stands, and how else it may stand next: one table, which the registry keeps to."""

from collections.abc import Mapping
from enum import StrEnum


class RunState(StrEnum):
    """How a run stands; each is the word that its record on disk has."""

    WAITING = "waiting"
    """For room in memory; it starts by itself."""
    STARTING = "starting"
    """Text and model are being prepared, or read from the last checkpoint."""
    RUNNING = "running"
    PAUSED = "paused"
    """A worker may have let it go meanwhile: its folder holds all that it takes to go on."""
    FINISHED = "finished"
    """All steps are done."""
    STOPPED = "stopped"
    """By its owner, who may let it go on."""
    FAILED = "failed"
    """It could not start or could not go on; its message says why."""
    INTERRUPTED = "interrupted"
    """Its worker, or the server, ended under it."""
    RECORDED = "recorded"
    """A pretrained model's training, only to look at."""

    @property
    def is_moving(self) -> bool:
        """Whether the run takes turns, or soon will."""
        return self in (RunState.WAITING, RunState.STARTING, RunState.RUNNING)

    @property
    def is_live(self) -> bool:
        """Whether the run may still change by itself or step by step."""
        return self.is_moving or self is RunState.PAUSED

    @property
    def can_go_on(self) -> bool:
        """Whether the run stands still and may be taken up from its folder."""
        return RunState.STARTING in NEXT[self] and not self.is_moving


WAITING, STARTING, RUNNING, PAUSED, FINISHED, STOPPED, FAILED, INTERRUPTED, RECORDED = RunState

NEXT: Mapping[RunState, frozenset[RunState]] = {
    WAITING: frozenset({STARTING, STOPPED, FAILED, INTERRUPTED}),
    STARTING: frozenset({WAITING, STARTING, RUNNING, PAUSED, FINISHED, FAILED, INTERRUPTED}),
    RUNNING: frozenset({WAITING, STARTING, PAUSED, FINISHED, STOPPED, FAILED, INTERRUPTED}),
    PAUSED: frozenset({WAITING, STARTING, RUNNING, FINISHED, STOPPED, FAILED}),
    INTERRUPTED: frozenset({WAITING, STARTING, STOPPED}),
    STOPPED: frozenset({WAITING, STARTING}),
    FAILED: frozenset({WAITING, STARTING}),
    FINISHED: frozenset(),  # a copy of it is what trains on
    RECORDED: frozenset(),
}
"""From how a run stands to how it may stand next. Who moves starts anew where the worker has ended
and another one takes the run up."""
