"""What students take home: a run's folder, its model for `transformers`, its metrics."""

import csv
import io
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from explorer.engine import store
from explorer.engine.limits import MOST_PACKED_BYTES
from explorer.engine.messages import Checkpoint, WriteHuggingFace
from explorer.engine.run import Run
from explorer.engine.server import readme
from explorer.engine.server.errors import EngineError
from explorer.engine.server.pool import Pool
from explorer.engine.server.questions import place_of
from tiny_llama.comparing.sizes import law_parameters
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import TEXT

Export = Literal["folder", "hugging_face", "metrics"]


class Exports:
    """Packs what a run has learned and logged so far.

    Args:
        pool: who has it in memory.
        folder: where there is room for what is packed.
    """

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool, self._folder = pool, folder
        self._packing = threading.Lock()
        self._forms: Mapping[Export, Callable[[Run], bytes]] = {
            "hugging_face": self._for_hugging_face,
            "metrics": self._as_table,
        }

    def pack(self, run: Run, form: Export, *, with_text: bool) -> bytes:
        """Pack a run in one of these forms.

        Args:
            run: the run.
            form: how.
            with_text: whether a student's own text is for who asks.

        Raises:
            EngineError: if there is nothing yet, or Hugging Face has no class for the model.
        """
        with self._packing:  # each takes as much of the memory as its file has
            if form == "folder":
                return self._as_folder(run, with_text=with_text)
            return self._forms[form](run)

    def _as_folder(self, run: Run, *, with_text: bool) -> bytes:
        """Zip the run folder, without snapshots where they would make it too large."""
        self._bring_up_to_date(run)
        but = () if with_text else (TEXT,)
        about = readme.of_folder(run, with_text=with_text)
        return store.zip_folder(run.folder, most_bytes=MOST_PACKED_BYTES, but=but, readme=about)

    def _for_hugging_face(self, run: Run) -> bytes:
        """Zip a folder that `transformers` opens."""
        with TemporaryDirectory(dir=self._folder) as target:
            self._pool.ask(WriteHuggingFace(**place_of(run), target=target), run.worker)
            about = readme.of_hugging_face(run)
            return store.zip_folder(Path(target), most_bytes=MOST_PACKED_BYTES, readme=about)

    def _as_table(self, run: Run) -> bytes:
        """Write every step as comma-separated values, a column for each name that occurs.

        Every row ends with the parameters that a law of scaling counts, and what was learned from,
        so that the table is a point of a law by itself.
        A text that a spreadsheet would take for a formula has an apostrophe before it.
        """
        self._bring_up_to_date(run)
        rows = read_metrics(run.folder)
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        of_run = {"parameters": law_parameters(run.setup), "text": run.setup.corpus}
        writer = csv.DictWriter(text, [*names, *of_run])
        writer.writeheader()
        writer.writerows(
            {name: _cell(value) for name, value in row.items()} | of_run for row in rows
        )
        return text.getvalue().encode()

    def _bring_up_to_date(self, run: Run) -> None:
        if run.worker is not None:
            with suppress(EngineError):  # where nothing more can be written, take what there is
                self._pool.ask(Checkpoint(run=run.id), run.worker)


def _cell(value: object) -> object:
    is_formula = isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value
