"""What comes in on one connection: from bytes to the calls that they answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ...runtime.callbacks import CallbackExecutor
from ...wire.events import BadEvent, BadResponse, BrokenStream, Heartbeat, HeartbeatAnswer, ReadOnly, Response, Writable
from ...wire.header import heartbeat_answer_frame
from ...wire.reader import FrameReader
from ..large_answers import LARGE_BYTES
from ..tcp.counters import Counters
from .running import RunningCalls
from .settings import ConnectionSettings
from .stop_notice import StopNotice

_LOG = logging.getLogger("callahead.consumer.dubbo")

_PROGRESS_BYTES = 256
"""More than the heartbeats of both sides are together, while a connection that is silent otherwise is not yet lost.

Where a length is wrong they disappear in the frame, and it must not seem to grow by them.
"""


class Inbox:
    """Reads what the peer says; for whoever holds the connection's `Ownership`.

    Args:
        settings: The largest answer.
        name: ``host:port``, for the log.
        running: The calls that wait for an answer; who gets one is taken out.
        counters: Where what reaches nobody is counted.
        stop_notice: Hears that the peer is about to stop.
        callbacks: Reads large answers for which no thread waits.
        reply: Called with a frame that the peer asked for.
        broken: Called with what is wrong where nothing after it can be read.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        name: str,
        running: RunningCalls,
        counters: Counters,
        stop_notice: StopNotice,
        callbacks: CallbackExecutor,
        reply: Callable[[bytes], None],
        broken: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._name = name
        self._running = running
        self._counters = counters
        self._stop_notice = stop_notice
        self._callbacks = callbacks
        self._reply = reply
        self._broken = broken
        self.clear()

    def clear(self) -> None:
        """Forget the half of a frame that came last: the next bytes are of another connection."""
        self._reader = FrameReader(self._settings.max_body_bytes, setting=self._settings.max_body_setting)
        self._progress = (0, 0)
        self._progressed = 0.0

    def stalled(self, now: float) -> float:
        """Tell for how many seconds the frame that has begun has made no progress; 0 where none has begun."""
        reader = self._reader
        begun, missing = self._progress
        if reader.begun != begun or not reader.missing or missing - reader.missing >= _PROGRESS_BYTES:
            self._progress, self._progressed = (reader.begun, reader.missing), now
        return now - self._progressed

    def take(self, data: bytes) -> None:
        """Hand on what *data* says, together with what came before."""
        calls = self._running
        running = calls.by_id
        for event in self._reader.feed(data):
            if type(event) is Response:
                number, status, body = event
                call = running.pop(number, None)
                if call is None:
                    self._counters.unknown_answers += 1
                    continue
                calls.size -= call.size  # as `RunningCalls.take` does, without a function for each answer
                if (started := call.record.started) > calls.youngest:
                    calls.youngest = started
                if len(body) <= LARGE_BYTES:
                    call.answer(status, body, self)
                else:
                    call.answer_elsewhere(status, body, self, self._callbacks)
            else:
                self._take_rare(event)

    def count_trailing(self, count: int) -> None:
        """Note bytes behind the end of an answer; see `Peer`."""
        self._counters.count_trailing(count)

    def stops(self) -> None:
        """Note that an answer says what an event could say, too; see `Peer`."""
        self._stop_notice.give(True)

    def _take_rare(self, event: Any) -> None:
        if isinstance(event, Heartbeat | HeartbeatAnswer | ReadOnly | Writable) and event.trailing:
            self.count_trailing(event.trailing)
        if isinstance(event, Heartbeat):
            if event.two_way:
                self._reply(heartbeat_answer_frame(event.id))
        elif isinstance(event, BadResponse):
            self._fail(event)
        elif isinstance(event, ReadOnly | Writable):
            self._stop_notice.give(isinstance(event, ReadOnly))
        elif isinstance(event, BrokenStream):
            self._broken(event.error.message)
        elif isinstance(event, BadEvent):
            self._ignore(f": {event.error.message}")
        elif not isinstance(event, HeartbeatAnswer):
            self._ignore(" sent a request, which a consumer does not answer")

    def _fail(self, event: BadResponse) -> None:
        call = self._running.take(event.id)
        if call is None:
            self._counters.unknown_answers += 1
        else:
            call.fail(event.error)

    def _ignore(self, what: str) -> None:
        self._counters.bad_events += 1
        _LOG.warning("%s%s", self._name, what)
