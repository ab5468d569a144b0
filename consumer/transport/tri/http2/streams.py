"""The streams of one connection: which calls have one, which wait for one, and what each may still send."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from itertools import takewhile
from typing import Any, Final

from ....call.invocation import Outcome
from ....errors import LimitExceeded, RpcError
from ....wire.http2.body import Body
from ....wire.http2.frames import (
    CANCEL,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEAD,
    HEADERS,
    LARGEST_STREAM,
    LARGEST_WINDOW,
    data_head,
    headers_frames,
    reset_frame,
)
from ....wire.http2.grpc import PREFIX_BYTES
from ....wire.http2.settings import PeerSettings
from ....wire.http2.violation import Violation
from ...request_limit import Room
from ...tcp.expiry import Expiry
from ...tcp.io_thread import NEVER
from ...tcp.outbox import Outbox
from ...trouble import Trouble
from .call import StreamCall

_PIECE_BYTES: Final = 256 * 1024

_AHEAD_BYTES: Final = 1024 * 1024
_AHEAD_FRAMES: Final = 10_000
"""Where so much waits to be written, no more data are queued: a peer that does not read needs no copies of them."""

_MOST_STUCK: Final = 1000
"""Once the peer takes no more bytes on a connection so many streams wait for that, and further calls for a stream.

To keep where each is costs as much memory as the call itself, and who has no stream was not sent.
"""

_WORTHY_BYTES: Final = 1024
"""A frame that the peer's windows have cut smaller is less of a reason for it to say something: many make one."""

_NEEDLESS: Final = 32
"""So many calls that are looked at in vain cost as much as a frame without use."""

_pack = HEAD.pack

Put = Callable[[bytes], int]
"""Puts a frame on the way, and gives its number."""

Pieces = deque[tuple[int, int]]
"""Number and size of each frame of data of one call that may not have begun to leave."""


class Streams:
    """The calls of a connection; for whoever holds its `Ownership`.

    It is true as long as a call runs, or none may begin.

    Args:
        outbox: Where the frames wait to be written.
        room: How much may be begun and not ended.
        name: ``host:port``, for errors.

    Attributes:
        by_id: The calls that have a stream.
        waiting: Those that wait for one, in order.
        size: Bytes that the requests of both hold.
        sending: Those that have a stream, and send more as soon as all together may.
        peer: What the peer allows.
        opened: The highest stream that was opened; -1 for none.
        sent: Frames that a peer may answer by a word of its own.
        resets: Streams that this side has ended, of which more may come until the peer hears of that.
        is_open: Streams may be opened: the peer has said what it allows, and is not about to go.
        expiry: When to look for calls whose time is over.
        youngest: See `Answered`.
    """

    def __init__(self, outbox: Outbox[Any], room: Room, name: str) -> None:
        self._outbox = outbox
        self._room = room
        self._copies = room.copies
        self._name = name
        self.by_id: dict[int, StreamCall] = {}
        self.waiting: OrderedDict[StreamCall, None] = OrderedDict()  # whose first costs the same however many have gone
        self.sending: OrderedDict[int, StreamCall] = OrderedDict()
        # Those that have more to send, too, and wait for room in their own window, or for data.
        self._paused: dict[int, StreamCall] = {}
        self.peer = PeerSettings()
        self._window = DEFAULT_WINDOW
        self.size = 0
        self.opened = -1
        self.sent = self.resets = self._crumbs = 0
        self.is_open = False
        self.expiry = Expiry()
        self.youngest = 0.0

    def __len__(self) -> int:
        return len(self.by_id) + len(self.waiting)

    def __bool__(self) -> bool:
        return bool(self.by_id) or bool(self.waiting) or not self.is_open or not self.peer.streams

    # -- calls that begin -------------------------------------------------------------------------------------------

    def put(self, call: StreamCall) -> LimitExceeded | None:
        """Let *call* run from now on, or make the error of one that has no room."""
        room, count = self._room, len(self.by_id) + len(self.waiting)
        if count >= room.requests or (self.size + call.size > room.size and count):
            return room.refusal(self._name, count, self.size, call.size)
        self.size += call.size
        if self.waiting or not self._has_place:
            self.waiting[call] = None
        else:
            self.open(call, self._outbox.put)
        return None

    @property
    def _has_place(self) -> bool:
        """A stream may be opened now."""
        return (
            self.is_open
            and len(self.by_id) < self.peer.streams
            and self.opened < LARGEST_STREAM
            and (self._window > 0 or len(self.sending) < _MOST_STUCK)
        )

    @property
    def is_stuck(self) -> bool:
        """The peer takes no more bytes, whoever sends them."""
        return self._window <= 0

    def begin_waiting(self) -> None:
        """Let those go on that wait: for room in the connection's window, for a stream, or until others have left."""
        if self.sending:
            self._send_all()
        waiting = self.waiting
        while waiting and self._has_place and not self._is_full:
            self.open(waiting.popitem(last=False)[0], self._outbox.put)
        if waiting:
            self.youngest = NEVER  # the next answer may let one of them on

    def open(self, call: StreamCall, put: Put) -> None:
        """Open a stream for *call*, and send of its request what the peer takes; mostly that is all in one frame.

        A large one waits where as much as may be is queued.
        """
        block, headers, prefix, message, _ = call.frame
        peer = self.peer
        if headers > peer.headers:
            self._leave_unopened(call, headers)
            return
        size = len(message) + PREFIX_BYTES
        is_large = not prefix or size > self._window or size > peer.window or size > peer.frame
        if is_large and self._is_full:  # headers that went ahead of their data would leave it in doubt
            self.waiting[call] = None
            return
        self.opened = stream = self.opened + 2
        call.id = stream
        self.by_id[stream] = call
        self.sent += 1
        if is_large or len(block) > peer.frame:
            self._open_large(call, put)
            return
        self._window -= size
        head = _pack(len(block) << 8 | HEADERS, END_HEADERS, stream)
        middle = _pack(size << 8 | DATA, END_STREAM, stream)
        call.first = call.number = put(b"".join((head, block, middle, prefix, message)))
        if call.record.on_sent is not None:
            self._outbox.watch(call)

    def _leave_unopened(self, call: StreamCall, headers: int) -> None:
        self.size -= call.size
        if not call.frame.block:  # it asks for nothing but that streams can be opened
            call.end(Outcome(None))
            return
        text = f"the metadata of the request have {headers} bytes, more than the {self.peer.headers} that the provider"
        call.fail(LimitExceeded(f"{text} takes", not_sent=True))

    def _open_large(self, call: StreamCall, put: Put) -> None:
        block, _, prefix, message, _ = call.frame
        call.pieces = deque()
        call.first = put(headers_frames(call.id, block, self.peer.frame))
        if prefix:
            call.body = body = Body()
            body.put(prefix)
            body.put(message)
            body.is_whole = True
        if call.body is not None:
            self.send(call)

    # -- what may be sent -------------------------------------------------------------------------------------------

    def send(self, call: StreamCall) -> None:
        """Queue of the body of *call* what the windows have room for."""
        stream, body, pieces = call.id, call.body, call.pieces
        assert body is not None
        assert pieces is not None
        self._stop_sending(stream)
        while not (ended := self._send_piece(call, body, pieces)):
            if ended is None:
                self._pause(call, body, pieces)
                return
        call.number = pieces[-1][0]
        if call.record.on_sent is not None:
            self._outbox.watch(call)

    def _stop_sending(self, stream: int) -> bool:
        """Return whether the call on *stream* had more to send."""
        return self.sending.pop(stream, None) is not None or self._paused.pop(stream, None) is not None

    def _pause(self, call: StreamCall, body: Body, pieces: Pieces) -> None:
        """Let *call* wait, and tell it where it has to be fed before it goes on."""
        if body.size:
            self.youngest = NEVER  # the peer may let it on at any moment
        if body.size and self._window_of(call) > 0:  # it goes to the end, so that all have their turn
            self.sending[call.id] = call
        else:
            self._paused[call.id] = call
        if pieces and not body.size and (watched := call.on_drained()) is not None:
            watched.number = pieces[-1][0]
            self._outbox.watch(watched)

    def _window_of(self, call: StreamCall) -> int:
        return self.peer.window + call.window

    def _send_piece(self, call: StreamCall, body: Body, pieces: Pieces) -> bool | None:
        """Queue up to 256 KiB; returns whether that was the end, and None where nothing may be sent now."""
        frames: list[bytes | memoryview] = []
        taken, ends, copied = 0, False, body.copied
        most = 0 if self._is_full else self.peer.frame
        while taken < _PIECE_BYTES and not ends:
            left = body.size
            size = max(0, min(left, self._window_of(call), self._window, most))
            ends = body.is_whole and size == left  # an end without data needs no window
            if not size and not ends:
                break
            frames.append(data_head(call.id, size, ends=ends))
            frames += body.take(size)
            taken += size
            call.window -= size
            self._window -= size
            self._crumbs += _WORTHY_BYTES if size == left else min(size, _WORTHY_BYTES)
            self.sent += self._crumbs // _WORTHY_BYTES
            self._crumbs %= _WORTHY_BYTES
        if not frames:
            return None
        while pieces and pieces[0][0] <= self._outbox.begun:  # which can no more be taken back
            pieces.popleft()
        pieces.append((self._outbox.put(b"".join(frames)), taken))
        if body.copied != copied:
            self._count_copy(call, body.copied - copied)
        return ends

    def _count_copy(self, call: StreamCall, more: int) -> None:
        """Count *more* bytes, or less, that *call* keeps to send them again, where all that is held leaves room."""
        call.size += more
        self.size += more
        if more > 0 and self.size > self._copies:
            self.let_go(call)

    def let_go(self, call: StreamCall) -> None:
        """Let *call* keep nothing to send it again."""
        self.size -= call.let_go()

    @property
    def _is_full(self) -> bool:
        """The peer has to read before more data are queued."""
        return self._outbox.size >= _AHEAD_BYTES or self._outbox.count >= _AHEAD_FRAMES

    def _send_all(self) -> None:
        """Let those go on that wait for what all share; each of them sends something, or ends the turn."""
        sending = self.sending
        while sending and self._window > 0 and not self._is_full:
            self.send(next(iter(sending.values())))

    def allow(self, stream: int, increment: int) -> StreamCall | None:
        """Note that the peer takes more bytes; returns a call that it allowed more than there can be.

        Raises:
            Violation: It has allowed the whole connection more than there can be.
        """
        if not stream:
            self._window += increment
            if self._window > LARGEST_WINDOW:
                raise Violation(FLOW_CONTROL_ERROR, f"it allows {self._window} bytes, and {LARGEST_WINDOW} at most")
            if self.sending:
                self._send_all()
            return None
        call = self._paused.get(stream) or self.sending.get(stream)
        if call is None:
            return None
        call.window += increment
        if self._window_of(call) > LARGEST_WINDOW:
            return call
        self.send(call)
        return None

    def set(self, values: Iterable[tuple[int, int]]) -> int:
        """Take the peer's settings; returns what they have cost, in frames without use.

        Raises:
            Violation: One is out of its range, or allows a stream more than there can be.
        """
        if self.peer.update(values) <= 0:
            return 0
        looked_at, sent = len(self.sending) + len(self._paused), self.sent
        for call in (*self.sending.values(), *self._paused.values()):
            self._let_on(call)
        self._send_all()
        return max(0, looked_at - (self.sent - sent)) // _NEEDLESS

    def _let_on(self, call: StreamCall) -> None:
        """Note that *call* may send more, as all may."""
        window = self._window_of(call)
        if window > LARGEST_WINDOW:
            text = f"its settings allow a stream {window} bytes, and {LARGEST_WINDOW} at most"
            raise Violation(FLOW_CONTROL_ERROR, text)
        if window > 0 and call.body is not None and call.body.size and self._paused.pop(call.id, None) is not None:
            self.sending[call.id] = call

    # -- calls that end ---------------------------------------------------------------------------------------------

    def take(self, stream: int) -> StreamCall | None:
        """Let the call on *stream* run no more; None where there is none."""
        call = self.by_id.pop(stream, None)
        if call is not None:
            self.size -= call.size
        return call

    def _leave_queue(self, call: StreamCall) -> None:
        """Let *call*, which waits for a stream, wait no more."""
        del self.waiting[call]
        self.size -= call.size

    def end(self, call: StreamCall, code: int) -> None:
        """Let *call* run no more; where it has not sent all, or *code* is not 0, the peer hears that by *code*."""
        if self.by_id.pop(call.id, None) is not None:
            self.size -= call.size
            if (started := call.record.started) > self.youngest:
                self.youngest = started
            if (call.pieces is not None and self._stop_sending(call.id)) or code:
                self.abandon(call, code)

    def forget(self, call: StreamCall) -> None:
        """Let *call* run no more, whose stream the peer has ended by force."""
        self.take(call.id)
        self._stop_sending(call.id)
        self._withdraw(call)

    def abandon(self, call: StreamCall, code: int) -> bool:
        """Take back what of *call* has not begun to leave, or else tell the peer; True where nothing has."""
        self._stop_sending(call.id)
        if self._withdraw(call):
            return True
        self._outbox.put(reset_frame(call.id, code))
        self.resets += 1
        return False

    def _withdraw(self, call: StreamCall) -> bool:
        if call.pieces is None:
            dropped = self._outbox.drop(call.first)
            self._window += len(call.frame.message) + PREFIX_BYTES if dropped else 0
            return dropped
        for number, size in call.pieces:
            if self._outbox.drop(number):
                self._window += size
        return self._outbox.drop(call.first)

    def is_written(self, call: StreamCall) -> bool:
        """Tell whether the request of *call* has left whole and the call runs; from any thread."""
        number = call.number
        return 0 < number <= self._outbox.written and not call.ended

    def watch(self, call: StreamCall) -> None:
        """Tell *call* when its request is written, or now where it is; one that is not queued yet is told anyway."""
        if self.by_id.get(call.id) is not call:
            return
        if self.is_written(call):
            call.written()
        elif call.number:
            self._outbox.watch(call)

    def give_up(self, call: StreamCall, error: BaseException) -> bool:
        """End *call*, wherever it is, with *error*; False where it has ended."""
        if call in self.waiting:
            self._leave_queue(call)
        elif self.by_id.get(call.id) is call:
            self.take(call.id)
            self.abandon(call, CANCEL)
        else:
            return False
        call.fail(error)
        return True

    def cancel(self, call: StreamCall) -> bool:
        """End *call* as cancelled; False where it has ended."""
        return self.give_up(call, CancelledError())

    def expire(self, now: float, why: Trouble) -> float:
        """End what is due, and return when to look again; *why* is told to those that wait for a stream."""
        expiry = self.expiry
        if expiry.due <= now:
            for call in [call for call in (*self.by_id.values(), *self.waiting) if call.expires <= now]:
                self._expire(call, why)
            expiry.looked(now, (*self.by_id.values(), *self.waiting))
        return expiry.due

    def _expire(self, call: StreamCall, why: Trouble) -> None:
        if call in self.waiting:
            self._leave_queue(call)
            call.time_out(not_sent=True, why=why)
        elif self.take(call.id) is not None:
            is_stuck = call.body is not None and call.body.size > 0
            why = Trouble("; the provider takes no more bytes of its request" if is_stuck else "")
            call.time_out(not_sent=self.abandon(call, CANCEL), why=why)

    def leave(self, last: int) -> list[StreamCall]:
        """Open no stream any more, and give out the calls above stream *last*, at which the peer has not looked."""
        self.is_open = False
        highest = reversed(self.by_id.values())  # they were opened in order, so that the others are not looked at
        left = list(takewhile(lambda call: call.id > last, highest))[::-1]
        for call in left:
            self.forget(call)
        self._outbox.ignore(frozenset(left))
        waiting = list(self.waiting)
        self.waiting.clear()
        self.size -= sum(call.size for call in waiting)
        return left + waiting

    def take_patient(self) -> list[StreamCall]:
        """Give out the calls that wait for the next connection attempt where one has failed."""
        patient = [call for call in self.waiting if call.is_patient]
        for call in patient:
            self._leave_queue(call)
            call.begin_anew()
        return patient

    def fail_all(self, make: Callable[[StreamCall, bool], RpcError]) -> None:
        """End every call; *make* gets it, and whether a byte of its request may have left."""
        running, begun = [*self.by_id.values(), *self.waiting], self._outbox.begun
        self.clear()
        for call in running:
            call.fail(make(call, 0 < call.first <= begun))

    def clear(self) -> None:
        """Forget all calls and frames, and tell nobody."""
        self.by_id.clear()
        self.waiting.clear()
        self.sending.clear()
        self._paused.clear()
        self._outbox.clear()
        self.expiry.clear()
        self.size = 0
        self.is_open = False
