"""One writer a run: a lock on a file in its folder, which the system lifts when its holder ends."""

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from tiny_llama.errors import CheckpointError
from tiny_llama.files import writing

LOCK = "run.lock"


def hold_run(folder: Path, *, patience_seconds: float = 0) -> BaseFileLock:
    """Keep all others from writing into a run folder, until this is released or the process ends.

    Args:
        folder: a run folder; made where it is missing.
        patience_seconds: how long to wait for whoever has it.

    Raises:
        CheckpointError: if somebody else has it all that time, or it cannot be written.
    """
    lock = FileLock(folder / LOCK, thread_local=False)
    with writing(folder):
        try:
            lock.acquire(timeout=patience_seconds)
        except Timeout:
            raise CheckpointError(
                f"The run in {folder.name!r} is being trained by another process, and two would "
                f"spoil it; end that one, or wait until it is done."
            ) from None
    return lock
