"""A peer's bytes, however they are cut, to events."""

from __future__ import annotations

from ..errors import LimitExceeded, RemoteProtocolError
from .events import (
    BadEvent,
    BadRequest,
    BadResponse,
    BrokenStream,
    Event,
    Heartbeat,
    HeartbeatAnswer,
    ReadOnly,
    Request,
    Response,
    Writable,
)
from .header import (
    ANSWER,
    EVENT,
    HEADER,
    HEADER_BYTES,
    HESSIAN2,
    MAGIC,
    MAX_BODY_BYTES,
    OK,
    REQUEST,
    SERIALIZATION,
    TWO_WAY,
    serialization_name,
)

_MAGIC_NUMBER = int.from_bytes(MAGIC, "big")
_LONGEST = 0x7FFFFFFF
_MAX_EVENT_BYTES = 15
_MAX_GARBAGE_BYTES = 8192
_MAX_SKIPPED_BYTES = 64 * 1024 * 1024
_SAMPLE_BYTES = 32
_NULLS = (b"N", b"")
_unpack = HEADER.unpack_from
_new = tuple.__new__


class FrameReader:
    """Cuts one connection's bytes into frames, and says what each means; the same for any split of the bytes.

    Frames are trusted as little as Java trusts them: bytes before the magic are skipped and counted; a body that is too
    large, or in another serialization than hessian2, is skipped without being kept, and fails only its call; a length
    that is none, more than is worth skipping, or too much garbage ends the reading. Not for use by two threads at once.

    Source: Java ``ExchangeCodec.decode`` and ``AbstractCodec.checkPayload``; differs: the garbage has a limit, and a
    body that is too large is taken off the wire.

    Args:
        max_body_bytes: Largest body that is kept; 0 or less for the 2 GiB that the header allows.
        setting: What the user can change if a body is larger, for the message.
        max_garbage_bytes: How many bytes before the magic the whole connection may have, at least 0.
        max_skipped_bytes: Largest body that is skipped: of a larger one the end is not waited for, since all answers
            behind it would be late.

    Attributes:
        begun: How many frames were there only in part so far, the one that is now included.
        garbage_bytes: How many were skipped so far.
        is_broken: `BrokenStream` was given; everything that follows is dropped.
    """

    __slots__ = (
        "_held",
        "_max_body",
        "_max_garbage",
        "_max_skipped",
        "_needed",
        "_sample",
        "_setting",
        "_skipping",
        "begun",
        "garbage_bytes",
        "is_broken",
    )

    def __init__(
        self,
        max_body_bytes: int = MAX_BODY_BYTES,
        *,
        setting: str = "max_body_bytes",
        max_garbage_bytes: int = _MAX_GARBAGE_BYTES,
        max_skipped_bytes: int = _MAX_SKIPPED_BYTES,
    ) -> None:
        self._max_body = max_body_bytes if 0 < max_body_bytes < _LONGEST else _LONGEST
        self._setting = setting
        self._max_garbage = max_garbage_bytes
        self._max_skipped = max_skipped_bytes
        self._held = bytearray()
        self._needed = HEADER_BYTES
        self._skipping = 0
        self._sample = b""
        self.begun = 0
        self.garbage_bytes = 0
        self.is_broken = False

    @property
    def missing(self) -> int:
        """Bytes without which nothing more can be read; 0 where no frame has begun."""
        return self._skipping or (max(1, self._needed - len(self._held)) if self._held else 0)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take the next bytes, and give the events that they complete, in order. Nothing of *data* itself is kept."""
        if self.is_broken:
            return []
        if self._skipping:
            skipped = min(self._skipping, len(data))
            self._skipping -= skipped
            data = data[skipped:]
        held = self._held
        if held:
            if len(held) + len(data) < self._needed:
                held += data
                return []
            whole = b"".join((held, data))
            self._held = bytearray()
        else:
            whole = data if type(data) is bytes else bytes(data)
        events: list[Event] = []
        rest = self._cut(whole, events)
        if rest < len(whole):
            self._hold(whole, rest, events)
        return events

    def _cut(self, data: bytes, events: list[Event]) -> int:
        """Read all whole frames, the commonest here; give the offset of what is left."""
        at, end, max_body = 0, len(data), self._max_body
        append, unpack, new = events.append, _unpack, _new
        while end - at >= HEADER_BYTES:
            word, frame_id, length = unpack(data, at)
            if word == ANSWER and 0 <= length <= max_body:
                start = at + HEADER_BYTES
                stop = start + length
                if stop > end:
                    break
                append(new(Response, (frame_id, OK, data[start:stop])))
                at = stop
                continue
            if word >> 16 != _MAGIC_NUMBER:
                next_at = self._skip_garbage(data, at, events)
            else:
                next_at = self._read_frame(data, at, (word, frame_id, length), events)
            if next_at == at:
                break
            at = next_at
        return at

    def _hold(self, data: bytes, at: int, events: list[Event]) -> None:
        """Keep the beginning of a frame; what cannot be one is garbage already."""
        self.begun += 1
        if data[at : at + 2] != MAGIC:
            at = self._skip_garbage(data, at, events)
        self._held += memoryview(data)[at:]
        if len(self._held) < len(MAGIC):
            self._needed = len(MAGIC)  # whether it is garbage is known by the next byte
        elif len(self._held) < HEADER_BYTES:
            self._needed = HEADER_BYTES
        else:
            self._needed = HEADER_BYTES + _unpack(self._held)[2]

    def _skip_garbage(self, data: bytes, at: int, events: list[Event]) -> int:
        found = data.find(MAGIC, at)
        if found < 0:
            found = len(data) - data.endswith(MAGIC[:1])
        if len(self._sample) < _SAMPLE_BYTES:
            self._sample += data[at : min(found, at + _SAMPLE_BYTES - len(self._sample))]
        self.garbage_bytes += found - at
        if self.garbage_bytes <= self._max_garbage:
            return found
        sample = self._sample[: self._max_garbage + 1]
        return self._break(
            f"more than {self._max_garbage} bytes are in no frame, which begins with dabb; the first were {sample!r}",
            data,
            events,
        )

    def _break(self, problem: str, data: bytes, events: list[Event]) -> int:
        self.is_broken = True
        events.append(BrokenStream(RemoteProtocolError(f"the peer does not speak the dubbo protocol: {problem}")))
        return len(data)

    def _read_frame(self, data: bytes, at: int, header: tuple[int, int, int], events: list[Event]) -> int:
        """Read a frame that is no plain answer; give the offset after it, or *at* where its end is not there yet."""
        word, frame_id, length = header
        if length < 0:
            return self._break(f"a frame has a body of {length} bytes", data, events)
        start = at + HEADER_BYTES
        stop = start + length
        flag, status = word >> 8 & 0xFF, word & 0xFF
        refused = self._refusal(flag, frame_id, status, length)
        if refused is not None:
            events.append(refused)
            if length > self._max_skipped:
                text = f"a body of {length} bytes is refused, and of more than {self._max_skipped} the end"
                return self._break(f"{text} is not waited for", data, events)
            self._skipping = max(stop - len(data), 0)
            self.begun += 1
            return min(stop, len(data))
        if stop > len(data):
            return at
        body = data[start:stop]
        if flag & EVENT:
            events.append(_event(flag, frame_id, status, body))
        elif flag & REQUEST:
            events.append(Request(frame_id, flag & TWO_WAY != 0, body))
        else:
            events.append(Response(frame_id, status, body))
        return stop

    def _refusal(self, flag: int, frame_id: int, status: int, length: int) -> Event | None:
        """Tell from the header alone what is wrong with a frame, if anything is."""
        if flag & EVENT:
            if length <= _MAX_EVENT_BYTES:
                return None
            return BadEvent(RemoteProtocolError(f"an event has {length} bytes, at most {_MAX_EVENT_BYTES} are allowed"))
        what = "request" if flag & REQUEST else "answer"
        error: LimitExceeded | RemoteProtocolError
        if length > self._max_body:
            error = LimitExceeded(
                f"the {what} has {length} bytes, more than the {self._max_body} that {self._setting} allows"
            )
        elif flag & SERIALIZATION != HESSIAN2:
            error = RemoteProtocolError(
                f"the {what} (status {status}) is serialized by {serialization_name(flag & SERIALIZATION)}, this side "
                'reads hessian2 (id 2); set "prefer.serialization: hessian2" at the provider'
            )
        else:
            return None
        if flag & REQUEST:
            return BadRequest(frame_id, flag & TWO_WAY != 0, error)
        error.in_doubt = True  # the provider has answered, so the method has most likely run
        error.status = str(status)
        return BadResponse(frame_id, error)


def _event(flag: int, frame_id: int, status: int, body: bytes) -> Event:
    """Tell what an event means: null or one letter, whatever comes behind, as dubbo-go sends one null more.

    In a foreign serialization the letter of a notice is still its last byte.
    """
    if not flag & REQUEST:
        return _heartbeat_answer(flag, frame_id, status, body)
    is_hessian = flag & SERIALIZATION == HESSIAN2
    is_text = is_hessian and body[:1] == b"\x01"
    text = body[1:2] if is_text else b"" if is_hessian else body[-1:]
    trailing = max(len(body) - (2 if is_text else 1), 0) if is_hessian else 0
    if text == b"R":
        return ReadOnly(frame_id, trailing)
    if text == b"W":
        return Writable(frame_id, trailing)
    if not is_hessian or body[:1] in _NULLS:
        return Heartbeat(frame_id, flag & TWO_WAY != 0, trailing)
    return BadEvent(RemoteProtocolError(f"an event says {body!r}; null, R and W are known"))


def _heartbeat_answer(flag: int, frame_id: int, status: int, body: bytes) -> Event:
    is_hessian = flag & SERIALIZATION == HESSIAN2
    if status != OK or (is_hessian and body[:1] not in _NULLS):
        return BadEvent(RemoteProtocolError(f"a heartbeat was answered with status {status} and {body!r}"))
    return HeartbeatAnswer(frame_id, max(len(body) - 1, 0) if is_hessian else 0)
