"""The rows of a run, one JSON object a line: written while it trains, read without PyTorch."""

import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from tiny_llama.files import write_whole, writing

METRICS = "metrics.jsonl"
Row = dict[str, Any]


def add_metrics(folder: Path, rows: Sequence[Row]) -> None:
    """Write rows at the end of a run's metrics: all of them, or none.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(folder), (folder / METRICS).open("ab", buffering=0) as file:
        end = file.tell()
        try:
            _write_all(file, _lines(rows).encode())
        except OSError:
            file.truncate(end)  # a torn row would spoil the next one
            raise


def read_metrics(folder: Path) -> list[Row]:
    """Read the rows of a run by their steps, passing over a last line that a crash has torn.

    The row of the untrained model, step 0, may have been written after those of the first steps.
    """
    path = folder / METRICS
    rows = []
    # Cut at line ends alone, not at the rarer marks that a sample text may hold.
    for line in path.read_bytes().split(b"\n") if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:  # torn, perhaps inside a character
            continue
    return sorted(rows, key=lambda row: row.get("step", inf))


def trim_metrics(folder: Path, next_step: int) -> None:
    """Forget the rows of steps that will be done again: those since the last checkpoint."""
    kept = [row for row in read_metrics(folder) if row.get("step", next_step) < next_step]
    write_whole(folder / METRICS, _lines(kept).encode())


def _write_all(file: BinaryIO, content: bytes) -> None:
    """Write all of it to an unbuffered file, which may take a part only."""
    while content:
        content = content[file.write(content) :]


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
