"""`python -m tiny_llama`: the command line, which may be interrupted while PyTorch is imported."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType, ModuleType

STOPPED = 130
"""The usual exit code of a program that was interrupted by hand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 2 for a mistake, or that of an interruption."""
    try:
        code: int = _command_line().main(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return STOPPED
    return code


def _command_line() -> ModuleType:
    """Import the commands, and with them PyTorch.

    Raises:
        KeyboardInterrupt: if it was interrupted meanwhile, also where what is imported has taken
            that for one of its own errors and gone on.
    """
    if "tiny_llama.command_line" in sys.modules:  # by another thread than the main one, too
        return import_module("tiny_llama.command_line")
    interruptions: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        found = import_module("tiny_llama.command_line")
    finally:
        signal.signal(signal.SIGINT, before)
    if interruptions:
        raise KeyboardInterrupt
    return found


if __name__ == "__main__":
    sys.exit(main())
