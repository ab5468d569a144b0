"""What comes in on one connection: from bytes to the calls that they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....errors import RemoteProtocolError, RpcError
from ....runtime.callbacks import CallbackExecutor
from ....wire.http2.events import (
    Answer,
    BadStream,
    Broken,
    Data,
    Headers,
    OversizedHeaders,
    Ping,
    Reset,
    Settings,
    WindowUpdate,
)
from ....wire.http2.frames import (
    CANCEL,
    FLOW_CONTROL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    SETTINGS_ACK,
    STREAM_CLOSED,
    ping_frame,
    window_update_frame,
)
from ....wire.http2.reader import Http2Reader
from ....wire.http2.settings import Limits
from ....wire.http2.violation import Violation
from ....wire.http2.window import UNKNOWN, ReceiveWindow
from ...tcp.counters import Counters
from ...tcp.io_thread import NEVER
from .call import StreamCall
from .greeting import CONNECTION_WINDOW, STREAM_WINDOW
from .head import ResponseHead
from .streams import Streams

_WORD_BYTES: Final = 16 * 1024
"""What headers, or the end, of a stream that is over count as."""

_LATE_BYTES: Final = STREAM_WINDOW + 2 * _WORD_BYTES
"""So much an honest peer may say on a stream until it hears that this side has ended it."""

_SPARED_BYTES: Final = 16 * _WORD_BYTES
"""So much may come where nothing may: a provider that errs now and then keeps its connection."""

_ENDING_SHARE: Final = 8
"""While the peer is about to end the connection, a window is opened anew once no more than such a part is left.

It closes its socket behind the last answer, which may be on its way for long.
"""


class Inbox:
    """Reads what the peer says; for whoever holds the connection's `Ownership`.

    Args:
        streams: Has the calls.
        limits: What is read of the peer.
        counters: Where what reaches nobody is counted.
        callbacks: Reads large answers for which no thread waits.
        say: Called with a frame that is to be sent.
        answer: Likewise with one that the peer has asked for; see `Replies.put`.
        rare: Called with each event that concerns the connection as a whole: the peer's settings after they were taken,
            its goodbye, the answer to a ping, and the end.
    """

    def __init__(
        self,
        streams: Streams,
        limits: Limits,
        counters: Counters,
        callbacks: CallbackExecutor,
        say: Callable[[bytes], Any],
        answer: Callable[[bytes], Any],
        rare: Callable[[Any], None],
    ) -> None:
        self._streams = streams
        self._counters = counters
        self._callbacks = callbacks
        self._say = say
        self._answer = answer
        self._rare = rare
        self._reader = Http2Reader(ResponseHead, limits)
        self._window = ReceiveWindow(CONNECTION_WINDOW)
        self._dropped = 0

    @property
    def was_answered(self) -> bool:
        """The peer has begun to answer a call."""
        return self._reader.was_answered

    def take(self, data: bytes) -> None:
        """Hand on what *data* says, together with what came before."""
        streams, reader = self._streams, self._reader
        reader.opened = max(0, streams.opened)
        reader.sent = streams.sent
        came = 0
        try:
            for event in reader.feed(data):
                kind = type(event)
                if kind is Answer:
                    came += self._take_answer(*event)
                elif kind is Headers:
                    self._take_headers(*event)
                elif kind is Data:
                    self._take_data(*event)
                else:
                    self._take_other(event)
                    if kind is Broken:
                        return
            if came:
                self._open_connection(came)
        except Violation as violation:
            reader.is_broken = True
            self._rare(Broken(violation.code, RemoteProtocolError(f"the provider breaks a rule: {violation.text}")))

    def _take_answer(self, stream: int, head: ResponseHead, data: bytes, tail: ResponseHead) -> int:
        """Hand on a whole answer, and return how many bytes of the connection's window are still to be counted."""
        streams = self._streams
        call = streams.by_id.get(stream)
        if call is None or call.head is not None or not head.opens or tail.opens:
            self._take_headers(stream, head, ended=False)
            self._take_data(stream, data, len(data), ended=False)
            self._take_headers(stream, tail, ended=True)
            return 0
        streams.end(call, NO_ERROR)  # a single frame fits in the window of a stream of which nothing has come
        error = call.on_answer(head, data, tail, self._callbacks)
        if error is not None:
            call.fail(error)
        return len(data)

    def _open_connection(self, size: int) -> None:
        """Count *size* bytes in the window of the connection, of which nothing is kept, and let the peer go on."""
        awaited = UNKNOWN if self._streams.is_open else CONNECTION_WINDOW // _ENDING_SHARE
        if more := self._window.pass_on(size, awaited):
            self._say(window_update_frame(0, more))

    def _take_headers(self, stream: int, head: ResponseHead, ended: bool) -> None:
        call = self._streams.by_id.get(stream)
        if call is None:
            self._drop(_WORD_BYTES, ended=ended)
        elif head.opens is not (call.head is None):
            what = "headers without a :status" if call.head is None else "headers in the midst of an answer"
            self._fail(call, _wrong(what), PROTOCOL_ERROR)
        elif ended:
            self._streams.end(call, NO_ERROR)
            call.on_end(head, self._callbacks)
        elif call.head is not None:
            self._fail(call, _wrong("trailers that are not the end of an answer"), PROTOCOL_ERROR)
        else:
            if call.body is not None:
                self._streams.let_go(call)
            if (error := call.on_head(head)) is not None:
                self._fail(call, error, CANCEL)
            else:
                self._note_part(call)

    def _take_data(self, stream: int, data: bytes, size: int, ended: bool) -> None:
        self._open_connection(size)
        call = self._streams.by_id.get(stream)
        if call is None:
            self._drop(max(size, _WORD_BYTES * ended), ended=ended)
            return
        if call.head is None:
            self._fail(call, _wrong("data before any headers"), PROTOCOL_ERROR)
        elif (overrun := self._enter(call, size)) is not None:
            self._fail(call, overrun, FLOW_CONTROL_ERROR)
        elif (error := call.on_data(data)) is not None:
            self._fail(call, error, CANCEL)
        elif ended:
            self._streams.end(call, NO_ERROR)
            call.on_end(None, self._callbacks)
        else:
            self._note_part(call)
            self.open_window(call, size)

    def _note_part(self, call: StreamCall) -> None:
        """Note that a part of an answer has come, for which somebody may wait."""
        if call.is_followed:
            self._streams.youngest = NEVER

    def _drop(self, cost: int, *, ended: bool) -> None:
        """Count what comes on a stream that is over, as it may until the peer hears that this side has ended it."""
        self._counters.unknown_answers += ended
        self._dropped += cost
        if self._dropped > _LATE_BYTES * self._streams.resets + _SPARED_BYTES:
            text = f"it goes on with streams that are over: {self._dropped} bytes after {self._streams.resets} resets"
            raise Violation(STREAM_CLOSED, text)

    def _enter(self, call: StreamCall, size: int) -> RpcError | None:
        """Count *size* bytes in the window of *call*."""
        window = call.incoming
        if window is None:
            window = call.incoming = ReceiveWindow(STREAM_WINDOW)
        try:
            window.take(size)
        except Violation as violation:
            return _wrong(violation.text)
        return None

    def open_window(self, call: StreamCall, size: int) -> None:
        """Let the peer send more to *call*, for which *size* bytes came, as far as it needs no more what came."""
        window = call.incoming
        if window is None:
            return
        awaited = call.awaited if self._streams.is_open else min(call.awaited, STREAM_WINDOW // _ENDING_SHARE)
        if more := window.read(call.free(size), awaited):
            self._say(window_update_frame(call.id, more))

    def _fail(self, call: StreamCall, error: RpcError, code: int) -> None:
        self._streams.end(call, code)
        call.fail(error)

    def _take_other(self, event: Any) -> None:
        kind = type(event)
        if kind is WindowUpdate:
            overrun = self._streams.allow(*event)
            if overrun is not None:
                self._fail(overrun, _wrong("it allows a stream more than there can be"), FLOW_CONTROL_ERROR)
        elif kind is Ping:
            self._answer(ping_frame(event.data, ack=True))
        elif kind is Settings:
            if cost := self._streams.set(event.values):
                self._reader.charge(cost)
            self._answer(SETTINGS_ACK)
            self._rare(event)
        elif kind in _OF_STREAMS:
            self._take_end(event)
        else:
            self._rare(event)

    def _take_end(self, event: Any) -> None:
        """Take the end of one stream that is none of an answer."""
        call = self._streams.by_id.get(event.stream)
        if call is None:
            self._counters.bad_events += type(event) is not Reset
        elif type(event) is Reset:
            self._streams.forget(call)
            call.was_reset(event.code)
        elif type(event) is OversizedHeaders:
            self._fail(call, call.too_large(event.size), CANCEL)
        else:
            self._fail(call, event.error, event.code)


_OF_STREAMS: Final = (Reset, OversizedHeaders, BadStream)


def _wrong(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the provider breaks the rules of HTTP/2: {text}", in_doubt=True)
