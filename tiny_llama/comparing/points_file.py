"""Points of a law out of a file that somebody else sends: a table of runs, or a run's own metrics.

CSV with a line of names, JSON with a list of objects, or JSONL with an object a line. A row says
`parameters`, `tokens` and `loss`, and may say `text`, the corpus. Where rows say `step`, the file
is the log of one run: `parameters`, `n_tokens` and `held_out_loss`, of which the last row counts.
`fit --json` writes what can be read here, too.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from pathlib import PurePath
from typing import Any

from tiny_llama.errors import TextError

MOST_BYTES = 4_000_000
"""The log of a run of 20,000 steps is as long."""
MOST_POINTS = 200
"""Of one file: more runs than a class can make in an hour."""
MOST_ROWS = 50_000
_LIMITS = {"parameters": (1.0, 1e13), "tokens": (1.0, 1e15), "loss": (1e-6, 30.0)}
"""What a point may say; a loss of 30 nats is no loss of a model."""
_MOST_LETTERS = 60


@dataclass(frozen=True, kw_only=True)
class Point:
    """A run as a law has it."""

    parameters: float
    tokens: float
    loss: float
    """In nats a token, on held-out text."""
    text: str = ""
    """What it learned from; empty: the file does not say."""


def read_points_file(name: str, data: bytes) -> list[Point]:
    """Read the points that a file holds.

    Args:
        name: of the file; its ending says what it is.
        data: what is in it.

    Raises:
        TextError: if it is too long, is not what its name says, or a row is no point.
    """
    read = _FORMATS.get(PurePath(name).suffix.lower())
    if read is None:
        raise TextError(
            f"The file {_short(name)} must end in {', '.join(_FORMATS)}; choose another one."
        )
    if len(data) > MOST_BYTES:
        raise TextError(
            f"The file {_short(name)} has {len(data):,} bytes and may have {MOST_BYTES:,}; "
            f"send fewer runs."
        )
    try:
        rows = read(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, csv.Error):  # no UTF-8 is a ValueError, too
        raise TextError(
            f"The file {_short(name)} cannot be read as {PurePath(name).suffix[1:].upper()}; "
            f"save it again."
        ) from None
    return _points(name, rows)


def write_points(points: Iterable[Point]) -> str:
    """Write points as CSV, which `read_points_file` reads."""
    said = StringIO()
    out = csv.writer(said, lineterminator="\n")
    out.writerow(["parameters", "tokens", "loss", "text"])
    for each in points:
        out.writerow([f"{each.parameters:.0f}", f"{each.tokens:.0f}", each.loss, each.text])
    return said.getvalue()


def _points(name: str, rows: Sequence[Any]) -> list[Point]:
    if len(rows) > MOST_ROWS:
        raise TextError(
            f"The file {_short(name)} has {len(rows):,} rows and may have {MOST_ROWS:,}; "
            f"send fewer runs."
        )
    if any(isinstance(row, Mapping) and "step" in row for row in rows):
        judged = [row for row in rows if isinstance(row, Mapping) and row.get("held_out_loss")]
        rows = judged[-1:]
    if not 1 <= len(rows) <= MOST_POINTS:
        raise TextError(
            f"The file {_short(name)} has {len(rows):,} runs and must have 1 to {MOST_POINTS}; "
            f"choose another one."
        )
    return [_point(name, number, row) for number, row in enumerate(rows, start=1)]


def _point(name: str, number: int, row: Any) -> Point:
    if not isinstance(row, Mapping):
        raise TextError(
            f"Row {number:,} of the file {_short(name)} is no run with parameters, tokens and "
            f"loss; correct it."
        )
    values = {
        "parameters": row.get("parameters"),
        "tokens": row.get("tokens", row.get("n_tokens")),
        "loss": row.get("held_out_loss", row.get("loss")),
    }
    numbers = {what: _number(name, number, what, said) for what, said in values.items()}
    text = row.get("text") or ""
    if not isinstance(text, str) or len(text) > _MOST_LETTERS:
        raise TextError(
            f"Row {number:,} of the file {_short(name)} must say its text in at most "
            f"{_MOST_LETTERS} letters; correct it."
        )
    return Point(**numbers, text=text)


def _number(name: str, row: int, what: str, said: Any) -> float:
    low, high = _LIMITS[what]
    try:
        found = float("nan" if isinstance(said, bool) or said is None else said)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if not (isfinite(found) and low <= found <= high):
        shown = "nothing" if said is None else _short(str(said))
        raise TextError(
            f"Row {row:,} of the file {_short(name)} says {shown} for {what}, which must be a "
            f"number from {low:g} to {high:g}; correct it."
        )
    return found


def _short(said: str) -> str:
    return repr(said if len(said) <= _MOST_LETTERS else f"{said[:_MOST_LETTERS]}…")


def _csv(text: str) -> list[Any]:
    return list(csv.DictReader(StringIO(text), strict=True))


def _jsonl(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _json(text: str) -> list[Any]:
    said = json.loads(text)
    if isinstance(said, dict):  # what `fit --json` prints
        said = said.get("residuals", [said])
    if not isinstance(said, list):
        raise ValueError(text)
    return said


_FORMATS: Mapping[str, Callable[[str], list[Any]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _jsonl,
}
FORMATS = tuple(ending[1:] for ending in _FORMATS)
"""How names of such files end."""
