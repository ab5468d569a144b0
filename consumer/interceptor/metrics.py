"""What the head of the chain does for every call: counting it, and logging its failure. None of it can block."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

from ..call.invocation import CallRecord
from ..runtime.forking import fork_safe_lock

_LOG = logging.getLogger("callahead.consumer.call")


@dataclass(frozen=True, slots=True)
class MethodCounts:
    """How often something happened to the calls of one method since the consumer was made.

    Attributes:
        calls: Begun.
        running: Begun and not ended.
        attempts: Tries begun, retries included.
        failures: Ended with an error, by the error's class name; dropped ones included.
        dropped: Failed where nobody could be told, since ``return`` is false.
    """

    calls: int
    running: int
    attempts: int
    failures: dict[str, int]
    dropped: int


class CallMetrics:
    """Counts the calls of one method; from any thread."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._failures: Counter[str] = Counter()
        self.calls = 0
        self._ended = 0
        self._attempts = 0
        self._dropped = 0

    def begin(self) -> None:
        """Count a call."""
        with self._lock:
            self.calls += 1

    def end(self, attempts: int, error: BaseException | None) -> None:
        """Count the end of a call that took so many *attempts*."""
        with self._lock:
            self._ended += 1
            self._attempts += attempts
            if error is not None:
                self._failures[type(error).__name__] += 1

    def drop(self) -> None:
        """Count a failure that nobody is told of."""
        with self._lock:
            self._dropped += 1

    def counts(self) -> MethodCounts:
        """Return all counts as of one moment."""
        with self._lock:
            running = self.calls - self._ended
            return MethodCounts(self.calls, running, self._attempts, dict(self._failures), self._dropped)


def log_failure(record: CallRecord, error: BaseException) -> None:
    """Log a failed call as one line at level INFO, with the line that made the call where that is known."""
    if _LOG.isEnabledFor(logging.INFO):
        site = record.call_site
        called = f", called at {site}" if site else ""
        _LOG.info("%s failed: %s: %s%s", record.name, type(error).__name__, error, called)
