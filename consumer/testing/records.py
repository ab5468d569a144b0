"""Which calls came in at an embedded provider."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable

from .provider_call import ProviderCall


class Records:
    """The most recent calls, and the count of all; thread-safe.

    Args:
        keep: How many calls are kept.
    """

    def __init__(self, keep: int) -> None:
        self._changed = threading.Condition()
        self._calls: deque[ProviderCall] = deque(maxlen=keep)
        self._counts: Counter[str] = Counter()

    def note(self, call: ProviderCall) -> None:
        """Add *call*."""
        with self._changed:
            self._calls.append(call)
            self._counts[f"/{call.interface}/{call.method}"] += 1
            self._changed.notify_all()

    @property
    def calls(self) -> tuple[ProviderCall, ...]:
        """Those kept, oldest first."""
        with self._changed:
            return tuple(self._calls)

    def count(self, paths: Iterable[str]) -> int:
        """How many came to *paths*, kept or not."""
        with self._changed:
            return sum(self._counts[path] for path in set(paths))

    def wait(self, paths: Iterable[str], count: int, timeout: float) -> int:
        """Wait until *count* have come to *paths*, at most *timeout* seconds, and give how many have."""
        wanted = set(paths)
        deadline = time.monotonic() + timeout
        with self._changed:
            while (came := sum(self._counts[path] for path in wanted)) < count:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    break
            return came
