"""How much of long texts the server holds for all sessions together: pasted ones, and uploads."""

import threading
from collections.abc import Callable


class Texts:
    """Counts what each session has the server hold; may be used by several threads.

    Args:
        most_bytes: of all together.
        is_gone: tells whether a session has ended, so that what it held is free again.
    """

    def __init__(self, most_bytes: int, is_gone: Callable[[str], bool]) -> None:
        self._most_bytes, self._is_gone = most_bytes, is_gone
        self._held: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def hold(self, session: str, what: str, n_bytes: int) -> bool:
        """Have a session hold a text in place of what it held under that name.

        Args:
            session: whose it is.
            what: the name of the text.
            n_bytes: how long it is; 0: it is dropped.

        Returns:
            Whether there is room; otherwise all is as before.
        """
        place = session, what
        with self._lock:
            others = sum(self._held.values()) - self._held.get(place, 0)
            if n_bytes and others + n_bytes > self._most_bytes:
                self._forget_gone()
                others = sum(self._held.values()) - self._held.get(place, 0)
                if others + n_bytes > self._most_bytes:
                    return False
            self._held.pop(place, None)
            if n_bytes:
                self._held[place] = n_bytes
            return True

    def _forget_gone(self) -> None:
        for place in [each for each in self._held if self._is_gone(each[0])]:
            del self._held[place]
