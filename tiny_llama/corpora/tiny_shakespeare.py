"""Tiny Shakespeare: fetched once from its public home, checked, and kept."""

import hashlib
import os
import time
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from tiny_llama.corpora.base import TextCorpus
from tiny_llama.errors import TextError

HOME = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
MOST_BYTES = 2_000_000
PATIENCE_SECONDS = 10
"""How long the server may say nothing."""
MOST_SECONDS = 60
"""How long the whole may take: a server that drips is given up, too."""


class TinyShakespeare(TextCorpus):
    """Forty thousand lines of Shakespeare's plays, as Karpathy put them together."""

    name = "tiny-shakespeare"
    title = "Tiny Shakespeare"
    description = "Scenes from Shakespeare's plays, 1.1 MB; fetched once, so it needs the internet."
    source = "William Shakespeare, public domain; put together by Andrej Karpathy for char-rnn."

    def __init__(self, home: str = HOME, sha256: str = SHA256) -> None:
        self.home, self.sha256 = home, sha256

    def text(self, seed: int = 0) -> str:
        """Return the text, from the cache or else from its home; the seed does not matter.

        Raises:
            TextError: if it is not cached and cannot be fetched, or is not the known text.
        """
        kept = cache_folder() / "tiny-shakespeare.txt"
        if (data := _read(kept)) is None or not self._is_known(data):
            data = self._fetch()
            _keep(kept, data)
        return data.decode()

    def _fetch(self) -> bytes:
        try:
            with urllib.request.urlopen(self.home, timeout=PATIENCE_SECONDS) as answer:
                data = _read_in_time(answer)
        except (OSError, HTTPException) as error:
            raise TextError(
                f"Tiny Shakespeare could not be fetched ({_reason(error)}); connect to the "
                f"internet once, or choose another corpus: the others need none."
            ) from None
        if not self._is_known(data):
            found = hashlib.sha256(data).hexdigest()
            raise TextError(
                f"What was fetched is not Tiny Shakespeare: its SHA-256 is {found[:12]}… instead "
                f"of {self.sha256[:12]}…; try again later or choose another corpus."
            )
        return data

    def _is_known(self, data: bytes) -> bool:
        return hashlib.sha256(data).hexdigest() == self.sha256


def cache_folder() -> Path:
    """Say where fetched texts are kept: under `XDG_CACHE_HOME`, or `~/.cache`."""
    usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(usual) / "tiny-llama"


def _read_in_time(answer: HTTPResponse) -> bytes:
    """Read what comes, but neither more nor longer than is allowed."""
    data, deadline = b"", time.monotonic() + MOST_SECONDS
    # read1 comes back with what is there; read would wait for all of it.
    while len(data) < MOST_BYTES and (piece := answer.read1(65_536)):
        data += piece
        if time.monotonic() > deadline:
            raise TimeoutError(f"not finished after {MOST_SECONDS} seconds")
    return data


def _reason(error: Exception) -> str:
    """Say what went wrong, without the angle brackets that urllib puts around it."""
    if isinstance(error, HTTPError):
        error.close()
        return f"HTTP {error.code}"
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _keep(path: Path, data: bytes) -> None:
    """Keep a text in one move; where nothing can be kept, it is fetched again next time."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        return
