"""Who does what is asked of a worker, and how: one table.

A handler raises what is wrong; whoever calls it turns that into a refusal.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from explorer.engine.messages import (
    Analyse,
    Checkpoint,
    Control,
    Forget,
    Generate,
    Lend,
    Message,
    Repeat,
    Request,
    Start,
    TakeBack,
    Unload,
    WriteHuggingFace,
)
from explorer.engine.worker.live_runs import LiveRuns
from explorer.engine.worker.questions import Questions

Pieces = Generator[Message | Callable[[], Any] | None, Any, None]
"""A request that is answered piece by piece."""


@dataclass(frozen=True)
class AtOnce:
    """Done between two slices of training, as it is short or must not meet with training.

    The work returns the answer or, where it turns out to take longer, is done `InSlices` from then.
    """

    work: Callable[[Any], Message | Pieces]


@dataclass(frozen=True)
class InSlices:
    """Done piece by piece, in turns with training and with other requests.

    The work yields None after each piece, and the answer after the last. Where it yields a
    function, that is called beside, and what it returns is sent in with the next piece.
    """

    work: Callable[[Any], Pieces]


@dataclass(frozen=True)
class Beside:
    """Done in a thread of its own, which keeps away from runs.

    The work returns what is then done at once, and answers. What is asked of the same run in the
    meantime waits until this is done.
    """

    work: Callable[[Any], Callable[[], Message]]


Handler = AtOnce | InSlices | Beside


def handlers(runs: LiveRuns, questions: Questions) -> Mapping[type[Request[Any]], Handler]:
    """Give the handler of each request."""
    return {
        Start: Beside(runs.start),
        Control: AtOnce(runs.control),
        Checkpoint: AtOnce(runs.checkpoint),
        Unload: AtOnce(runs.unload),
        Forget: AtOnce(runs.forget),
        Lend: AtOnce(runs.lend),
        TakeBack: AtOnce(runs.take_back),
        Repeat: InSlices(runs.repeat),
        Generate: InSlices(questions.generate),
        Analyse: InSlices(questions.analyse),
        WriteHuggingFace: InSlices(questions.write_hugging_face),
    }
