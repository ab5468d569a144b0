"""What clusters count of the unusual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from callahead.registry.forking import fork_safe_lock


class Tally:
    """Numbers by name, which only what is unusual adds to; from any thread."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, number: int = 1) -> None:
        """Count *number* more, or fewer where it is negative."""
        with self._lock:
            self._counts[name] += number

    def counts(self) -> Mapping[str, int]:
        """Return all of them, without those that are zero."""
        with self._lock:
            return {name: number for name, number in self._counts.items() if number}
