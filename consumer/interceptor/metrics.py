"""What the head of the chain does for every call: counting it, and logging its failure. None of it can block."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callahead.registry.forking import fork_safe_lock

from ..call.invocation import CallRecord

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
        cluster: What its cluster counts, by name, such as ``hedges``; without what is zero.
    """

    calls: int
    running: int
    attempts: int
    failures: dict[str, int]
    dropped: int
    cluster: Mapping[str, int] = field(default_factory=dict)


class _Count:
    """A number that grows by one; from any thread.

    Attributes:
        add: Counts one more, in C and so neither with a lock nor in parts.
    """

    __slots__ = ("_looks", "add")

    def __init__(self) -> None:
        self.add: Callable[[], int] = itertools.count().__next__
        self._looks = itertools.count()

    @property
    def value(self) -> int:
        """How often it was counted; each look counts too, and is taken off."""
        return self.add() - next(self._looks)


class CallMetrics:
    """Counts the calls of one method; from any thread.

    Attributes:
        begin: Counts a call.
        end_well: Counts the end of one that its first attempt has answered, as nearly all do.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._begun, self._well = _Count(), _Count()
        self.begin = self._begun.add
        self.end_well = self._well.add
        self._failures: Counter[str] = Counter()
        self._ended = 0
        self._attempts = 0
        self._dropped = 0

    def end(self, attempts: int, error: BaseException | None) -> None:
        """Count the end of a call that took so many *attempts*."""
        with self._lock:
            self._ended += 1
            self._attempts += attempts
            if error is not None:
                self._failures[type(error).__name__] += 1

    @property
    def calls(self) -> int:
        """Calls begun."""
        with self._lock:
            return self._begun.value

    def drop(self) -> None:
        """Count a failure that nobody is told of."""
        with self._lock:
            self._dropped += 1

    def counts(self) -> MethodCounts:
        """Return all counts; of a call that ends meanwhile its beginning at least."""
        with self._lock:
            well = self._well.value
            begun = self._begun.value
            running = begun - well - self._ended
            return MethodCounts(begun, running, well + self._attempts, dict(self._failures), self._dropped)


def log_failure(record: CallRecord, error: BaseException) -> None:
    """Log a failed call as one line at level INFO, with the line that made the call where that is known."""
    if _LOG.isEnabledFor(logging.INFO):
        site = record.call_site
        called = f", called at {site}" if site else ""
        _LOG.info("%s failed: %s: %s%s", record.name, type(error).__name__, error, called)
