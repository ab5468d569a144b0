"""`Recorder`: the calls of a whole program, whatever made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..call.collected import Collector
from ..call.invocation import CallRecord, Collected, Invocation
from ..reference.caller import Chain, MethodBinding
from ..reference.ending import Runtime
from .timeline import Timeline
from .trace import CallTrace, timeline_of


class Recorder(Collector):
    """Notes the calls of all consumers and threads, and changes nothing about them."""

    ends = float("inf")

    def __init__(self) -> None:
        self._traces: list[CallTrace] = []

    def collect(
        self, binding: MethodBinding, chain: Chain, invocation: Invocation, needed: Sequence[CallRecord]
    ) -> Collected:
        """Note a call that is about to begin."""
        del chain  # which a call that is made again goes through
        trace = CallTrace(invocation, binding.runtime.clock, needed)
        self.follow(trace)
        return trace

    def follow(self, call: CallTrace) -> None:
        """Note a call that a scope collects."""
        self._traces.append(call)

    def timeline(self) -> Timeline:
        """Show what was noted so far, from the beginning of the first call to the end of the last."""
        traces = list(self._traces)
        began = min((trace.record.started for trace in traces), default=0.0)
        ended = max((trace.until() for trace in traces), default=0.0)
        return timeline_of(traces, began, (ended - began) * 1000)


@contextmanager
def recording() -> Iterator[Recorder]:
    """Note every call of this process that begins within the block; one block at a time."""
    recorder = Recorder()
    before, Runtime.everywhere = Runtime.everywhere, recorder
    try:
        yield recorder
    finally:
        Runtime.everywhere = before
