"""Run folders on this machine: where they are, and the names that they may have."""

import os
import re
import secrets
import stat
import tempfile
from pathlib import Path

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{8}")


def new_run_id() -> str:
    """Make a name that nobody can guess and that fits a link."""
    return secrets.token_urlsafe(6)


def is_run_id(word: str) -> bool:
    """Whether a word from a link can name a run at all: never a path."""
    return bool(_RUN_ID.fullmatch(word))


def runs_folder() -> Path:
    """Where this app keeps its runs: `TINY_LLAMA_RUNS`, or a folder of this user's temporary ones.

    The folder is readable by this user alone, since it holds texts that students have pasted; where
    another user has taken the usual name, a fresh one is made.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    usual = Path(tempfile.gettempdir()) / f"tiny-llama-explorer-{user}"
    folder = Path(os.environ.get("TINY_LLAMA_RUNS") or usual)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder == usual and not _is_ours_alone(folder):
        return Path(tempfile.mkdtemp(prefix="tiny-llama-explorer-"))
    return folder


def _is_ours_alone(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True  # elsewhere, temporary folders are a user's own
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
