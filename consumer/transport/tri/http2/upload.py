"""The requests of a client stream: read on a thread of their own, no faster than they leave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ....call.attempt import Attempt
from ....call.invocation import Done, Outcome
from ....errors import ConnectFailed, RpcError, TransportError
from ....wire.http2.body import Body
from ...tcp.outbox import Watched
from ..requests import Requests, of_requests
from .call import KEPT_BYTES, Hears, StreamCall, StreamedMethod, UnaryCall
from .connection import Connection
from .head import ResponseHead
from .request import Request

_AHEAD_BYTES: Final = 64 * 1024
"""So many bytes may have been read that have not left, beside those that are to leave once more."""

_NAME: Final = "callahead-tri-requests"


class _Left:
    """Tells the uploader that so many bytes have left, as soon as they have; a `Watched`."""

    __slots__ = ("_size", "_tell", "_turn", "ended", "number")

    def __init__(self, size: int, turn: int, tell: Callable[[int, int], None]) -> None:
        self._size = size
        self._turn = turn
        self._tell = tell
        self.number = 0
        self.ended = False

    def written(self) -> None:
        """The kernel has them all."""
        self._tell(self._size, self._turn)


class Uploader:
    """Feeds one call with its requests.

    Args:
        requests: As bytes, each made when it is due.
        done: Takes the outcome of the call, which `done` of this hands on.
    """

    def __init__(self, requests: Requests, done: Done) -> None:
        self._requests = requests
        self._done = done
        self._left: SimpleQueue[int | None] = SimpleQueue()
        self._fed = self._watched = self._gone = self._turn = 0
        self._ahead = 0
        self._is_over = False

    def done(self, outcome: Outcome) -> None:
        """End the thread, soon, and hand on how the call has ended."""
        self._is_over = True
        self._left.put(None)
        self._done(outcome)

    def on_drained(self) -> Watched | None:
        """Return who tells of all that was fed since this was asked last; for whoever holds the session."""
        size = self._fed - self._watched
        self._watched = self._fed
        return _Left(size, self._turn, self._have_left) if size else None

    def _have_left(self, size: int, turn: int) -> None:
        if turn == self._turn:
            self._gone += size
            self._left.put(size)

    def begin_anew(self) -> None:
        """Hear of the next session what has left, and of the last no more; for whoever holds the session.

        What this has heard to have left stays so, and is sent again beside what may be ahead.
        """
        self._turn += 1
        self._watched = self._gone

    def fed(self, message: bytes | None) -> None:
        """Note that *message* was taken to be sent; for whoever holds the session."""
        self._fed += 0 if message is None else max(1, len(message))

    def start(self, call: StreamCall, connection: Connection) -> None:
        """Begin to feed *call*; where the system has no thread for that it ends at once."""
        thread = threading.Thread(target=self._run, args=(call, connection), name=_NAME, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            connection.give_up(call, TransportError(f"the requests cannot be read: {error}", not_sent=True))

    def _run(self, call: StreamCall, connection: Connection) -> None:
        try:
            for message in self._requests:
                if self._is_over:
                    return
                connection.feed(call, message)
                self._ahead += max(1, len(message))
                if not self._wait():
                    return
            connection.feed(call, None)
        except ConnectFailed:  # the I/O thread cannot be started, and has told the call
            return
        except Exception as error:  # the user's iterator, or a request that is none
            if not self._is_over:
                connection.give_up(call, of_requests(error))

    def _wait(self) -> bool:
        """Wait until little is ahead; False where the call has ended."""
        while True:
            try:
                left = self._left.get(block=self._ahead > _AHEAD_BYTES)
            except Empty:
                return True
            if left is None:
                return False
            self._ahead -= left


class UploadCall(UnaryCall):
    """An attempt whose requests are a stream, and whose answer is one message."""

    __slots__ = ("_hears", "_uploader")

    is_stream = True

    def __init__(
        self,
        request: Request,
        uploader: Uploader,
        attempt: Attempt,
        method: StreamedMethod,
        hears: Hears | None = None,
    ) -> None:
        super().__init__(request, 0, attempt, method, uploader.done)
        self.body = Body(KEPT_BYTES)
        self._uploader = uploader
        self._hears = hears

    on_answer = StreamCall.on_answer  # which somebody may hear, piece by piece

    def on_head(self, head: ResponseHead) -> RpcError | None:
        """Take the headers of the answer; see `StreamCall.on_head`."""
        if self._hears is not None:
            self._hears.on_head(head.pairs)
        return super().on_head(head)

    @property
    def can_be_led(self) -> bool:
        """Never, since another thread feeds it."""
        return False

    @property
    def can_be_moved(self) -> bool:
        """All that it was fed is here."""
        return self.body is not None

    def begin_anew(self) -> bool:
        """Forget what an earlier stream has left; see `StreamCall.begin_anew`."""
        self._uploader.begin_anew()
        return super().begin_anew()

    def feed(self, message: bytes | None) -> None:
        """Take one more message; see `StreamCall.feed`."""
        super().feed(message)
        self._uploader.fed(message)

    def on_drained(self) -> Watched | None:
        """Hear that more can be taken; see `StreamCall.on_drained`."""
        return self._uploader.on_drained()
