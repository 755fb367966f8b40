"""Looks at models as they are before training: one for all runs that begin alike.

A class presses Train on the same settings within a minute, and every look would find the same.
"""

from collections.abc import Hashable
from weakref import WeakValueDictionary

from cachetools import LRUCache

from tiny_llama.model import TinyLlama
from tiny_llama.setup import OWN_TEXT
from tiny_llama.training import StepReport, Trainer

MOST_KEPT = 2
"""Looks that are done, for who starts the same a little later; each may have a snapshot."""


class Look:
    """The look at one untrained model, done piece by piece by whoever has a turn.

    Args:
        trainer: what does it; it reports nothing but the untrained model.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer: Trainer | None = trainer
        self.report: StepReport | None = None
        """What it found, once it is done."""

    def advance(self) -> StepReport | None:
        """Do one more piece, unless all is done; return what it found, once it is."""
        if self._trainer is not None and (report := self._trainer.advance()) is not None:
            self._trainer, self.report = None, report
        return self.report


class Looks:
    """The looks under way, and the last ones."""

    def __init__(self) -> None:
        self._under_way: WeakValueDictionary[Hashable, Look] = WeakValueDictionary()
        self._last: LRUCache[Hashable, Look] = LRUCache(MOST_KEPT)

    def of(self, trainer: Trainer) -> Look:
        """Give the look at the model that a run had before its first step: somebody's, or new.

        The seed gives that model again, so a run's own steps need not wait for the look, and
        nothing of it need be kept between one process and the next.
        """
        if trainer.corpus.name == OWN_TEXT:
            return _look_at(trainer)
        key = _key(trainer)
        if (look := self._under_way.get(key)) is None:
            look = self._under_way[key] = _look_at(trainer)
        self._last[key] = look
        return look


def _look_at(trainer: Trainer) -> Look:
    model = TinyLlama(trainer.model.config, seed=trainer.config.seed)
    return Look(Trainer(model, trainer.corpus, trainer.config))


def _key(trainer: Trainer) -> Hashable:
    """Give all that decides what a look finds."""
    config = trainer.config
    return (
        trainer.model.config,
        trainer.corpus,
        config.seed,
        config.evaluates_at(0) and config.evaluate_texts,
        config.samples_at(0) and config.sample_tokens,
        config.snapshots_at(0),
    )
