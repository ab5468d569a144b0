"""The bound of the callbacks that wait for a thread, and what becomes of one more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from callahead.registry.forking import fork_safe_condition

from .due import DueCallback
from .loops import runs_loop

_LOG = logging.getLogger("callahead.consumer.callbacks")
_OWN_THREADS = "callahead-"
"""How the names of callahead's threads begin: those that serve connections, the timer's and those of callbacks."""


class Overflow:
    """Keeps the callbacks of *due* to a number, one way or the other.

    Where it *blocks*, a thread that begins a call waits while there is no room. So what waits is at most *most*, and
    what the calls bring that had begun by then: those that bring it, such as the thread that serves the connections,
    never wait. Else one more callback is refused, counted and logged. Never refused is what ends a call or a future.

    Args:
        due: The callbacks that wait.
        most: How many may, 0 for any number.
        blocks: A beginning call waits; else a callback is refused.
        origin: Where *most* was set, for the log.

    Attributes:
        refused: How many callbacks were.
        awaited: How many threads wait for room.
    """

    def __init__(self, due: Collection[DueCallback], most: int, *, blocks: bool, origin: str) -> None:
        self._due = due
        self._most = most
        self._origin = origin
        self._changed = fork_safe_condition()
        self.blocks = blocks and most > 0
        self.refuses = not blocks and most > 0
        self.refused = 0
        self.awaited = 0

    @property
    def is_full(self) -> bool:
        """No room is left."""
        return len(self._due) >= self._most

    def refuse(self, due: DueCallback) -> bool:
        """Refuse *due* where there is no room, and say so; False where it may be queued."""
        _, what, *_, brings = due
        if brings is not None or not self.is_full:
            return False
        with self._changed:
            self.refused += 1
        text = "%s is not run: %d callbacks wait already (callback_executor.queue: %d, %s)"
        _LOG.warning(text, what, len(self._due), self._most, self._origin)
        return True

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until there is room, for at most *timeout* seconds; False where that was not enough.

        Threads that others need do not wait: those of event loops, and callahead's own.
        """
        if not self.is_full or runs_loop() or threading.current_thread().name.startswith(_OWN_THREADS):
            return True
        with self._changed:
            self.awaited += 1
            try:
                return self._changed.wait_for(lambda: not self.is_full, max(0.0, timeout))
            finally:
                self.awaited -= 1

    def look_again(self) -> None:
        """Let those who wait look whether there is room by now."""
        with self._changed:
            self._changed.notify_all()

    def after_fork(self, due: Collection[DueCallback]) -> None:
        """Begin anew with *due*; the parent's threads are not there."""
        self._due, self.awaited = due, 0
