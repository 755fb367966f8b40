"""Learns a SentencePiece vocabulary in a process of its own; nothing of this project is imported.

    python -P alone.py SETTINGS MOST_BYTES < lines > model

What it takes of memory goes back to the system with it, and what it may take has a bound.
"""

import io
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import sentencepiece


def learn(lines: list[str], settings: dict[str, Any]) -> bytes:
    """Learn the content of a `.model` file from lines.

    Raises:
        RuntimeError, ValueError: if SentencePiece cannot learn from the lines.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, **settings
    )
    return model.getvalue()


def main() -> None:
    """Learn from the lines on standard input; what goes wrong is said on standard error."""
    settings, most_bytes = sys.argv[1:]
    hold_to(int(most_bytes))
    try:
        model = learn(sys.stdin.buffer.read().decode().split("\n"), json.loads(settings))
    except (RuntimeError, ValueError, MemoryError) as error:
        sys.exit(str(error) or "there is not enough memory")
    sys.stdout.buffer.write(model)


def hold_to(most_bytes: int) -> None:
    """Let this process take so much more memory than it has, where the system can be told so."""
    try:
        resource = import_module("resource")  # which Windows does not have
        has = Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]
    except (ImportError, OSError, IndexError):
        return
    most = 1000 * int(has) + most_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main()
