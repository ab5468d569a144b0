"""Who collects the calls of a context, such as a scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .invocation import CallRecord, Collected, Invocation


class Collector(Protocol):
    """Collects the calls of the context in which it is the current one.

    Attributes:
        ends: The monotonic second by which all that it collects must have ended; infinity for none.
    """

    ends: float

    def collect(
        self, binding: Any, chain: Any, invocation: Invocation, needed: Sequence[CallRecord]
    ) -> Collected | None:
        """Take a call that is about to begin through *binding*, and bound its ``ends``; None where it is not for this.

        Args:
            binding: Of the call.
            chain: Through which it is about to run.
            invocation: What is asked.
            needed: The calls whose lazy results were among its arguments.

        Raises:
            concurrent.futures.CancelledError: No further call may begin here.
        """

    def follow(self, call: Any) -> None:
        """Show a call in the timeline, too, which a collector within this one has taken."""
