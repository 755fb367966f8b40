"""Models that are looked at: frozen copies, kept while there is room. Part of the worker process.

A page asks several questions about one model, and asks again at every click. It names the step, and
finds the model as it was at that step also while training goes on.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from cachetools import LRUCache

from tiny_llama.analyses.subject import Subject
from tiny_llama.data import TokenizedCorpus
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.tokenizers import Tokenizer
from tiny_llama.training import Trainer


class ModelCache:
    """Finds the model that a question is about, and keeps those that were asked about last.

    Args:
        most_bytes: of weights in all; a model that takes more is kept alone.
        tokens_of: gives a built-in text as cut by a tokenizer, where it is kept for runs.
    """

    def __init__(
        self,
        most_bytes: int,
        tokens_of: Callable[[Setup, Tokenizer], TokenizedCorpus | None] = lambda *_: None,
    ) -> None:
        self._tokens_of = tokens_of
        self._kept: LRUCache[tuple[str, int], Subject] = LRUCache(
            most_bytes,
            getsizeof=lambda subject: min(most_bytes, _bytes(subject)),  # one may be too large
        )

    def find(
        self, run_id: str, folder: Path, step: int | None, trainer: Trainer | None = None
    ) -> Subject:
        """Find the model of a run after a step, or as it stands where that step is gone.

        Args:
            run_id: the run.
            folder: its folder.
            step: a step of which it was asked before, or has a snapshot; None: as it stands.
            trainer: what trains it, while it is live.

        Raises:
            UserError: if its folder is damaged.
        """
        if step is not None and (kept := self._kept.get((run_id, step))) is not None:
            return kept
        if trainer is not None:
            now = _step(trainer)
            return self._taken(run_id, folder, step, now, lambda: _frozen(trainer, folder))
        last = Subject.load(folder)
        tokens = self._tokens_of(last.setup, last.tokenizer)
        return self._taken(run_id, folder, step, last.step, lambda: replace(last, tokens=tokens))

    def _taken(
        self, run_id: str, folder: Path, step: int | None, now: int, take: Callable[[], Subject]
    ) -> Subject:
        found = self._kept.get((run_id, now)) or take()
        if step is not None and step != now and step in found.snapshot_steps:
            found = found.at(step)
        self._kept[run_id, found.step] = found
        return found


def _step(trainer: Trainer) -> int:
    return max(0, trainer.next_step - 1)


def _frozen(trainer: Trainer, folder: Path) -> Subject:
    """Copy a model that goes on training."""
    return Subject(
        model=deepcopy(trainer.model).eval().requires_grad_(False),
        tokenizer=trainer.corpus.tokenizer,
        setup=Setup(
            model=trainer.model.config, training=trainer.config, corpus=trainer.corpus.name
        ),
        step=_step(trainer),
        folder=folder,
        tokens=None if trainer.corpus.name == OWN_TEXT else trainer.corpus,
    )


def _bytes(subject: Subject) -> int:
    return 4 * subject.model.n_parameters()
