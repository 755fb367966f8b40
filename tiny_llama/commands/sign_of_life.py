"""What takes long and has no steps to count says so, and for how long it has been going on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

FIRST_SECONDS, MORE_SECONDS = 1.0, 10.0
"""After how long the first line comes, so that what is quick says nothing; and each one more."""


@contextmanager
def sign_of_life(doing: str) -> Iterator[None]:
    """Say on standard error every so often that something is still being done.

    Args:
        doing: what, as the beginning of a sentence.
    """
    done = Event()
    teller = Thread(target=_tell, args=(doing, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(doing: str, done: Event) -> None:
    seconds, wait = 0.0, FIRST_SECONDS
    while not done.wait(wait):
        seconds, wait = seconds + wait, MORE_SECONDS
        sys.stderr.write(f"{doing}, for {seconds:.0f} s so far.\n")
        sys.stderr.flush()
