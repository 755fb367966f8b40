"""The rows of a run, one JSON object a line: written while it trains, read without PyTorch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny_llama.files import write_whole, writing

METRICS = "metrics.jsonl"
Row = dict[str, Any]


def add_metrics(folder: Path, rows: Sequence[Row]) -> None:
    """Write rows at the end of a run's metrics.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(folder), (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(_lines(rows))


def read_metrics(folder: Path) -> list[Row]:
    """Read the rows of a run, passing over a last line that a crash has torn."""
    path = folder / METRICS
    rows = []
    # Not `splitlines`, which also cuts at rarer marks that a sample text may hold.
    for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def trim_metrics(folder: Path, next_step: int) -> None:
    """Forget the rows of steps that will be done again: those since the last checkpoint."""
    kept = [row for row in read_metrics(folder) if row.get("step", next_step) < next_step]
    write_whole(folder / METRICS, _lines(kept).encode())


def _lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
