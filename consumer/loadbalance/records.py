"""What is remembered of each provider by load balancers that watch attempts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from callahead.registry.forking import fork_safe_lock, free_in_child

from ..call.attempt import Attempt
from ..call.invocation import Outcome
from ..call.provider import Provider
from ..errors import CallTimeout, LimitExceeded, NoProviderAvailable, RemoteError, TransportError

_FEWEST = 64


class Record(Protocol):
    """What is remembered of one provider.

    Attributes:
        running: Attempts that have begun and not ended.
    """

    running: int


RecordT = TypeVar("RecordT", bound=Record)


class Records(Generic[RecordT]):
    """One record for each provider of which there is something to remember; of any thread.

    That of a provider which has left goes with its last attempt, or a little later.

    Args:
        make: Makes an empty one.
    """

    def __init__(self, make: Callable[[], RecordT]) -> None:
        self._make = make
        self._lock = fork_safe_lock()
        self._by_provider: dict[Provider, RecordT] = {}
        self._most = _FEWEST
        free_in_child(self._after_fork)
        self.get: Callable[[Provider], RecordT | None] = self._by_provider.get

    def begin(self, provider: Provider) -> RecordT:
        """Count an attempt that begins, and return the record."""
        with self._lock:
            record = self._by_provider.get(provider)
            if record is None:
                record = self._added(provider)
            record.running += 1
            return record

    def end(self, provider: Provider, note: Callable[[RecordT], object] | None = None) -> None:
        """Count the end of one, and let *note* write into the record, with nobody else doing so."""
        with self._lock:
            record = self._by_provider.get(provider)
            if record is None or not record.running:  # the attempt is of the process that this one was forked from
                return
            record.running -= 1
            if note is not None:
                note(record)
            if provider.has_left and not record.running:
                del self._by_provider[provider]

    def _added(self, provider: Provider) -> RecordT:
        known = self._by_provider
        if len(known) >= self._most:
            for one in [one for one, record in known.items() if one.has_left and not record.running]:
                del known[one]
            self._most = max(_FEWEST, 2 * len(known))
        record = known[provider] = self._make()
        return record

    def running(self, provider: Provider) -> int:
        """Return how many attempts run there."""
        record = self.get(provider)
        return 0 if record is None else record.running

    def _after_fork(self) -> None:
        """Count none of the parent's attempts, which no thread of the child will end; what they told stays known."""
        for record in self._by_provider.values():
            record.running = 0

    def __len__(self) -> int:
        return len(self._by_provider)


def seconds_of(attempt: Attempt, outcome: Outcome, now: float) -> float | None:
    """Tell how long *attempt*, which ends *now*, took its provider; None where it says nothing of that.

    One that the provider or the way to it failed counts as its whole timeout, for else one that refuses all it is asked
    would be the quickest of all. Cancelled attempts, those that never left this side, and those that no timeout bounds,
    as streams are, say nothing.
    """
    error, timeout = outcome.error, attempt.timeout
    if timeout <= 0 or timeout == math.inf:
        return None
    took = now - attempt.ends + timeout
    if error is None or isinstance(error, RemoteError):
        return max(took, 0.0)
    return max(took, timeout) if _is_fault(error) else None


def _is_fault(error: BaseException) -> bool:
    if isinstance(error, LimitExceeded | NoProviderAvailable):
        return error.is_remote
    return isinstance(error, TransportError | CallTimeout)
