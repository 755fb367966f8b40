"""The rows of a run, one JSON object a line: written while it trains, read without PyTorch.

Each row ends with a check, over all of the line before it. Rows from before there were checks are
taken if they say nothing that a row cannot say.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, cast
from zlib import crc32

from tiny_llama.files import read_bytes, write_whole, writing

METRICS = "metrics.jsonl"
Row = dict[str, Any]
NUMBERS = (
    *("step", "n_tokens", "loss", "learning_rate", "gradient_norm", "seconds"),
    *("held_out_loss", "perplexity", "bits_per_byte", "accuracy"),
)
"""What a row may say in numbers; it always says the step."""
SAMPLE = "sample"
"""The text that the model wrote after the step."""
_CHECKED = re.compile(rb'(.*), "check": "([0-9a-f]{8})"\}', re.DOTALL)
MOST_BYTES = 2_000_000_000
"""Of all rows together: far above what a run can log, far below what fills a machine."""
_END_BYTES = 65_536
"""In which the last row stands: one has a few hundred, and a sample of a few thousand."""
_LAST_STEP = 10**9
_LARGEST, _LARGEST_PERPLEXITY = 3e38, 1e306


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What a run has logged."""

    rows: list[Row]
    """The whole ones, each of a later step than the one before."""
    damage: str
    """What is wrong with the file, in a sentence; empty: nothing."""


def add_metrics(folder: Path, rows: Sequence[Row]) -> None:
    """Write rows at the end of a run's metrics: all of them, or none.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(folder), (folder / METRICS).open("ab", buffering=0) as file:
        end = file.tell()
        try:
            _write_all(file, _lines(rows))
        except OSError:
            file.truncate(end)  # a torn row would spoil the next one
            raise


def read_metrics(folder: Path) -> list[Row]:
    """Read the whole rows of a run.

    Raises:
        CheckpointError: if the file cannot be read.
    """
    return check_metrics(folder).rows


def read_last_step(folder: Path) -> int:
    """Read at which step a run is from the end of its metrics alone; 0: it has logged nothing."""
    with suppress(OSError), (folder / METRICS).open("rb") as file:
        file.seek(max(0, file.seek(0, SEEK_END) - _END_BYTES))
        rows = map(_row, reversed(file.read().split(b"\n")))
        return next((int(row["step"]) for row in rows if row), 0)
    return 0


def check_metrics(folder: Path) -> Metrics:
    """Read the rows of a run in the order of their steps, and say which are damaged or missing.

    A last line that a crash has torn is no damage: its step will be done again. Nor is it any that
    the row of the untrained model, step 0, stands behind those of the first steps, or is not there
    yet: whoever goes on with the run makes up for it.

    Raises:
        CheckpointError: if the file cannot be read.
    """
    rows: list[Row] = []
    wrong: list[int] = []
    untrained: list[Row] = []
    for number, line in enumerate(_read_lines(folder), start=1):
        row = _row(line)
        if row is not None and row["step"] > (rows[-1]["step"] if rows else 0):
            rows.append(row)
        elif row is not None and not row["step"] and not untrained:
            untrained.append(row)
        else:
            wrong.append(number)
    return Metrics(rows=untrained + rows, damage=_damage(rows, wrong))


def trim_metrics(folder: Path, next_step: int) -> str:
    """Forget the rows of steps that will be done again: those since the last checkpoint.

    Returns:
        What was damaged or is missing, in a sentence; empty: nothing.

    Raises:
        CheckpointError: if the file cannot be read or written.
    """
    found = check_metrics(folder)
    kept = [row for row in found.rows if row["step"] < next_step]
    write_whole(folder / METRICS, _lines(kept))
    n_steps = max(0, next_step - 1)
    if not (n_missing := n_steps - sum(row["step"] > 0 for row in kept)):
        return found.damage
    return (
        f"In {METRICS}, the rows of {n_missing:,} of {n_steps:,} steps so far are damaged or "
        f"missing; the run goes on without them."
    )


def _read_lines(folder: Path) -> list[bytes]:
    """Read the lines that have come to their end, and the last one if it is whole nevertheless."""
    path = folder / METRICS
    if not path.is_file():
        return []
    # Cut at line ends alone, not at the rarer marks that a sample text may hold.
    *lines, last = read_bytes(path, MOST_BYTES).split(b"\n")
    return lines + [last] * (_row(last) is not None)


def _row(line: bytes) -> Row | None:
    """Read the row that a line says; None where it says none, or its check does not fit."""
    if checked := _CHECKED.fullmatch(line):
        line = checked[1] + b"}"
        if crc32(line) != int(checked[2], 16):
            return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and _is_row(row) else None


def _is_row(row: Row) -> bool:
    step = row.get("step")
    says_step = type(step) is int and 0 <= step <= _LAST_STEP
    return says_step and all(_fits(name, value) for name, value in row.items())


def _fits(name: str, value: object) -> bool:
    """Tell whether a row may say this."""
    if name == SAMPLE:
        return isinstance(value, str) and value == value.encode(errors="replace").decode()
    largest = _LARGEST_PERPLEXITY if name == "perplexity" else _LARGEST
    return name in NUMBERS and type(value) in (int, float) and abs(cast(float, value)) < largest


def _damage(rows: Sequence[Row], wrong: Sequence[int]) -> str:
    """Say which lines are wrong or, where none is, how many rows are missing between others."""
    if wrong:
        which = ", ".join(f"{number:,}" for number in wrong[:3])
        more = f" and {len(wrong) - 3:,} more" if wrong[3:] else ""
        lines = f"line {which} is" if len(wrong) == 1 else f"lines {which}{more} are"
        return f"In {METRICS}, {lines} damaged and left out."
    n_missing = rows[-1]["step"] - len(rows) if rows else 0
    return f"In {METRICS}, rows are missing: {n_missing:,}." if n_missing else ""


def _write_all(file: BinaryIO, content: bytes) -> None:
    """Write all of it to an unbuffered file, which may take a part only."""
    while content:
        content = content[file.write(content) :]


def _lines(rows: Sequence[Row]) -> bytes:
    return b"".join(map(_line, rows))


def _line(row: Row) -> bytes:
    """Write a row as a line, with its check."""
    said = json.dumps(row, ensure_ascii=False).encode()
    return said[:-1] + b', "check": "%08x"}\n' % crc32(said)
