"""Calls functions at points in time, for whatever has no clock of its own."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

from .deadline import Clock

_LOG = logging.getLogger("callahead.consumer.timer")


class Timer:
    """One thread, started when first needed, that calls each function once its time has come.

    The functions must be quick and never block. Not on the hot path: transports keep deadlines themselves.
    """

    def __init__(self, clock: Clock, name: str = "callahead-timer") -> None:
        self._clock = clock
        self._name = name
        self._wakes = threading.Condition()
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def now(self) -> float:
        """Return the second that its clock shows."""
        return self._clock()

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Call *function* once the clock shows *when*; never, where the timer is closed before.

        Raises:
            RuntimeError: The system has no thread left to start the timer's; *function* is forgotten, and the next one
                tries again.
        """
        with self._wakes:
            if self._closed:
                return
            if self._thread is None:
                self._thread = self._started()
            entry = (when, next(self._order), function)
            heapq.heappush(self._entries, entry)
            if self._entries[0] is entry:  # else the thread wakes for an earlier one, and sees this then
                self._wakes.notify()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while (function := self._next()) is not None:
            try:
                function()
            except Exception:
                _LOG.exception("a timed function raised")
            del function  # while this waits, it must not keep what was timed alive

    def _next(self) -> Callable[[], None] | None:
        with self._wakes:
            while not self._closed:
                left = self._entries[0][0] - self._clock() if self._entries else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._entries)[2]
                self._wakes.wait(left)
            return None

    def close(self) -> None:
        """Forget what was to come, and end the thread. Idempotent."""
        with self._wakes:
            self._closed = True
            self._entries.clear()
            self._wakes.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def after_fork(self) -> None:
        """Forget the parent's thread and what it was to do."""
        self._wakes = threading.Condition()
        self._entries = []
        self._thread = None
