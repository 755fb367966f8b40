"""A user's own text: checked before anything is built from it."""

import sys
from pathlib import Path

from tiny_llama.corpora.base import TextCorpus
from tiny_llama.errors import TextError

FEWEST_BYTES = 1_000
"""Less is too little to learn anything from, and to hold a tenth out of."""
MOST_BYTES = 5_000_000
_CHARACTER_LIMIT = "it must have between 1 kB and 5 MB as UTF-8"


class OwnText(TextCorpus):
    """A text that the user brought."""

    name = "own-text"
    description = "Whatever you paste or upload."
    source = "Yours; it stays on this server."

    def __init__(self, text: str, title: str) -> None:
        self.title = title
        self._text = text

    def text(self, seed: int = 0) -> str:
        """Return the text as it was checked; the seed does not matter."""
        return self._text


def own_text(data: bytes | str, title: str = "Your text") -> TextCorpus:
    """Check a text and make a corpus of it.

    A byte order mark is dropped and line ends become "\\n"; any other character is kept, but for
    NUL: only programs, pictures and UTF-16 without its mark hold it, and they may well be UTF-8.

    Raises:
        TextError: if it is too short, too long, blank, not UTF-8, or not text.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")  # lone surrogates have no place in UTF-8
    if not FEWEST_BYTES <= len(data) <= MOST_BYTES:
        size = "too short" if len(data) < FEWEST_BYTES else "too long"
        raise TextError(f"The text is {size} with {len(data):,} bytes: {_CHARACTER_LIMIT}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(
            f"This is no UTF-8 text: byte {error.start:,} ({data[error.start]:#04x}) does not fit; "
            f"save the file as UTF-8 text and try again."
        ) from None
    if "\0" in text:
        raise TextError(
            f"This is no text: character {text.index(chr(0)):,} is NUL, as in programs, pictures "
            f"and UTF-16; save the file as UTF-8 text and try again."
        )
    if not text.strip():
        raise TextError("The text is blank; write or choose one with words in it.")
    return OwnText(text.replace("\r\n", "\n").replace("\r", "\n"), title)


def read_text_file(path: Path) -> TextCorpus:
    """Read a user's text file, or standard input where it is called "-".

    Never more is read than is allowed, and no pipe, to which perhaps nobody ever writes.

    Raises:
        TextError: if it is missing, cannot be read, or is not fit; see `own_text`.
    """
    try:
        data = _read(path)
    except OSError as error:
        raise TextError(
            f"The text file {path.name!r} cannot be read ({error.strerror or error}); "
            f"check its name."
        ) from None
    except TextError:
        raise
    except ValueError:  # a NUL in the name
        raise TextError(f"No file can be called {path.name!r}; check its name.") from None
    if len(data) > MOST_BYTES:
        raise TextError(f"The text file {path.name!r} is too long: {_CHARACTER_LIMIT}.")
    return own_text(data, title=path.name)


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    if path.is_fifo() or path.is_socket() or path.is_char_device():
        raise TextError(
            f"{path.name!r} is no file with a text; give a file, or - to read standard input."
        )
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
