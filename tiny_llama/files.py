"""Reading and writing small files: with limits, in one move, and with sentences for a screen."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tiny_llama.errors import CheckpointError

MOST_JSON_BYTES = 1_000_000
"""Ten times what the largest JSON file of ours takes."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, and the folders above it where they are missing.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    write_whole(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON file that holds one object.

    Raises:
        CheckpointError: if it is missing, too large, no JSON, or holds something else.
    """
    written = read_bytes(path, MOST_JSON_BYTES)
    try:
        content = json.loads(written)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name} is not JSON; use another copy of it.") from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path.name} holds a JSON {type(content).__name__} and is not a JSON object; use "
            f"another copy of it."
        )
    return content


def read_bytes(path: Path, most: int) -> bytes:
    """Read all of a file, never more than `most` bytes.

    Raises:
        CheckpointError: if it is missing, cannot be read, or is larger.
    """
    try:
        if not path.is_file():
            raise CheckpointError(
                f"{path.name} is not there or is not a file; choose a folder that holds one."
            )
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CheckpointError(
            f"{path.name} cannot be read ({error.strerror}); check its permissions."
        ) from None
    if len(content) > most:
        raise CheckpointError(
            f"{path.name} is larger than {most:,} bytes, the most that it may have; use another "
            f"copy of it."
        )
    return content


def write_whole(path: Path, content: bytes, *, before: Path | None = None) -> None:
    """Write a file beside its place, make sure that it is on disk, then move it there.

    A crash at any moment leaves the old file whole: in its place or, where it is to be kept as
    `before`, perhaps already there.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    beside = path.with_name(path.name + ".new")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before and path.exists():
            path.replace(before)
        beside.replace(path)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a full disk or a folder that cannot be written into one sentence."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"The folder {folder.name!r} cannot be written ({error.strerror}); free some space or "
            f"choose another folder."
        ) from None
