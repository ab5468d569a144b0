"""Whether the request of a call is written, for those who ask while it runs or later: a future of just that.

Nothing is made or noted for it before somebody asks. Then whatever carries the attempts that run is asked, and those
that begin later find the record's ``on_sent``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callahead.registry.forking import fork_safe_lock

from .invocation import CallRecord, Outcome

_ASKING = fork_safe_lock()


def ask_sending(record: CallRecord, make: Callable[[], Any]) -> Any:
    """Return the future of the writing, which *make* makes where nobody has asked yet."""
    with _ASKING:
        written = record.written
        if written is not None:
            return written
        written = record.written = make()
        record.on_sent = _Told(record, written, record.on_sent)
    record.tell_sent()
    return written


def end_sending(record: CallRecord, outcome: Outcome) -> None:
    """Settle that future, where there is one, as the call ends by *outcome*; who asks later is told by `sending_of`."""
    with _ASKING:
        written, record.written, record.on_sent = record.written, None, None
    if written is not None:
        written._settle(sending_of(record, outcome))


def sending_of(record: CallRecord, outcome: Outcome) -> Outcome:
    """Say whether a call that ended by *outcome* was written: True, False where there was no request, or why not."""
    if record.is_sent:
        return Outcome(True)
    return Outcome(False) if outcome.error is None else Outcome(error=outcome.error)


class _Told:
    """Hears that a request is written, each time; a request stays written whatever becomes of the next attempt."""

    __slots__ = ("_before", "_record", "_written")

    def __init__(self, record: CallRecord, written: Any, before: Callable[[], object] | None) -> None:
        self._record = record
        self._written = written
        self._before = before

    def __call__(self) -> None:
        self._record.is_sent = True
        if self._before is not None:
            self._before()
        self._written._settle(Outcome(True))
