"""How SentencePiece learns: here, or in a process of its own where a server has other work."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tiny_llama.errors import TextError
from tiny_llama.tokenizers import alone


@dataclass(frozen=True, kw_only=True)
class Apart:
    """What learning may take in a process of its own, one at a time."""

    most_characters: int
    """In words that differ: what memory and time grow with."""
    most_bytes: int
    """Of memory beyond what the process takes before it reads the text."""
    most_seconds: float


Turn = Callable[[], AbstractContextManager[object]]
"""What is entered to have one's turn, and left when it is over."""
_lock = threading.Lock()


class _Place:
    """Where this process lets SentencePiece learn."""

    apart: Apart | None = None
    turn: Turn = staticmethod(lambda: _lock)


def learn_apart(apart: Apart | None, turn: Turn = lambda: _lock) -> None:
    """Let SentencePiece learn in processes of their own from now on.

    Args:
        apart: what each may take; None: learn in this process.
        turn: lets those that learn in, one at a time; usually in no certain order.
    """
    _Place.apart, _Place.turn = apart, staticmethod(turn)


def learn(lines: Sequence[str], settings: dict[str, Any]) -> bytes:
    """Give the content of a `.model` file that SentencePiece learns from lines.

    Raises:
        TextError: if it cannot, or if it would take more than it may.
    """
    if (apart := _Place.apart) is not None:
        return _learn_apart(lines, settings, apart)
    try:
        return alone.learn(list(lines), settings)
    except (RuntimeError, ValueError) as error:
        raise _cannot(str(error)) from error


def _learn_apart(lines: Sequence[str], settings: dict[str, Any], apart: Apart) -> bytes:
    n_characters = sum(map(len, {word for line in lines for word in line.split(" ")}))
    if n_characters > apart.most_characters:
        raise _cannot(
            f"its different words have {n_characters:,} characters, at most "
            f"{apart.most_characters:,} are allowed here, as each takes memory and time"
        )
    command = [sys.executable, "-P", alone.__file__, json.dumps(settings), str(apart.most_bytes)]
    with _Place.turn():
        try:
            done = subprocess.run(
                command,
                input="\n".join(lines).encode(),
                capture_output=True,
                timeout=apart.most_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _cannot(f"it takes longer than {apart.most_seconds:.0f} seconds") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        is_said = done.returncode == 1 and said and "bad_alloc" not in said
        raise _cannot(said.splitlines()[-1] if is_said else _NO_MEMORY)
    return done.stdout


_NO_MEMORY = "it takes more memory than it may have"


def _cannot(why: str) -> TextError:
    return TextError(
        f"SentencePiece cannot learn from this text ({why}); "
        "choose the tokenizer bytes or characters, or less text."
    )
