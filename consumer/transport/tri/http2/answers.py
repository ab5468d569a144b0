"""The answers of a stream, from the thread that reads the connection to the one that iterates them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from queue import SimpleQueue
from typing import Any, Final, Protocol

from ....call.attempt import Attempt
from ....call.invocation import Done, Outcome
from ....errors import RpcError
from ....runtime.callbacks import CallbackExecutor
from ....wire.http2.body import Body
from ....wire.http2.grpc import PREFIX_BYTES, BadMessage, Message, MessageReader, MessageTooLarge
from ...tcp.outbox import Watched
from ..requests import Requests
from .call import KEPT_BYTES, Hears, StreamCall, StreamedMethod, wrong_answer
from .connection import Connection
from .greeting import STREAM_WINDOW
from .head import ResponseHead
from .request import Request
from .upload import Uploader

_TELL_BYTES: Final = STREAM_WINDOW // 4
"""Once so many were taken the peer is allowed more, which takes a hand-over to the I/O thread."""


class AnsweringMethod(StreamedMethod, Protocol):
    """What is called; never raises but for `value_of`."""

    def end_of(self, head: ResponseHead | None, tail: ResponseHead | None, attempt: Attempt, /) -> Outcome:
        """Make the outcome of a stream that the provider has ended: None, or its error."""

    def value_of(self, message: Message, head: ResponseHead | None, attempt: Attempt, /) -> Any:
        """Make an answer of its bytes.

        Raises:
            RpcError: They are none.
        """


class StreamedCall(StreamCall):
    """An attempt whose answers are a stream.

    Args:
        request: Its headers, and its message where that is one.
        size: Bytes that it holds.
        attempt: Which it is.
        method: Makes answers of bytes.
        requests: Its messages where they are a stream, too; else None.
        hears: Hears of the headers of the answers, where somebody wants to.
        ended: Takes the outcome before the queue does, likewise.

    Attributes:
        queue: The answers that have come, and the outcome of all behind the last.
        taken: Bytes of those that were taken; for the one who takes them.
        uploader: Feeds it with requests where these are a stream, too; else None.
    """

    __slots__ = ("_came", "_ended", "_freed", "_hears", "_put", "queue", "taken", "uploader")

    is_followed = is_stream = True

    _method: AnsweringMethod
    _reader: MessageReader

    def __init__(
        self,
        request: Request,
        size: int,
        attempt: Attempt,
        method: AnsweringMethod,
        requests: Requests | None,
        hears: Hears | None = None,
        ended: Done | None = None,
    ) -> None:
        self.queue: SimpleQueue[Message | Outcome] = SimpleQueue()
        self._hears = hears
        self._ended = ended
        self.uploader = None if requests is None else Uploader(requests, self._put_end)
        done = self._put_end if self.uploader is None else self.uploader.done
        super().__init__(request, size, attempt, method, done)
        if requests is not None:
            self.body = Body(KEPT_BYTES)
        self._reader = MessageReader(method.most)
        self._came = self._freed = self._put = 0
        self.taken = 0

    def _put_end(self, outcome: Outcome) -> None:
        if self._ended is not None:
            self._ended(outcome)
        self.queue.put(outcome)

    @property
    def can_be_moved(self) -> bool:
        """Its one request is here, or all that it was fed."""
        return self.uploader is None or self.body is not None

    def begin_anew(self) -> bool:
        """Forget what an earlier stream has left; see `StreamCall.begin_anew`."""
        if self.uploader is not None:
            self.uploader.begin_anew()
        return super().begin_anew()

    def on_head(self, head: ResponseHead) -> RpcError | None:
        """Take the headers of the answers; see `StreamCall.on_head`."""
        if self._hears is not None:
            self._hears.on_head(head.pairs)
        return super().on_head(head)

    def feed(self, message: bytes | None) -> None:
        """Take one more message; see `StreamCall.feed`."""
        super().feed(message)
        assert self.uploader is not None
        self.uploader.fed(message)

    def on_drained(self) -> Watched | None:
        """Hear that more can be taken; see `StreamCall.on_drained`."""
        return None if self.uploader is None else self.uploader.on_drained()

    def on_data(self, data: bytes) -> RpcError | None:
        """Take some of the answers."""
        try:
            messages = self._reader.feed(data)
        except MessageTooLarge as error:
            return self._method.message_too_large(error.size)
        except BadMessage as error:
            return wrong_answer(f"an answer is no message of gRPC: {error}", "INTERNAL")
        for message in messages:
            self._put += len(message.data) + PREFIX_BYTES
            self.queue.put(message)
        return None

    def free(self, size: int) -> int:
        """Keep what waits to be taken; an answer that has yet to come whole is no reason to send no more of it."""
        self._came += size
        more = self._came - (self._put - self.taken) - self._freed
        self._freed += max(0, more)
        return max(0, more)

    def on_end(self, tail: ResponseHead | None, callbacks: CallbackExecutor) -> None:
        """End behind the answers that came."""
        del callbacks
        attempt = self._attempt
        if attempt is None:
            return
        if self._reader.held and tail is not None and tail.status == 0:
            self.fail(wrong_answer("the answers end in the midst of one", "INTERNAL"))
        else:
            self.end(self._method.end_of(self.head, tail, attempt))


class AnswerStream(Iterator[Any]):
    """A `ResponseStream` over HTTP/2 of our own; one that nobody holds any more is cancelled.

    Args:
        call: Begun by `begin` of this.
        method: Makes answers of bytes.
        attempt: That of *call*.
        connection: Which carries it.
    """

    def __init__(self, call: StreamedCall, method: AnsweringMethod, attempt: Attempt, connection: Connection) -> None:
        self._call = call
        self._method = method
        self._attempt = attempt
        self._connection = connection
        self._outcome: Outcome | None = None
        self._untold = 0

    def __next__(self) -> Any:
        """Wait for the next answer; see `ResponseStream.__iter__`."""
        if self._outcome is None:
            item = self._call.queue.get()
            if self._attempt.is_cancelled:
                self._outcome = Outcome(error=CancelledError())
            elif isinstance(item, Message):
                return self._take(item)
            else:
                self._outcome = item
        if self._outcome.error is not None:
            raise self._outcome.error
        raise StopIteration

    def _take(self, message: Message) -> Any:
        size = len(message.data) + PREFIX_BYTES
        self._call.taken += size
        self._untold += size
        if self._untold >= _TELL_BYTES:
            self._untold = 0
            self._connection.read_on(self._call)
        try:
            return self._method.value_of(message, self._call.head, self._attempt)
        except RpcError as error:
            self._outcome = Outcome(error=error)
            self._call.cancel()
            raise

    def cancel(self) -> None:
        """End the stream; see `ResponseStream.cancel`."""
        self._attempt.cancel()

    def __del__(self) -> None:
        if not self._call.ended:
            self._attempt.is_cancelled = True  # looked at where the call has yet to begin
            self._call.cancel()
