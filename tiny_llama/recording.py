"""Recorder: keeps what a run reports in its folder, while whoever drives the run shows it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tiny_llama.checkpoint import about_run, report_row, save_checkpoint, save_snapshot
from tiny_llama.metrics import add_metrics
from tiny_llama.training import StepReport, Trainer


class Recorder:
    """Writes metrics, snapshots and, every so often, a checkpoint.

    A crash loses at most what was done since the last checkpoint. Rows are gathered between two
    checkpoints' worth of time only as long as `row_seconds`, so that a step costs no disk access.

    Args:
        folder: a run folder, started with `checkpoint.start_folder`.
        trainer: the run.
        checkpoint_seconds: how long training may go on without a checkpoint.
        row_seconds: how long rows may wait before they are written.

    Raises:
        UserError: if the folder lacks what a run is started with.
    """

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        *,
        checkpoint_seconds: float = 20.0,
        row_seconds: float = 1.0,
    ) -> None:
        self.folder, self.trainer = folder, trainer
        self.checkpoint_seconds, self.row_seconds = checkpoint_seconds, row_seconds
        self._about = about_run(folder, trainer.corpus.tokenizer)
        self._rows: list[dict[str, Any]] = []
        self._snapshots: dict[int, Mapping[str, Tensor]] = {}
        self._checkpoint_at = self._rows_at = time.monotonic()

    def keep(self, report: StepReport) -> dict[str, Any]:
        """Take in a report; return it as the row that is written.

        Raises:
            CheckpointError: if the folder cannot be written.
        """
        row = self.note(report)
        self.write_if_due()
        return row

    def note(self, report: StepReport) -> dict[str, Any]:
        """Take in a report and return its row; nothing is written before `write_if_due`."""
        row = report_row(report)
        self._rows.append(row)
        if report.snapshot:
            self._snapshots[report.step] = report.snapshot
        return row

    def write_if_due(self) -> None:
        """Write what has waited long enough; what cannot be written waits on.

        Raises:
            CheckpointError: if the folder cannot be written.
        """
        now = time.monotonic()
        if now - self._checkpoint_at > self.checkpoint_seconds:
            self.checkpoint()
        elif now - self._rows_at > self.row_seconds or self._snapshots:
            self.flush()

    def flush(self) -> None:
        """Write the rows and snapshots that wait.

        Raises:
            CheckpointError: if the folder cannot be written.
        """
        add_metrics(self.folder, self._rows)  # first, as it makes no folder anew that has been lost
        self._rows = []
        for step, weights in list(self._snapshots.items()):
            save_snapshot(self.folder, step, weights, self._about)
            del self._snapshots[step]
        self._rows_at = time.monotonic()

    def checkpoint(self, *, with_memory: bool = True) -> None:
        """Write rows and checkpoint now."""
        self.flush()
        save_checkpoint(self.folder, self.trainer, self._about, with_memory=with_memory)
        self._checkpoint_at = time.monotonic()
