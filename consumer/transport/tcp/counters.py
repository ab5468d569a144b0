"""What is counted on a connection."""

from __future__ import annotations

from dataclasses import dataclass

from callahead.registry.forking import fork_safe_lock

_COUNTING = fork_safe_lock()


@dataclass(slots=True)
class Counters:
    """What happened on a connection that no call tells of.

    Attributes:
        trailing_bytes: Bytes behind the end of a body, or of an event; dubbo-go sends one behind each.
        unknown_answers: Answers to no running call: late, duplicate or made up; they reach nobody.
        bad_events: Events that mean nothing.
        connects: Times that a connection came about.
    """

    unknown_answers: int = 0
    bad_events: int = 0
    connects: int = 0
    trailing_bytes: int = 0

    def count_trailing(self, count: int) -> None:
        """Count bytes behind an end; on any thread, since several may read bodies."""
        with _COUNTING:
            self.trailing_bytes += count
