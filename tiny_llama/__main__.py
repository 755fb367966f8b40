"""`python -m tiny_llama`: the command line, which may be interrupted while PyTorch is imported."""

import sys
from collections.abc import Sequence
from importlib import import_module

STOPPED = 130
"""The usual exit code of a program that was interrupted by hand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 2 for a mistake, or that of an interruption."""
    try:
        code: int = import_module("tiny_llama.command_line").main(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return STOPPED
    return code


if __name__ == "__main__":
    sys.exit(main())
