"""Tiny Shakespeare: fetched once from its public home, checked, and kept."""

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from tiny_llama.corpora.base import TextCorpus
from tiny_llama.errors import TextError

HOME = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
MOST_BYTES = 2_000_000
PATIENCE_SECONDS = 10


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
                data: bytes = answer.read(MOST_BYTES)
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()
            raise TextError(
                f"Tiny Shakespeare could not be fetched ({error}); connect to the internet once, "
                f"or choose another corpus: the others need none."
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
    """Where fetched texts are kept: under `XDG_CACHE_HOME`, or `~/.cache`."""
    usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(usual) / "tiny-llama"


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
