"""Ctrl-C waits for the piece of work that is being done, so that all of it can be gone on with."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event


@contextmanager
def stop_between_pieces() -> Iterator[Event]:
    """Let Ctrl-C wait for the piece that is being done, since half a step cannot be resumed.

    A second Ctrl-C does not wait; the last checkpoint then stays as it is.
    """
    stopped = Event()

    def stop(*_: object) -> None:
        stopped.set()
        with suppress(OSError):  # past Python's own buffer, which may be in use just now
            os.write(2, b"\nStopping; Ctrl-C once more stops at once.\n")
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
