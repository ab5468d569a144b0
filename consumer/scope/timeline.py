"""When the calls of a stretch of code ran, what that saved, and where it could have saved more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

_NOTICEABLE = 0.01
"""Part of the wall time that a line must cost to be named."""
_NOTICEABLE_MS = 1.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A thread or task that stood still for an answer.

    Attributes:
        site: ``file:line in function`` that took the answer.
        start_ms: Milliseconds since the beginning of the timeline.
        end_ms: Likewise.
    """

    site: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One call.

    Attributes:
        name: ``reference.method``.
        site: ``file:line in function`` that made the call.
        mode: "sync", "async", "lazy", "one-way", or "stream" of a streaming method.
        start_ms: Milliseconds since the beginning of the timeline.
        end_ms: Likewise; None while the call runs.
        error: Name of the class of its error, "" for none.
        thread: Whose code made the call; of equal numbers one thing is done after the other.
        waits: Where its answer was waited for, in the order of time.
        needs: Places among the spans of the calls whose answers are arguments of this one.
    """

    name: str
    site: str
    mode: str
    start_ms: float
    end_ms: float | None
    error: str = ""
    thread: int = 0
    waits: tuple[Wait, ...] = ()
    needs: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyTake:
    """A line that takes an answer although calls that could run meanwhile begin only after it.

    Attributes:
        site: Of the line, ``file:line in function``.
        name: ``reference.method`` of the first call that it waits for.
        mode: Of that call.
        before: Line of the call that begins after it.
        waited_ms: What all waits of the line took.
        gain_ms: By how much the whole would be shorter, had the line come after the later calls.
    """

    site: str
    name: str
    mode: str
    before: str
    waited_ms: float
    gain_ms: float


@dataclass(frozen=True)
class Timeline:
    """The calls of a stretch of code beside one another.

    Attributes:
        spans: The calls, in the order in which they began.
        wall_ms: Milliseconds from the beginning to the end of the stretch, or to the moment of asking.
        code_ms: Likewise to the end of the code itself, after which it only waited for its calls; 0 where it is not
            known that it did anything after the last call or wait.
    """

    spans: tuple[Span, ...]
    wall_ms: float
    code_ms: float = 0.0

    @cached_property
    def sum_ms(self) -> float:
        """What the calls took, added up: about the wall time of calls that wait for one another."""
        return sum(self.end_of(span) - span.start_ms for span in self.spans)

    def end_of(self, span: Span) -> float:
        """Return the milliseconds to the end of *span*, or to that of the stretch where the call runs."""
        return self.wall_ms if span.end_ms is None else span.end_ms

    @property
    def saved_ms(self) -> float:
        """By how much the wall time is shorter than the sum; 0 where it is not."""
        return max(0.0, self.sum_ms - self.wall_ms)

    @cached_property
    def early(self) -> tuple[EarlyTake, ...]:
        """The lines that took an answer too early, the worst first.

        What is gained is worked out: all that the thread does stays, in its order, and the calls take as long as they
        did, but the line's waits come after the last call of the thread. Whether a later call needs the answer can only
        be seen where the answer itself is an argument of it.
        """
        least = max(_NOTICEABLE_MS, self.wall_ms * _NOTICEABLE)
        found = [take for schedule in self._schedules for take in schedule.early(least)]
        return tuple(sorted((take for take in found if take.gain_ms >= least), key=lambda take: -take.gain_ms))

    @cached_property
    def possible_ms(self) -> float:
        """The wall time that there would be if no line took its answer too early."""
        gains = (schedule.took() - schedule.took(schedule.sites()) for schedule in self._schedules)
        return self.wall_ms - max(gains, default=0.0)

    @cached_property
    def _schedules(self) -> list[_Schedule]:
        places: dict[int, list[int]] = defaultdict(list)
        for place, span in enumerate(self.spans):
            places[span.thread].append(place)
        return [_Schedule(self, own) for own in places.values()]


@dataclass(slots=True)
class _Event:
    """What a thread did: it began the call at place *call*, or (*wait*) stood still for its answer."""

    at_ms: float
    until_ms: float
    call: int
    wait: Wait | None = None


@dataclass(slots=True)
class _Clock:
    """A run of a thread that did not happen."""

    now: float = 0.0
    ends: dict[int, float] = field(default_factory=dict)
    postponed: dict[int, None] = field(default_factory=dict)

    def wait(self, call: int) -> None:
        self.now = max(self.now, self.ends.get(call, 0.0))

    def catch_up(self, calls: AbstractSet[int]) -> None:
        """Wait now for those of *calls* that were postponed."""
        for call in calls & self.postponed.keys():
            self.wait(call)
            del self.postponed[call]


class _Schedule:
    """What one thread did, which made the calls at *places*, and how long it would have taken with some waits last."""

    def __init__(self, timeline: Timeline, places: Iterable[int]) -> None:
        self._timeline = timeline
        self._spans = timeline.spans
        self._events = sorted(self._happened(places), key=lambda event: (event.at_ms, event.wait is not None))

    def _happened(self, places: Iterable[int]) -> Iterator[_Event]:
        for place in places:
            span = self._spans[place]
            yield _Event(span.start_ms, span.start_ms, place)
            for wait in span.waits:
                yield _Event(wait.start_ms, wait.end_ms, place, wait)

    def sites(self) -> frozenset[str]:
        return frozenset(event.wait.site for event in self._events if event.wait is not None)

    def took(self, late: AbstractSet[str] = frozenset()) -> float:
        """Return the milliseconds to the end of the timeline if the waits at the sites *late* came last."""
        clock, before, last = _Clock(), 0.0, self._last_begin()
        for event in self._events:
            clock.now += max(0.0, event.at_ms - before)
            before = max(before, event.until_ms)
            if event.wait is None:
                span = self._spans[event.call]
                clock.catch_up(span.needs)
                clock.ends[event.call] = clock.now + self._timeline.end_of(span) - span.start_ms
            elif event.wait.site in late and event.at_ms < last:
                clock.postponed[event.call] = None
            else:
                clock.catch_up(clock.postponed.keys())
                clock.wait(event.call)
        clock.catch_up(clock.postponed.keys())
        return max([clock.now + max(0.0, self._timeline.code_ms - before), *clock.ends.values()])

    def _last_begin(self) -> float:
        return max((event.at_ms for event in self._events if event.wait is None), default=0.0)

    def early(self, least: float) -> Iterator[EarlyTake]:
        """Give each line whose waits might come later, with what that gains: no more than the waits, of *least* ms."""
        took = self.took()
        waits: dict[str, list[_Event]] = defaultdict(list)
        for event in self._events:
            if event.wait is not None:
                waits[event.wait.site].append(event)
        for site, events in waits.items():
            waited = sum(event.until_ms - event.at_ms for event in events)
            later = None if waited < least else self._begun_after(events[0])
            if later is not None:
                span = self._spans[events[0].call]
                yield EarlyTake(
                    site=site, name=span.name, mode=span.mode, before=later.site,
                    waited_ms=waited, gain_ms=took - self.took({site}),
                )  # fmt: skip

    def _begun_after(self, wait: _Event) -> Span | None:
        begun = (event for event in self._events if event.wait is None and event.at_ms >= wait.until_ms)
        return next((self._spans[event.call] for event in begun), None)
