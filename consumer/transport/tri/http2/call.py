"""One attempt on a stream of HTTP/2, from the moment it is handed to the I/O thread to its one end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from ....call.attempt import Attempt
from ....call.invocation import Done
from ....errors import LimitExceeded, RemoteProtocolError, RpcError
from ....runtime.callbacks import CallbackExecutor
from ....wire.http2.grpc import PREFIX, PREFIX_BYTES, BadMessage, Message, MessageReader, MessageTooLarge
from ....wire.http2.window import UNKNOWN
from ...large_answers import LARGE_BYTES
from ...tcp.call import Call, CalledMethod
from ...tcp.outbox import Watched
from ..metadata import Metadata
from ..options import GrpcOptions
from .encoding import compress
from .head import ResponseHead
from .request import Request, prefix_of

if TYPE_CHECKING:
    from ....wire.http2.body import Body
    from ....wire.http2.window import ReceiveWindow

_unpack = PREFIX.unpack_from
_new = tuple.__new__
_LED_BYTES: Final = 16_000
"""A larger request may need the peer's leave to go on, which the I/O thread waits for."""

KEPT_BYTES: Final = 64 * 1024
"""So much of a stream of requests that has left is kept, to be sent again where the peer has not looked at it.

By HTTP/2's first window no more leaves until the peer allows it, which few do that have not looked. gRPC core keeps 256
KiB.
"""


class Hears(Protocol):
    """Hears that the answers of a call are about to come; for whoever holds its session."""

    def on_head(self, metadata: Metadata, /) -> None:
        """They have *metadata* before them."""


class StreamedMethod(CalledMethod, Protocol):
    """What is called; never raises."""

    @property
    def most(self) -> int:
        """Largest message of an answer, in bytes."""

    def message_too_large(self, size: int, /) -> LimitExceeded:
        """Make the error of an answer that has a message of *size* bytes."""

    def metadata_too_large(self, size: int, /) -> LimitExceeded:
        """Make the error of an answer whose metadata have *size* bytes."""

    def refused(self, head: ResponseHead, attempt: Attempt, /) -> RpcError:
        """Make the error of an attempt that no gRPC server has answered, as *head* says."""

    def reset(self, code: int, attempt: Attempt, /, *, answered: bool) -> RpcError:
        """Make the error of an attempt whose stream the provider has reset by *code*, and has *answered* in part."""


class StreamCall(Call):
    """What a connection keeps of an attempt while it runs.

    Attributes:
        session: The `Session` that carries it; None until one does.
        first: Number of the frame that opens its stream; 0 until it has one.
        pieces: Number and size of those frames of data behind it that wait, where there may be several; else None.
        body: What is still to be sent, where that did not leave with the headers, and perhaps what has left; else None.
        window: By how many bytes more than its settings say the peer takes *body* on this stream; mostly negative.
        incoming: The window of the answer; None until data have come.
        head: The headers of the answer, once they have come.
        was_sent: It had a stream before, at which the peer has not looked.
        was_moved: It was taken to another session once, though the peer had looked at no call on the one before.
    """

    __slots__ = (
        "_message", "_reader", "body", "first", "head", "incoming", "pieces", "session", "was_moved", "was_sent",
        "window",
    )  # fmt: skip

    is_followed: ClassVar[bool] = False
    """Somebody may wait for each part of its answer."""

    _method: StreamedMethod
    frame: Request
    head: ResponseHead | None
    incoming: ReceiveWindow | None

    def __init__(self, request: Request, size: int, attempt: Attempt, method: StreamedMethod, done: Done) -> None:
        Call.__init__(self, 0, request, size, True, attempt, method, done)  # which is quicker than by `super`
        self.session: Any = None
        self.first = 0
        self.pieces: deque[tuple[int, int]] | None = None
        self.body: Body | None = None
        self.window = 0
        self.incoming = None
        self.head = None
        self.was_sent = self.was_moved = False
        self._message: Message | None = None
        self._reader: MessageReader | None = None

    @property
    def can_be_led(self) -> bool:
        """The calling thread may carry it to its end."""
        return False

    @property
    def can_be_moved(self) -> bool:
        """Its request can be sent again; asked once it was begun anew."""
        return False

    @property
    def awaited(self) -> int:
        """Bytes of the answer that have yet to come; more than there can be where that is not known."""
        return UNKNOWN

    @property
    def is_patient(self) -> bool:
        """Where no connection comes about it waits for the next attempt, as long as it has time: ``wait_for_ready``."""
        attempt = self._attempt
        options: GrpcOptions | None = None if attempt is None else attempt.invocation.options
        return options is not None and bool(options.wait_for_ready)

    def begin_anew(self) -> bool:
        """Forget what an earlier stream has left; False where the peer has begun to answer, so that this ends."""
        if self.head is not None:
            self.fail(wrong_answer("the provider has begun to answer a call at which it says not to look", "INTERNAL"))
            return False
        if not self.first:  # what it was fed waits for the next one
            self.session = None
            return True
        self.was_sent = True
        self.session, self.id, self.first, self.number, self.window = None, 0, 0, 0, 0
        self.pieces = self.incoming = None
        self._rewind()
        return True

    def _rewind(self) -> None:
        """Have in the body all that is to be sent, or else no body."""
        body = self.body
        if body is not None:
            self.size -= body.copied
            if not body.rewind():
                self.body = None

    def let_go(self) -> int:
        """Keep nothing of what has left, and return how many bytes that were; for whoever holds its session."""
        body = self.body
        assert body is not None
        copied = body.copied
        body.let_go()
        self.size -= copied
        return copied

    def feed(self, message: bytes | None) -> None:
        """Take one more message for the peer, None where that was the last; for whoever holds its session."""
        body = self.body
        assert body is not None
        if message is None:
            body.is_whole = True
        else:
            packs = self.frame.packs
            data = compress(message, packs) if packs else message
            body.put(prefix_of(data, is_compressed=bool(packs)))
            body.put(data)

    def on_head(self, head: ResponseHead) -> RpcError | None:
        """Take the headers of the answer; returns what is wrong with them."""
        self.head = head
        attempt = self._attempt
        return None if head.refusal is None or attempt is None else self._method.refused(head, attempt)

    def on_data(self, data: bytes) -> RpcError | None:
        """Take some of the answer; returns what is wrong with it."""
        raise NotImplementedError

    def on_end(self, tail: ResponseHead | None, callbacks: CallbackExecutor) -> None:
        """Take the end of the answer, and end: with its trailers, or None where there were none."""
        raise NotImplementedError

    def on_answer(
        self, head: ResponseHead, data: bytes, tail: ResponseHead, callbacks: CallbackExecutor
    ) -> RpcError | None:
        """Take a whole answer and end, or return what is wrong with it."""
        error = self.on_head(head) or self.on_data(data)
        if error is None:
            self.on_end(tail, callbacks)
        return error

    def free(self, size: int) -> int:
        """Note that *size* bytes came, and tell how many of all that came are needed no more."""
        return size

    def on_drained(self) -> Watched | None:
        """Hear that all that was fed has been queued to be written; returns who is to be told when that has left."""
        return None

    def too_large(self, size: int) -> LimitExceeded:
        """Make the error of headers of *size* bytes."""
        return self._method.metadata_too_large(size)

    def was_reset(self, code: int) -> None:
        """End by the provider's word that it gives the stream up."""
        attempt = self._attempt
        if attempt is not None:
            self.fail(self._method.reset(code, attempt, answered=self.head is not None))


Fed = tuple[StreamCall, bytes | None]
"""A call, and one more message for its peer; None where that was the last."""


class UnaryCall(StreamCall):
    """An attempt whose answer is one message."""

    __slots__ = ()

    @property
    def can_be_led(self) -> bool:
        """It is small, and nobody waits for the writing."""
        return len(self.frame.message) <= _LED_BYTES and self.record.on_sent is None

    @property
    def can_be_moved(self) -> bool:
        """It is here as a whole."""
        return True

    @property
    def awaited(self) -> int:
        """What the one message has yet to bring, once its size is known."""
        return PREFIX_BYTES if self._reader is None else self._reader.missing

    def on_data(self, data: bytes) -> RpcError | None:
        """Take some of the answer, which mostly is whole."""
        if self._reader is None and self._message is None and len(data) >= PREFIX_BYTES:
            flag, size = _unpack(data)
            if size + PREFIX_BYTES == len(data) and flag <= 1 and size <= self._method.most:
                self._message = Message(flag == 1, data[PREFIX_BYTES:])
                return None
        return self._read(data)

    def on_answer(
        self, head: ResponseHead, data: bytes, tail: ResponseHead, callbacks: CallbackExecutor
    ) -> RpcError | None:
        """Take a whole answer, which mostly is one message, and never large; see `StreamCall.on_answer`."""
        if head.refusal is None and len(data) >= PREFIX_BYTES:
            flag, size = _unpack(data)
            if size + PREFIX_BYTES == len(data) and flag <= 1 and size <= self._method.most:
                self.answer(head, _new(Message, (flag == 1, data[PREFIX_BYTES:])), tail)
                return None
        return StreamCall.on_answer(self, head, data, tail, callbacks)

    def _read(self, data: bytes) -> RpcError | None:
        if self._reader is None:
            self._reader = MessageReader(self._method.most)
        try:
            messages = self._reader.feed(data)
        except MessageTooLarge as error:
            return self._method.message_too_large(error.size)
        except BadMessage as error:
            return wrong_answer(f"the answer is no message of gRPC: {error}", "INTERNAL")
        if len(messages) + (self._message is not None) > 1:
            return wrong_answer("the provider sent more than one answer", "UNIMPLEMENTED")
        if messages:
            self._message = messages[0]
        return None

    def on_end(self, tail: ResponseHead | None, callbacks: CallbackExecutor) -> None:
        """End with the answer; one that is cut short is none, where the provider says that all went well."""
        message = self._message
        if self._reader is not None and self._reader.held and tail is not None and tail.status == 0:
            self.fail(wrong_answer("the answer ends in the midst of its message", "INTERNAL"))
        elif message is None or len(message.data) <= LARGE_BYTES:
            self.answer(self.head, message, tail)
        else:
            self.answer_elsewhere(self.head, message, tail, callbacks)


def wrong_answer(text: str, status: str) -> RemoteProtocolError:
    """Make the error of what is no answer of gRPC, by the *status* that gRPC has for that."""
    error = RemoteProtocolError(text, in_doubt=True, status=status)
    error.status_text = text
    return error
