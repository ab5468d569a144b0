"""A peer's bytes, however they are cut, to events."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from ...errors import RemoteProtocolError
from .events import (
    Answer,
    BadStream,
    Broken,
    Data,
    Event,
    GoAway,
    Headers,
    OversizedHeaders,
    Ping,
    PingAnswer,
    Reset,
    Settings,
    WindowUpdate,
)
from .frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FRAME_BYTES,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEAD,
    HEADERS,
    PADDED,
    PING,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from .hpack import FIRST_TABLE_BYTES, DynamicTable, TooLarge, decode_block
from .message import is_informational, malformed
from .settings import Limits
from .static_table import Fields
from .violation import Violation

_MOST_IDLE: Final = 10_000
"""So many frames without use may come in a row: pings, priorities, empty data, words of settings and windows."""

_WORTH: Final = 16
"""So many frames without use go with each one of use, and with each portion that is read by itself."""

_SKIPPED: Final = 16
"""A header block is skipped up to so many times the largest that is read; of a peer that keeps a table, none is."""

_KEPT_BLOCKS: Final = 256
_KEPT_BLOCK_BYTES: Final = 1024
_KEPT_BYTES: Final = 32 * 1024
"""Of all blocks that are kept; what is made of one may take a hundred times as much."""

_WEIGHED_BYTES: Final = 64
"""Headers that were read for nothing weigh as much as a frame without use for each so many bytes of them."""

_HEAVIEST: Final = 1000

_SHOWN_BYTES: Final = 200
_PING_BYTES: Final = 8
_WINDOW_BYTES: Final = 4
_STREAM: Final = 0x7FFFFFFF
_LAST: Final = END_HEADERS | END_STREAM
_number = struct.Struct(">I").unpack_from
_two = struct.Struct(">II").unpack_from
_settings = struct.Struct(">HI").iter_unpack
_unpack = HEAD.unpack_from
_new = tuple.__new__

_Payload = tuple[int, int, bytes]
"""Flags, stream and content of a frame."""


class Http2Reader:
    """Cuts one connection's bytes into frames, and says what each means; the same for any split of the bytes.

    But for one thing: an answer whose three frames come together is one event, `Answer`, where its headers are known.

    A peer costs no more than it is worth: frames and headers are at most what was allowed, and one that
    keeps on sending what says nothing is hung up on. Not for use by two threads at once.

    Args:
        parse: Makes of well-formed headers whatever suits the caller; must not raise. It is asked once for equal ones.
        limits: What is read.

    Attributes:
        opened: The highest stream that this side has opened; the caller's to set.
        sent: How many frames this side has sent to which a peer may well say something; likewise.
        is_broken: `Broken` was given; everything that follows is dropped.
        was_answered: The peer has sent headers of an answer.
    """

    __slots__ = (
        "_block", "_block_flags", "_block_size", "_block_stream", "_continues", "_credited", "_events", "_held",
        "_idle", "_kept", "_known", "_max_frame", "_max_headers", "_parse", "_rare", "_table", "_useful",
        "_was_greeted", "is_broken", "opened", "sent", "was_answered",
    )  # fmt: skip

    def __init__(self, parse: Callable[[Fields], Any], limits: Limits) -> None:
        self._parse = parse
        self._max_headers, self._max_frame = limits
        self._held = b""
        self._events: list[Event] = []
        self._known: dict[bytes, Any] = {}
        self._table = DynamicTable(FIRST_TABLE_BYTES)
        self._continues = self._was_greeted = False
        self._block: list[bytes] = []
        self._block_flags = self._block_stream = self._block_size = 0
        self._idle = self._useful = self._kept = 0
        self.opened = self.sent = self._credited = 0
        self.is_broken = self.was_answered = False
        self._rare: dict[int, Callable[[_Payload], None]] = {
            DATA: self._read_data,
            HEADERS: self._read_headers,
            PRIORITY: self._read_priority,
            RST_STREAM: self._read_reset,
            SETTINGS: self._read_settings,
            PUSH_PROMISE: self._refuse_push,
            PING: self._read_ping,
            GOAWAY: self._read_goaway,
            WINDOW_UPDATE: self._read_window_update,
            CONTINUATION: self._read_continuation,
        }

    @property
    def held(self) -> int:
        """Bytes that are kept until the rest of their frame or header block comes."""
        return len(self._held) + sum(map(len, self._block))

    def charge(self, frames: int) -> None:
        """Note that what the peer said has cost as much as so many *frames* without use.

        Raises:
            Violation: It has cost too much by now.
        """
        self._count_idle(frames)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, and give the events that they complete, in order."""
        if self.is_broken:
            return []
        self._useful += 1 + self.sent - self._credited
        self._credited = self.sent
        events: list[Event] = []
        self._events = events
        try:
            self._held = self._cut(self._held + data if self._held else data)
        except Violation as violation:
            self.is_broken = True
            self._held, self._block = b"", []
            text = f"the provider breaks the rules of HTTP/2: {violation.text}"
            events.append(Broken(violation.code, RemoteProtocolError(text), violation.passes))
        return events

    def _cut(self, data: bytes) -> bytes:
        """Read all whole frames, the commonest here; give what is left."""
        at, end, known, opened = 0, len(data), self._known, self.opened
        append, unpack, new, greeted, largest = self._events.append, _unpack, _new, self._was_greeted, self._max_frame
        while end - at >= FRAME_BYTES:
            word, flags, stream = unpack(data, at)
            size = word >> 8
            start = at + FRAME_BYTES
            at = start + size
            if size > largest:
                text = f"a frame has {size} bytes, more than the {largest} allowed"
                raise Violation(FRAME_SIZE_ERROR, text, "frame")
            if at > end:
                at = start - FRAME_BYTES
                break
            kind = word & 0xFF
            if greeted and not self._continues and 0 < stream <= opened and stream & 1:
                if kind == DATA and flags <= END_STREAM and size:
                    self._useful += 1
                    append(new(Data, (stream, data[start:at], size, flags == END_STREAM)))
                    continue
                if kind == HEADERS and flags & ~END_STREAM == END_HEADERS:
                    head = known.get(data[start:at])
                    if head is not None:
                        self._useful += 1
                        if flags == END_HEADERS and (behind := self._join(data, at, stream, head)):
                            at = behind
                        else:
                            append(new(Headers, (stream, head, flags != END_HEADERS)))
                        continue
            elif not (stream or flags or self._continues) and greeted and self._read_usual(kind, data[start:at]):
                continue
            self._read_rare(kind, (flags, stream & _STREAM, data[start:at]))
            greeted = self._was_greeted
        return data[at:] if at else data

    def _join(self, data: bytes, at: int, stream: int, head: Any) -> int:
        """Take the rest of an answer that begins with *head*; returns where it ends, 0 where it is not whole or odd."""
        end, start = len(data), at + FRAME_BYTES
        if end < start:
            return 0
        word, flags, of = _unpack(data, at)
        stop = start + (word >> 8)
        last = stop + FRAME_BYTES
        if of != stream or flags or word & 0xFF != DATA or not start < stop <= start + DEFAULT_FRAME or end < last:
            return 0
        word, flags, of = _unpack(data, stop)
        behind: int = last + (word >> 8)
        if of != stream or flags != _LAST or word & 0xFF != HEADERS or behind > end or behind > last + DEFAULT_FRAME:
            return 0
        block = data[last:behind]
        if (tail := self._known.get(block)) is None and (tail := self._learn(block, flags)) is None:
            return 0
        self._useful += 2
        self._events.append(_new(Answer, (stream, head, data[start:stop], tail)))
        return behind

    def _read_usual(self, kind: int, payload: bytes) -> bool:
        """Read what many peers say with each answer: that they take more bytes, or a ping; False for all else."""
        if kind == WINDOW_UPDATE and len(payload) == _WINDOW_BYTES and (increment := _number(payload)[0] & _STREAM):
            event: Event = _new(WindowUpdate, (0, increment))
        elif kind == PING and len(payload) == _PING_BYTES:
            event = _new(Ping, (payload,))
        else:
            return False
        self._count_idle()
        self._events.append(event)
        return True

    def _read_rare(self, kind: int, frame: _Payload) -> None:
        if self._continues is not (kind == CONTINUATION) or (self._continues and frame[1] != self._block_stream):
            raise Violation(PROTOCOL_ERROR, f"a frame of type {kind} within or without a header block")
        if not self._was_greeted and (kind != SETTINGS or frame[0] & ACK):
            raise Violation(PROTOCOL_ERROR, f"its first frame is one of type {kind}, and not its settings")
        read = self._rare.get(kind)
        if read is None:  # which may mean something to others
            self._count_idle()
        else:
            read(frame)

    def _count_idle(self, weight: int = 1) -> None:
        if self._useful:
            self._idle = max(0, self._idle - _WORTH * self._useful)
            self._useful = 0
        self._idle += weight
        if self._idle > _MOST_IDLE:
            raise Violation(ENHANCE_YOUR_CALM, f"it has sent {_MOST_IDLE} frames that say nothing")

    def _check_opened(self, stream: int) -> None:
        if not stream & 1 or stream > self.opened:
            raise Violation(PROTOCOL_ERROR, f"it speaks on stream {stream}, which this side has not opened")

    # -- answers ----------------------------------------------------------------------------------------------------

    def _read_data(self, frame: _Payload) -> None:
        flags, stream, payload = frame
        self._check_opened(stream)
        data = _unpadded(payload) if flags & PADDED else payload
        if not data and not flags & END_STREAM:
            self._count_idle()
        self._events.append(Data(stream, data, len(payload), flags & END_STREAM != 0))

    def _read_headers(self, frame: _Payload) -> None:
        flags, stream, payload = frame
        self._check_opened(stream)
        block = _unpadded(payload) if flags & PADDED else payload
        if flags & PRIORITIZED:
            if len(block) < 5:
                raise Violation(FRAME_SIZE_ERROR, f"headers of {len(block)} bytes with a priority, which has 5")
            block = block[5:]
        if flags & END_HEADERS:
            self._read_block(stream, block, flags)
        else:
            self._continues, self._block_stream, self._block_flags = True, stream, flags
            self._block, self._block_size = [block], len(block)

    def _read_continuation(self, frame: _Payload) -> None:
        flags, stream, payload = frame
        self._count_idle()
        self._block_size += len(payload)
        if self._block_size > self._max_headers * (1 if self._table.held[1] else _SKIPPED):
            text = f"headers have more than {self._block_size} bytes, and {self._max_headers} are read"
            raise Violation(ENHANCE_YOUR_CALM, text, "headers")
        if self._block_size > self._max_headers:
            self._block = []
        else:
            self._block.append(payload)
        if flags & END_HEADERS:
            self._continues = False
            block, self._block = b"".join(self._block), []
            if self._block_size > self._max_headers:
                self._oversized(stream, self._block_size)
            else:
                self._read_block(stream, block, self._block_flags)

    def _read_block(self, stream: int, block: bytes, flags: int) -> None:
        if (head := self._known.get(block)) is None and (head := self._learn(block, flags)) is None:
            self._judge(stream, block)
            return
        self._useful += 1
        self._events.append(Headers(stream, head, flags & END_STREAM != 0))

    def _learn(self, block: bytes, flags: int) -> Any:
        """Parse headers that are as they should be; None where `_judge` has something to say of them."""
        table, before = self._table, self._table.held
        table.was_used = False
        try:
            fields = decode_block(block, self._max_headers, table)
        except (TooLarge, Violation):
            table.held = before  # since the same block is read once more; likewise below
            return None
        says_wait = is_informational(fields)
        if malformed(fields) or (says_wait and not flags & END_STREAM):
            table.held = before
            return None
        head = self._parse(fields)
        if not (says_wait or table.was_used):  # or the same where it is no end would be found, and taken for an answer
            self._keep(block, head)
        self.was_answered = True
        return head

    def _judge(self, stream: int, block: bytes) -> None:
        """Say what is wrong with headers, or count those that say nothing yet."""
        self._count_idle(min(len(block) // _WEIGHED_BYTES, _HEAVIEST))
        try:
            wrong = malformed(decode_block(block, self._max_headers, self._table))
        except TooLarge as error:
            self._oversized(stream, error.size)
            return
        if wrong:
            self._blame(stream, PROTOCOL_ERROR, f"it answered with {wrong}")
        else:
            self._count_idle()

    def _oversized(self, stream: int, size: int) -> None:
        self._count_idle()
        self._events.append(OversizedHeaders(stream, size))

    def _keep(self, block: bytes, head: Any) -> None:
        if len(block) <= _KEPT_BLOCK_BYTES:
            self._kept += len(block)
            if len(self._known) >= _KEPT_BLOCKS or self._kept > _KEPT_BYTES:
                self._known.clear()
                self._kept = len(block)
            self._known[block] = head

    def _blame(self, stream: int, code: int, text: str) -> None:
        self._count_idle()
        error = RemoteProtocolError(f"the provider breaks the rules of HTTP/2: {text}", in_doubt=True)
        self._events.append(BadStream(stream, code, error))

    def _read_reset(self, frame: _Payload) -> None:
        _, stream, payload = frame
        self._check_opened(stream)
        _check_size("a reset", payload, 4)
        self._count_idle()
        self._events.append(Reset(stream, _number(payload)[0]))

    # -- the connection ---------------------------------------------------------------------------------------------

    def _read_priority(self, frame: _Payload) -> None:
        _check_size("a priority", frame[2], 5)
        if not frame[1]:
            raise Violation(PROTOCOL_ERROR, "a priority of no stream")
        self._count_idle()

    def _read_settings(self, frame: _Payload) -> None:
        flags, stream, payload = frame
        _check_connection("settings", stream)
        if self._was_greeted:
            self._count_idle()
        if flags & ACK:
            _check_size("an answer to settings", payload, 0)
            return
        if len(payload) % 6:
            raise Violation(FRAME_SIZE_ERROR, f"settings of {len(payload)} bytes, which is no multiple of 6")
        self._was_greeted = True
        self._events.append(Settings(tuple(_settings(payload))))

    def _refuse_push(self, frame: _Payload) -> None:
        raise Violation(PROTOCOL_ERROR, f"a push on stream {frame[1]}, which this side has forbidden")

    def _read_ping(self, frame: _Payload) -> None:
        flags, stream, payload = frame
        _check_connection("a ping", stream)
        _check_size("a ping", payload, _PING_BYTES)
        self._count_idle()
        self._events.append(PingAnswer(payload) if flags & ACK else Ping(payload))

    def _read_goaway(self, frame: _Payload) -> None:
        _, stream, payload = frame
        _check_connection("a goodbye", stream)
        if len(payload) < 8:
            raise Violation(FRAME_SIZE_ERROR, f"a goodbye of {len(payload)} bytes, which has 8 at least")
        self._count_idle()
        last, code = _two(payload)
        self._events.append(GoAway(last & _STREAM, code, payload[8 : 8 + _SHOWN_BYTES].decode("utf-8", "replace")))

    def _read_window_update(self, frame: _Payload) -> None:
        _, stream, payload = frame
        _check_size("a word of a window", payload, _WINDOW_BYTES)
        if stream:
            self._check_opened(stream)
        self._count_idle()
        increment = _number(payload)[0] & _STREAM
        if increment:
            self._events.append(WindowUpdate(stream, increment))
        elif stream:
            self._blame(stream, PROTOCOL_ERROR, "it allows 0 bytes more")
        else:
            raise Violation(PROTOCOL_ERROR, "it allows 0 bytes more")


def _check_size(what: str, payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise Violation(FRAME_SIZE_ERROR, f"{what} of {len(payload)} bytes, which has {size}")


def _check_connection(what: str, stream: int) -> None:
    if stream:
        raise Violation(PROTOCOL_ERROR, f"{what} of stream {stream}, where a whole connection is meant")


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise Violation(PROTOCOL_ERROR, "a frame has more padding than bytes")
    return payload[1 : len(payload) - payload[0]]
