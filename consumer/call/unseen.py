"""Failures that have come to a user's future, each of which is reported once where nobody has looked at it.

Only a failed future has such an object, so one that succeeds pays for none of this. What is held here leads neither to
the future nor to an argument or answer.
"""

from __future__ import annotations

import logging
import sys
import weakref
from typing import Any

from callahead.registry.forking import fork_safe_lock, free_in_child

from .invocation import CallRecord, Outcome

_LOG = logging.getLogger("callahead.consumer.call")

_LIVE: weakref.WeakSet[Unseen] = weakref.WeakSet()
_ADDING = fork_safe_lock()


class Unseen(Outcome):
    """A failure whose owner reports it by going, unless it was `seen`.

    Args:
        error: The failure.
        record: Of the call; its policy says how to report.
    """

    __slots__ = ("__weakref__", "_record")

    def __init__(self, error: BaseException, record: CallRecord) -> None:
        super().__init__(error=error)
        self._record: CallRecord | None = record
        with _ADDING:
            _LIVE.add(self)

    def seen(self) -> None:
        """Note that somebody looked, or was told otherwise."""
        self._record = None

    def report(self) -> None:
        """Tell of a failure that nobody has seen, once, as ``unobserved`` says."""
        record, self._record = self._record, None
        error = self.error
        if record is None or error is None:
            return
        what = f"{type(error).__name__}: {error}, called at {record.call_site}"
        text = f"{record.name} failed and nobody looked at its future: {what}"
        if record.policy.unobserved == "raise":
            _Unobserved(text, error)
        else:
            _LOG.warning("%s", text)

    def __del__(self) -> None:
        if self._record is not None and not sys.is_finalizing():
            self.report()


class _Unobserved:
    """Raises where nobody can catch it: `sys.unraisablehook` hears of it, which test runners listen to."""

    def __init__(self, text: str, cause: BaseException) -> None:
        self._error = RuntimeError(text)  # the error itself may be known to others, and has no place for the line
        self._error.__cause__ = cause

    def __del__(self) -> None:
        raise self._error


def look_at(outcome: Outcome) -> None:
    """Note that somebody has seen *outcome*."""
    if isinstance(outcome, Unseen):
        outcome.seen()


def report_unseen() -> None:
    """Report what is still held by a future or a context, since the interpreter exits."""
    for one in _live():
        one.report()


def _live() -> list[Any]:
    with _ADDING:
        return list(_LIVE)


def _leave_to_parent() -> None:
    for one in _live():
        one.seen()


free_in_child(_leave_to_parent)
