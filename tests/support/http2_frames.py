"""Frames of a server, as `hyperframe` writes them or byte by byte, for tests of what reads them."""

from __future__ import annotations

from callahead.consumer.wire.http2.events import Answer, Data, Event, Headers
from callahead.consumer.wire.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    frame,
    goaway_frame,
    ping_frame,
    settings_frame,
    window_update_frame,
)
from callahead.consumer.wire.http2.hpack import encode_fields

HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
OK = ((b"grpc-status", b"0"),)
GREETING = settings_frame({})


def headers(stream: int, *fields: tuple[bytes, bytes], ends: bool = False) -> bytes:
    """One frame of headers."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, encode_fields(fields))


def cut_headers(stream: int, block: bytes, sizes: list[int], *, ends: bool = False) -> bytes:
    """A block in frames of the given sizes; the last one has the rest."""
    frames, at = [], 0
    for number, size in enumerate([*sizes, len(block)]):
        flags = END_STREAM if ends and number == 0 else 0
        flags |= END_HEADERS if number == len(sizes) else 0
        frames.append(frame(CONTINUATION if number else HEADERS, flags, stream, block[at : at + size]))
        at += size
    return b"".join(frames)


def data(stream: int, payload: bytes, *, ends: bool = False) -> bytes:
    """One frame of data."""
    return frame(DATA, END_STREAM if ends else 0, stream, payload)


def message(payload: bytes, flag: int = 0) -> bytes:
    """A message of gRPC."""
    return bytes([flag]) + len(payload).to_bytes(4) + payload


def answer(stream: int, payload: bytes) -> bytes:
    """All of a good answer."""
    return headers(stream, *HEAD) + data(stream, message(payload)) + headers(stream, *OK, ends=True)


def apart(events: list[Event]) -> list[Event]:
    """The same with the three of an answer one by one, however the bytes were cut."""
    return [one for event in events for one in (_parts(event) if isinstance(event, Answer) else [event])]


def _parts(answer: Answer) -> list[Event]:
    stream, head, content, tail = answer
    return [Headers(stream, head, False), Data(stream, content, len(content), False), Headers(stream, tail, True)]


def reset(stream: int, code: int) -> bytes:
    """Give a stream up."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))


def goaway(last: int, code: int = 0, text: bytes = b"") -> bytes:
    """Take no streams above *last*."""
    return goaway_frame(code)[:9].replace(b"\0\0\x08", (8 + len(text)).to_bytes(3), 1) + (
        last.to_bytes(4) + code.to_bytes(4) + text
    )


__all__ = [
    "GREETING", "HEAD", "OK", "answer", "apart", "cut_headers", "data", "frame", "goaway", "headers", "message",
    "ping_frame", "reset", "settings_frame", "window_update_frame",
]  # fmt: skip
