"""Frames: their numbers, and the bytes of those that a client sends.

::

    0            3      4       5           9
    +------------+------+-------+-----------+
    |   length   | type | flags | stream id |  payload ...
    +------------+------+-------+-----------+

Source: RFC 9113, 4.1 and 6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_BYTES: Final = 9
LARGEST_WINDOW: Final = (1 << 31) - 1
LARGEST_STREAM: Final = (1 << 31) - 1
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2
FLOW_CONTROL_ERROR: Final = 3
STREAM_CLOSED: Final = 5
FRAME_SIZE_ERROR: Final = 6
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
COMPRESSION_ERROR: Final = 9
ENHANCE_YOUR_CALM: Final = 11

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

ERROR_NAMES: Mapping[int, str] = MappingProxyType(
    dict(
        enumerate(
            (
                "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
                "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
                "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
            )
        )
    )
)  # fmt: skip
"""Name of each error code. Source: RFC 9113, 7."""

# Length and type are one number, since that is one comparison where a frame is read.
HEAD: Final = struct.Struct(">IBI")
_SETTING: Final = struct.Struct(">HI")
_NUMBER: Final = struct.Struct(">I")
_TWO: Final = struct.Struct(">II")
_pack = HEAD.pack

SETTINGS_ACK: Final = _pack(SETTINGS, ACK, 0)


def error_name(code: int) -> str:
    """Name an error code for a message."""
    return ERROR_NAMES.get(code, f"unknown error {code}")


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Make any frame; *payload* has less than 16 MiB."""
    return _pack(len(payload) << 8 | kind, flags, stream) + payload


def settings_frame(settings: Mapping[int, int]) -> bytes:
    """Make the settings of this side, by their numbers."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(name, value) for name, value in settings.items()))


def window_update_frame(stream: int, increment: int) -> bytes:
    """Allow the peer *increment* more bytes on *stream*, 0 for the whole connection; it is at least 1."""
    return _pack(4 << 8 | WINDOW_UPDATE, 0, stream) + _NUMBER.pack(increment)


def reset_frame(stream: int, code: int) -> bytes:
    """End *stream* at once, by the error *code*."""
    return _pack(4 << 8 | RST_STREAM, 0, stream) + _NUMBER.pack(code)


def ping_frame(data: bytes, *, ack: bool = False) -> bytes:
    """Make a ping of eight bytes, or the answer to one."""
    return _pack(len(data) << 8 | PING, ACK if ack else 0, 0) + data


def goaway_frame(code: int, text: str = "") -> bytes:
    """Say goodbye by the error *code*; the peer of a client has no streams of its own, so the last of them is 0."""
    return frame(GOAWAY, 0, 0, _TWO.pack(0, code) + text.encode("ascii", "replace"))


def headers_frames(stream: int, block: bytes, most: int, *, ends: bool = False) -> bytes:
    """Make the frame of a header block, and those that continue it where it has more than *most* bytes.

    No data follow where *ends*.
    """
    end = END_STREAM if ends else 0
    if len(block) <= most:
        return _pack(len(block) << 8 | HEADERS, end | END_HEADERS, stream) + block
    return b"".join((frame(HEADERS, end, stream, block[:most]), *_continued(stream, block, most)))


def _continued(stream: int, block: bytes, most: int) -> Iterator[bytes]:
    for at in range(most, len(block), most):
        is_last = at + most >= len(block)
        yield frame(CONTINUATION, END_HEADERS if is_last else 0, stream, block[at : at + most])


def data_head(stream: int, size: int, *, ends: bool) -> bytes:
    """Make what stands before *size* bytes of data; *ends* where they are the last."""
    return _pack(size << 8, END_STREAM if ends else 0, stream)
