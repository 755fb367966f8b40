"""AnswerCache of the engine about models, kept while there is room: a class asks the same thing."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a view found: plain values and arrays by name, and the step of the model asked.

    AnswerCache are shared by all who ask; arrays are read-only.
    """

    step: int
    found: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


Key = tuple[str, int, str, bytes]


def key_of(run_id: str, step: int, view: str, values: Mapping[str, Any]) -> Key:
    """What tells one question from another; short, though a value may be a text of megabytes."""
    asked = json.dumps(values, sort_keys=True).encode()
    return run_id, step, view, hashlib.sha256(asked).digest()


class AnswerCache:
    """The answers that were asked for last; may be used by several threads.

    Args:
        most_bytes: of all that is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Key, tuple[Answer, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Key) -> Answer | None:
        """The answer to a question, if it is still there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep an answer; those that nobody has asked for longest make room."""
        size = _size(answer.found)
        if size > self._most_bytes // 4:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = answer, size
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._bytes -= size


def _size(found: Mapping[str, Any]) -> int:
    arrays = [value for value in found.values() if isinstance(value, np.ndarray)]
    rest = {name: value for name, value in found.items() if not isinstance(value, np.ndarray)}
    return 500 + sum(array.nbytes for array in arrays) + len(json.dumps(rest))
