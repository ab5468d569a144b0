"""What a hostile server says again and again, each by the stream of a call that waits for its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from callahead.consumer.wire.http2 import frames

from .http2_frames import GREETING, HEAD, data, frame, goaway, headers, ping_frame, reset, window_update_frame

FLOODS: Final[Mapping[str, Callable[[int], bytes]]] = MappingProxyType(
    {
        "pings": lambda _: ping_frame(b"12345678"),
        "answers to pings": lambda _: ping_frame(b"12345678", ack=True),
        "settings": lambda _: GREETING,
        "answers to settings": lambda _: frames.SETTINGS_ACK,
        "priorities": lambda stream: frame(frames.PRIORITY, 0, stream, bytes(5)),
        "resets": lambda stream: reset(stream, 8),
        "words of windows": lambda _: window_update_frame(0, 1),
        "words of the window of a stream": lambda stream: window_update_frame(stream, 1),
        "words of the window of a stream that say nothing": lambda stream: window_update_frame(stream, 0),
        "empty data": lambda stream: data(stream, b""),
        "only padding": lambda stream: frame(frames.DATA, frames.PADDED, stream, b"\x01\0"),
        "headers that say wait": lambda stream: headers(stream, (b":status", b"103")),
        "malformed headers": lambda stream: headers(stream, *HEAD, (b"X", b"")),
        "goodbyes": lambda stream: goaway(stream),
        "unknown frames": lambda _: frame(77, 0, 0, b"what"),
        "oversized headers": lambda stream: frame(frames.HEADERS, 4, stream, b"\x90" * 2000),
    }
)
"""By name; none of them says anything."""
