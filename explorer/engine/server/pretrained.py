"""The trained models that the library carries, as recorded runs to look at: no tensors needed."""

from functools import cache
from pathlib import Path

import tiny_llama
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import load_setup

FOLDER = Path(tiny_llama.__file__).parent / "pretrained"
DEFAULT = "tales-llama"
PRETRAINED = tuple(sorted(path.parent.name for path in FOLDER.glob("*/setup.json")))
"""The names of all that there are."""


@cache
def pretrained_run(name: str = DEFAULT) -> Run:
    """Give the recorded run of a pretrained model; nobody owns it, so nobody can steer it.

    Raises:
        UserError: if there is no such model.
    """
    folder = FOLDER / name
    run = Run(id=name, setup=load_setup(folder), owner="", folder=folder, status=RunState.RECORDED)
    for row in read_metrics(folder):
        run.take_row(row)
    run.has_history = True
    return run
