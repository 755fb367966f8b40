"""Looks that a worker did not survive: they are not done again soon, by nobody.

As a run in whose turns the worker ends twice is parked, so a look during which it ended is refused
from then on; where something else may have been why, from the second time on. Who asks for the same
of the same model in other words, and that ends the worker, too, is refused it in any words.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cachetools import TTLCache

from explorer.engine.server.errors import EngineError, WorkerDiedError

REFUSED_SECONDS = 3600
"""As long as deaths in the turns of a run count."""
MOST_KNOWN = 1_000
MOST_BLAME, MOST_BLAME_IN_OTHER_WORDS = 1.0, 2.0
"""How often a worker may have ended during a look before that is refused."""
_REFUSED = (
    "The worker process ended while it looked at this, probably as memory ran out, and runs fell "
    "back to checkpoints; it is not tried again for an hour: take a smaller model or shorter text."
)


class Suspects:
    """Remembers them; may be asked by several threads.

    Args:
        clock: seconds, which only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._blame: TTLCache[Any, float] = TTLCache(MOST_KNOWN, REFUSED_SECONDS, timer=clock)

    @contextmanager
    def watched(self, *, exactly: Any, alike: Any) -> Iterator[None]:
        """Refuse what ended a worker before; note it, if it does so now.

        Args:
            exactly: what is asked.
            alike: the same but for the words in which, and by whom.

        Raises:
            EngineError: if it is refused.
        """
        if self._has(exactly, MOST_BLAME) or self._has(alike, MOST_BLAME_IN_OTHER_WORDS):
            raise EngineError(_REFUSED)
        try:
            yield
        except WorkerDiedError as error:
            for key in (exactly, alike):
                self._blame[key] = self._blame.get(key, 0.0) + error.blame
            raise

    def _has(self, key: Any, most: float) -> bool:
        return self._blame.get(key, 0.0) >= most
