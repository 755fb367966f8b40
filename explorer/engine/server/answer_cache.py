"""AnswerCache of the engine about models, kept while there is room: a class asks the same thing."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from cachetools import LRUCache


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a view found: plain values and arrays by name, and the step of the model asked.

    AnswerCache are shared by all who ask; arrays are read-only.
    """

    step: int
    found: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.found[name]

    @cached_property
    def n_bytes(self) -> int:
        """What it takes in memory, nearly."""
        arrays = [value for value in self.found.values() if isinstance(value, np.ndarray)]
        rest = {name: it for name, it in self.found.items() if not isinstance(it, np.ndarray)}
        return 500 + sum(array.nbytes for array in arrays) + len(json.dumps(rest))


Key = tuple[str, int, str, bytes]


def key_of(run_id: str, step: int, view: str, values: Mapping[str, Any]) -> Key:
    """Give what tells one question from another; short, though a value may be megabytes."""
    asked = json.dumps(values, sort_keys=True).encode()
    return run_id, step, view, hashlib.sha256(asked).digest()


class AnswerCache:
    """The answers that were asked for last; may be used by several threads.

    Args:
        most_bytes: of all that is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes_each = most_bytes // 4
        self._kept: LRUCache[Key, Answer] = LRUCache(
            most_bytes, getsizeof=lambda answer: answer.n_bytes
        )
        self._lock = threading.Lock()

    def find(self, key: Key) -> Answer | None:
        """Find the answer to a question, if it is still there."""
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep an answer, unless it is huge; those asked for longest ago make room."""
        if answer.n_bytes <= self._most_bytes_each:
            with self._lock:
                self._kept[key] = answer
