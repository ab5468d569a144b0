"""The trace of one collected call, of which a `Span` is made."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

from ..call.future import InvocationFuture
from ..call.invocation import CallRecord, Invocation, Outcome, Stoppable
from ..runtime.deadline import Clock
from .timeline import Span, Timeline, Wait

_CONSUMER = __name__.rpartition(".scope.")[0]
_PASSED = (
    *(f"{_CONSUMER}.{room}." for room in ("call", "channel", "interceptor", "reference", "scope")),
    "asyncio.", "concurrent.futures", "contextlib", "grpc", "wrapt",
)  # fmt: skip


def call_site() -> str:
    """Return ``file:line in function`` of the code that called into the framework."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_PASSED):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def lane() -> int:
    """Return a number of the running task of asyncio, or else of the running thread."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no loop runs here
            task = None
        if task is not None:
            return id(task)
    return threading.get_ident()


class CallTrace:
    """What is noted of one call, whatever collects it; it holds neither arguments nor answer.

    Args:
        invocation: What is asked.
        clock: Of the consumer.
        needed: The calls whose lazy results were among the arguments.

    Attributes:
        record: Of the call.
        error: Name of the class of its error; "" for none, or not yet.
        needs: The traces of the calls whose answers are arguments of this one.
    """

    def __init__(self, invocation: Invocation, clock: Clock, needed: Sequence[CallRecord] = ()) -> None:
        self.record = invocation.record
        self.error = ""
        traces = (record.collected for record in needed)
        self.needs = {trace for trace in traces if isinstance(trace, CallTrace)}
        self._mode = "sync" if invocation.blocking else "one-way"
        self._clock = clock
        self._lane = lane()
        self._site = call_site()
        self._waits: list[tuple[str, float, float]] = []

    def begun(self, ending: Stoppable) -> None:
        """Nothing is to be done; see `callahead.consumer.call.invocation.Collected`, here and below."""

    def hold(self, future: InvocationFuture, *, is_lazy: bool) -> None:
        """Note that the answer is for a future."""
        del future
        self._mode = "lazy" if is_lazy else "async"

    def streams(self) -> None:
        """Note that there is more than one request or answer, each of which may be waited for."""
        self._mode = "stream"

    def ended(self, outcome: Outcome) -> None:
        """Note how it ended."""
        if outcome.error is not None:
            self.error = type(outcome.error).__name__

    def now(self) -> float:
        """Return the monotonic second, of the consumer's clock."""
        return self._clock()

    def waited(self, since: float) -> None:
        """Note which code has stood still."""
        self._waits.append((call_site(), since, self._clock()))

    def until(self) -> float:
        """Return the monotonic second to which it is known: of its end and of what came of that, or the present."""
        ended = self.record.ended
        return max([self._clock() if ended is None else ended, *(until for _, _, until in self._waits)])

    def span(self, began: float, places: Mapping[CallTrace, int]) -> Span:
        """Make the span in a timeline that *began* at a monotonic second and has its traces at *places*."""

        def ms(at: float) -> float:
            return (at - began) * 1000

        record = self.record
        start, end = ms(record.started), None if record.ended is None else ms(record.ended)
        waits = tuple(Wait(site, ms(since), ms(until)) for site, since, until in self._waits)
        if self._mode == "sync" and end is not None:
            waits = (Wait(self._site, start, end),)
        return Span(
            name=record.name, site=self._site, mode=self._mode, start_ms=start, end_ms=end, error=self.error,
            thread=self._lane, waits=waits, needs=frozenset(places[one] for one in self.needs if one in places),
        )  # fmt: skip


def timeline_of(traces: Sequence[CallTrace], began: float, wall_ms: float, code_ms: float = 0.0) -> Timeline:
    """Make the timeline of calls whose stretch of code *began* at a monotonic second; the rest is as in `Timeline`."""
    ordered = sorted(traces, key=lambda trace: trace.record.started)
    places = {trace: place for place, trace in enumerate(ordered)}
    return Timeline(tuple(trace.span(began, places) for trace in ordered), wall_ms, code_ms)
