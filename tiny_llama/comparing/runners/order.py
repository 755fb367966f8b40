"""A run as an order to another process: what to do in plain values, and how it is carried out."""

from contextlib import closing
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

from tiny_llama.comparing.plan import EXPERIMENT, Run
from tiny_llama.comparing.running import Texts, do_run
from tiny_llama.errors import CheckpointError, UserError
from tiny_llama.setup import Setup

PATIENCE_SECONDS = 120
"""How long a run waits for a process that trains it still: the system lifts the lock of one that
was killed at once, a network file system that of a lost machine after a minute or two."""

Order = dict[str, Any]


def as_order(folder: Path, run: Run, measure: str) -> Order:
    """Give in plain values what another process needs to know to do a run."""
    plain = {**vars(run), "setup": run.setup.as_dict()}
    return {"folder": str(folder.resolve()), "run": plain, "measure": measure}


def carry_out(order: Order, stopped: Event) -> str:
    """Do what is left of a run, until it is over or this process is to stop.

    Args:
        order: what `as_order` gave.
        stopped: set when to stop between two pieces; what was done is kept.

    Returns:
        Why the run cannot be done, in a sentence; empty: nothing stands in its way.
    """
    folder = Path(order["folder"])
    run = Run(**{**order["run"], "setup": Setup.from_dict(order["run"]["setup"])})
    try:
        _check_place(folder)
        with closing(
            do_run(folder, run, order["measure"], _texts(folder), patience_seconds=PATIENCE_SECONDS)
        ) as pieces:
            for _ in pieces:
                if stopped.is_set():
                    break
    except UserError as error:
        return str(error)
    return ""


@cache
def _texts(folder: Path) -> Texts:
    """Prepare each text of an experiment once in a process."""
    return Texts(folder)


def _check_place(folder: Path) -> None:
    if not (folder / EXPERIMENT).is_file():
        raise CheckpointError(
            f"A machine that was to do runs does not find the experiment in {str(folder)!r}; "
            f"choose a folder that all machines see by the same name."
        )
