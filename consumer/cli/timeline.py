"""When each call of a stretch of code began and ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..call.invocation import CallRecord, Invocation, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One call.

    Attributes:
        name: ``reference.method``.
        start_ms: Milliseconds from the beginning of the timeline to the beginning of the call.
        end_ms: Likewise to its end.
    """

    name: str
    start_ms: float
    end_ms: float


@dataclass(slots=True)
class Timeline:
    """What `recorded` collects; complete after its ``with`` block, if the block waited for its calls.

    Attributes:
        began: Monotonic seconds at the beginning.
        wall_ms: Milliseconds from the beginning to the end of the block.
        spans: The calls that have ended, in the order of their ends.
    """

    began: float = field(default_factory=time.monotonic)
    wall_ms: float = 0.0
    spans: list[Span] = field(default_factory=list)

    @property
    def sum_ms(self) -> float:
        """What the calls took, added up: the wall time of calls that wait for one another."""
        return sum(span.end_ms - span.start_ms for span in self.spans)

    def now_ms(self, at: float) -> float:
        """Turn monotonic seconds into milliseconds since the beginning."""
        return (at - self.began) * 1000


def in_order(spans: Iterable[Span]) -> list[Span]:
    """Sort *spans* by their beginnings."""
    return sorted(spans, key=lambda span: span.start_ms)


_CURRENT: ContextVar[Timeline | None] = ContextVar("callahead_timeline", default=None)


@contextmanager
def recorded() -> Iterator[Timeline]:
    """Collect the calls that this thread or task begins within the block and whose methods have the `Recorder`."""
    timeline = Timeline()
    token = _CURRENT.set(timeline)
    try:
        yield timeline
    finally:
        timeline.wall_ms = timeline.now_ms(time.monotonic())
        _CURRENT.reset(token)


class Recorder:
    """An `Observer` for the ``interceptors`` of a configuration; without effect outside of `recorded`."""

    inline = True

    def on_start(self, invocation: Invocation) -> tuple[Timeline | None, CallRecord]:
        """Choose the timeline on the caller's thread; the end comes on any."""
        return _CURRENT.get(), invocation.record

    def on_end(self, token: tuple[Timeline | None, CallRecord], outcome: Outcome) -> None:
        """Add the call, however it ended."""
        del outcome
        timeline, record = token
        if timeline is not None:
            start, end = timeline.now_ms(record.started), timeline.now_ms(time.monotonic())
            timeline.spans.append(Span(name=record.name, start_ms=start, end_ms=end))
