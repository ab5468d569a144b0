"""The sixteen bytes before every dubbo body, and all frames that this side writes.

::

    0      2      3        4            12       16
    +------+------+--------+------------+--------+------
    | dabb | flag | status | id (int64) | length | body
    +------+------+--------+------------+--------+------
    flag: 0x80 request, 0x40 two-way, 0x20 event, low five bits the serialization of the body

Source: Java ``ExchangeCodec``; status is 0 in requests, and a response repeats the id of its request.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..errors import LocalProtocolError

MAGIC: Final = b"\xda\xbb"
HEADER_BYTES: Final = 16
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""Dubbo's ``payload``: the largest body that a Java peer takes unless it was told otherwise."""

REQUEST: Final = 0x80
TWO_WAY: Final = 0x40
EVENT: Final = 0x20
SERIALIZATION: Final = 0x1F
HESSIAN2: Final = 2
OK: Final = 20

SERIALIZATIONS: Mapping[int, str] = MappingProxyType(
    {
        2: "hessian2",
        3: "java",
        4: "compactedjava",
        6: "fastjson",
        7: "nativejava",
        8: "kryo",
        9: "fst",
        10: "native-hessian",
        11: "avro",
        12: "protostuff",
        16: "gson",
        18: "jackson",
        21: "protobuf-json",
        22: "protobuf",
        23: "fastjson2",
        25: "kryo2",
        27: "msgpack",
        28: "fury",
        31: "custom",
    }
)
"""Dubbo's name of each serialization id. Source: Java ``org.apache.dubbo.common.serialize.Constants``."""

STATUSES: Mapping[int, str] = MappingProxyType(
    {
        20: "OK",
        25: "SERIALIZATION_ERROR",
        30: "CLIENT_TIMEOUT",
        31: "SERVER_TIMEOUT",
        35: "CHANNEL_INACTIVE",
        40: "BAD_REQUEST",
        50: "BAD_RESPONSE",
        60: "SERVICE_NOT_FOUND",
        70: "SERVICE_ERROR",
        80: "SERVER_ERROR",
        90: "CLIENT_ERROR",
        100: "SERVER_THREADPOOL_EXHAUSTED_ERROR",
    }
)
"""Dubbo's name of each status. Source: Java ``Response``."""

# Magic, flag and status are one number, since that is one comparison where a frame is read.
HEADER: Final = struct.Struct(">Iqi")
_WORD = 0xDABB << 16 | HESSIAN2 << 8
_CALL = _WORD | (REQUEST | TWO_WAY) << 8
_ONE_WAY = _WORD | REQUEST << 8
ANSWER: Final = _WORD | OK
_HEARTBEAT = _WORD | (REQUEST | TWO_WAY | EVENT) << 8
_HEARTBEAT_ANSWER = _WORD | EVENT << 8 | OK
_NOTICE = _WORD | (REQUEST | EVENT) << 8
_pack = HEADER.pack


def request_frame(request_id: int, body: bytes, *, two_way: bool = True) -> bytes:
    """Make the frame of a call.

    Args:
        request_id: 64 bits, signed; the answer bears it.
        body: In hessian2, see `callahead.consumer.codec.dubbo.ArgumentsEncoder`.
        two_way: An answer is wanted.

    Raises:
        LocalProtocolError: The id or the length does not fit the header; ``not_sent`` is set.
    """
    try:  # as `_frame` does, for each call
        return _pack(_CALL if two_way else _ONE_WAY, request_id, len(body)) + body
    except struct.error:
        raise _too_large(request_id, len(body)) from None


def response_frame(request_id: int, body: bytes, status: int = OK) -> bytes:
    """Make the frame of an answer; the body of a status other than `OK` is one hessian string."""
    return _frame(_WORD | status, request_id, body)


def heartbeat_frame(request_id: int) -> bytes:
    """Make a heartbeat, which the peer answers."""
    return _frame(_HEARTBEAT, request_id, b"N")


def heartbeat_answer_frame(request_id: int) -> bytes:
    """Make the answer to a peer's heartbeat of that id."""
    return _frame(_HEARTBEAT_ANSWER, request_id, b"N")


def read_only_frame(request_id: int) -> bytes:
    """Make the event by which a stopping provider asks for no more calls on this connection; nobody answers it."""
    return _frame(_NOTICE, request_id, b"\x01R")


def _frame(word: int, request_id: int, body: bytes) -> bytes:
    try:
        return _pack(word, request_id, len(body)) + body
    except struct.error:
        raise _too_large(request_id, len(body)) from None


def _too_large(request_id: int, size: int) -> LocalProtocolError:
    text = f"a dubbo frame cannot hold id {request_id} with {size} bytes: the id has 64 bits, the length 31"
    return LocalProtocolError(text, not_sent=True)


def serialization_name(number: int) -> str:
    """Name a serialization for a message."""
    return f"{SERIALIZATIONS.get(number, 'unknown')} (id {number})"
