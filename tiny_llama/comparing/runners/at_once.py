"""Several runs at once, wherever they are done: how far they are is read from their folders."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from tiny_llama.comparing.plan import Run
from tiny_llama.comparing.runners.order import Order, as_order
from tiny_llama.comparing.running import Progress, is_left, over
from tiny_llama.errors import TrainingError
from tiny_llama.metrics import read_last_step

NEWS_SECONDS = 0.5
TRIES = 4
"""How often a run is begun or gone on with whose process was killed, or whose machine was lost."""


class AtOnce(ABC):
    """A runner that hands all runs out and waits for them."""

    n_at_once: int
    """How many runs there is room for without one slowing another."""

    lost: type[Exception] | tuple[type[Exception], ...]
    """What is raised where a run's process was killed so often."""

    @abstractmethod
    def submit(self, order: Order) -> "Future[str]":
        """Have a run done as soon as there is room.

        Returns:
            What `carry_out` will say of it; or it raises what `lost` says.
        """

    @abstractmethod
    def stop(self) -> None:
        """Let all that is being done stop between two pieces and be kept; wait for it."""

    def do(
        self, folder: Path, runs: Sequence[Run], measure: str
    ) -> Generator[Progress, None, None]:
        """Do what is left of some runs; see `Runner`. Where one cannot be done, all others are."""
        going: dict[Future[str], Run] = {}
        for run in runs:
            if is_left(folder, run, measure):
                going[self.submit(as_order(folder, run, measure))] = run
            else:
                yield over(folder, run, measure)
        wrong: list[str] = []
        while going:
            for future in wait(going, NEWS_SECONDS, return_when=FIRST_COMPLETED).done:
                run = going.pop(future)
                if sentence := self.wrong(run, future):
                    wrong.append(sentence)
                else:
                    yield over(folder, run, measure)
            for run in going.values():
                yield Progress(run=run, steps_done=read_last_step(folder / run.name))
        if wrong:
            raise TrainingError(wrong[0])

    def wrong(self, run: Run, future: "Future[str]") -> str:
        """Say why a run could not be done; empty: it was."""
        try:
            return future.result()
        except self.lost:
            return (
                f"The process that trained {run.name!r} was killed {TRIES} times, as where memory "
                f"is short; do fewer runs at once, and start the same line again to go on with it."
            )
