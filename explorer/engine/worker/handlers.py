"""Who does what is asked of a worker, and how: one table.

A handler raises what is wrong; whoever calls it turns that into a refusal.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from explorer.engine.messages import (
    Analyse,
    AnalyseInOnePiece,
    Checkpoint,
    Control,
    Forget,
    Generate,
    Lend,
    Message,
    Request,
    Start,
    TakeBack,
    Unload,
    WriteHuggingFace,
)
from explorer.engine.worker.live_runs import LiveRuns
from explorer.engine.worker.questions import Questions


@dataclass(frozen=True)
class AtOnce:
    """Done between two slices of training, as it is short or must not meet with training.

    The work returns the answer or, where it turns out to take longer, is done `InSlices` from then.
    """

    work: Callable[[Any], Message | Iterator[Message | None]]


@dataclass(frozen=True)
class InSlices:
    """Done piece by piece, in turns with training and with other requests.

    The work yields None after each piece, and the answer after the last.
    """

    work: Callable[[Any], Iterator[Message | None]]


@dataclass(frozen=True)
class Beside:
    """Done in a thread of its own, which keeps away from runs.

    The work returns what is then done at once, and answers.
    """

    work: Callable[[Any], Callable[[], Message]]
    holds_up: bool = False
    """Whether what is asked of the same run waits until this is done."""


Handler = AtOnce | InSlices | Beside


def handlers(runs: LiveRuns, questions: Questions) -> Mapping[type[Request[Any]], Handler]:
    """Give the handler of each request."""
    return {
        Start: Beside(runs.start, holds_up=True),
        Control: AtOnce(runs.control),
        Checkpoint: AtOnce(runs.checkpoint),
        Unload: AtOnce(runs.unload),
        Forget: AtOnce(runs.forget),
        Lend: AtOnce(runs.lend),
        TakeBack: AtOnce(runs.take_back),
        Generate: InSlices(questions.generate),
        Analyse: InSlices(questions.analyse),
        AnalyseInOnePiece: Beside(questions.analyse_in_one_piece),
        WriteHuggingFace: AtOnce(questions.write_hugging_face),
    }
