"""Reading and writing files: in one move, with limits, digests, and sentences for a screen.

A digest lies in the file that it is of, so that the two cannot come apart. Files from before there
were digests have none and are believed.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tiny_llama.errors import CheckpointError

MOST_JSON_BYTES = 1_000_000
"""Ten times what the largest JSON file of ours takes."""
DIGEST = "digest"
"""Under this name a file has its digest."""


def digest(*parts: bytes | memoryview) -> str:
    """Compute the digest of bytes, one part after another: 32 hexadecimal digits of BLAKE2b."""
    hasher = blake2b(digest_size=16)
    for part in parts:
        hasher.update(part)
    return hasher.hexdigest()


def json_digest(content: dict[str, Any]) -> str:
    """Compute the digest of what a JSON object says, whatever its spaces and order."""
    return digest(json.dumps(content, sort_keys=True).encode())


def damaged(name: str) -> CheckpointError:
    """Give the error for a file that does not fit its digest."""
    return CheckpointError(
        f"The file {name} is damaged or was edited, since it does not fit its digest; take another "
        f"copy of it."
    )


def write_sealed(path: Path, content: dict[str, Any], *, before: Path | None = None) -> None:
    """Write a JSON object with its digest, and keep the one that stood there as `before`, if given.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    write_json(path, content | {DIGEST: json_digest(content)}, before=before)


def read_sealed(path: Path, known: Iterable[str]) -> dict[str, Any]:
    """Read a small JSON file that has its digest, or is from before there were any.

    Args:
        path: the file.
        known: the names that such a file may have; a damaged name is no other one.

    Raises:
        CheckpointError: if it is missing, damaged, or holds something else.
    """
    content = read_json(path)
    found = content.pop(DIGEST, None)
    if found is not None and found != json_digest(content):
        raise damaged(path.name)
    if unknown := set(content) - set(known):
        raise CheckpointError(
            f"The file {path.name} is damaged: nothing in it is called {min(unknown)[:40]!r}; take "
            f"another copy of it."
        )
    return content


def write_json(path: Path, content: dict[str, Any], *, before: Path | None = None) -> None:
    """Write a JSON object, and the folders above it where they are missing.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    write_whole(path, text.encode(), before=before)


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
            # Room is made for as much as is asked for, where a process may not have that much.
            content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
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


def write_whole(path: Path, *parts: bytes | memoryview, before: Path | None = None) -> None:
    """Write a file, one part after another, beside its place, make sure that it is on disk, then
    move it there.

    A crash at any moment leaves the old file whole: in its place or, where it is to be kept as
    `before`, perhaps already there.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    beside = path.with_name(path.name + ".new")
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.writelines(parts)
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
