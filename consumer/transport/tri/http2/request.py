"""The headers of requests: bytes that are made once, with what differs from call to call behind them."""

from __future__ import annotations

import binascii
from typing import Final, NamedTuple

from callahead.config.policy import ReferencePolicy

from ....runtime.deadline import bound_of
from ....wire.http2.grpc import PREFIX
from ....wire.http2.hpack import encode_fields, size_of_fields
from ....wire.http2.static_table import Field, Fields
from ...tcp.destination import in_ascii
from ..metadata import Metadata

_USER_AGENT: Final = b"callahead"
_KEPT_TIMEOUTS: Final = 256
_MOST_DIGITS_MS: Final = 99_999_999
_TIMEOUT: Final = b"grpc-timeout"
ENCODINGS: Final = b"identity, deflate, gzip"
"""How answers may be compressed; as grpcio has it."""


class Request(NamedTuple):
    """One request, ready to be sent on any stream.

    Attributes:
        block: Its headers.
        headers: Bytes of these, as a peer's limit counts them.
        prefix: What stands before the message; b"" where messages follow one after another.
        message: As serialized, and perhaps compressed; b"" likewise.
        packs: How the messages that follow are compressed; "" for not at all.
    """

    block: bytes
    headers: int
    prefix: bytes
    message: bytes
    packs: str = ""


class RequestHead:
    """The headers of one method at one provider.

    Args:
        path: Of the method.
        authority: Whom the provider is to be.
        policy: Of the reference.
        fixed: Metadata of every request.

    Attributes:
        path: As given.
        authority: As given.
    """

    __slots__ = ("_block", "_size", "_timed", "authority", "path")

    def __init__(self, path: str, authority: str, policy: ReferencePolicy, fixed: Metadata) -> None:
        fields: Fields = (
            (b":method", b"POST"),
            (b":scheme", b"http" if policy.ssl is None else b"https"),
            (b":path", path.encode()),
            (b":authority", in_ascii(authority)),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", _USER_AGENT),
            (b"grpc-accept-encoding", ENCODINGS),
            *to_fields(fixed),
        )
        self.path = path
        self.authority = authority
        self._block = encode_fields(fields)
        self._size = size_of_fields(fields)
        self._timed: dict[int, tuple[bytes, int]] = {}

    def of(self, timeout: float, own: Fields = ()) -> tuple[bytes, int]:
        """Give the headers of a call that has *timeout* seconds and headers of its *own*, and their size."""
        milliseconds = 0 if timeout > _MOST_DIGITS_MS else int(timeout * 1000 + 0.5) or 1
        timed = self._timed.get(milliseconds) or self._with_timeout(timeout, milliseconds)
        if own:
            block, size = timed
            return block + encode_fields(own), size + size_of_fields(own)
        return timed

    def _with_timeout(self, timeout: float, milliseconds: int) -> tuple[bytes, int]:
        fields = _timeout_fields(timeout, milliseconds)
        timed = self._block + encode_fields(fields), self._size + size_of_fields(fields)
        if len(self._timed) >= _KEPT_TIMEOUTS:
            self._timed.clear()
        self._timed[milliseconds] = timed
        return timed


def _timeout_fields(timeout: float, milliseconds: int) -> Fields:
    """Tell a provider of *timeout*, by the finest unit whose number has eight digits at most."""
    if bound_of(timeout) is None:
        return ()
    if milliseconds <= _MOST_DIGITS_MS and milliseconds:
        return ((_TIMEOUT, b"%dm" % milliseconds),)
    return ((_TIMEOUT, b"%dS" % min(round(timeout), _MOST_DIGITS_MS)),)


def to_fields(metadata: Metadata) -> Fields:
    """Make headers of metadata, binary values as base64."""
    return tuple(map(_field, metadata))


def _field(pair: tuple[str, str | bytes]) -> Field:
    key, value = pair
    data = value.encode() if isinstance(value, str) else value
    if key.endswith("-bin"):
        data = binascii.b2a_base64(data, newline=False).rstrip(b"=")
    return key.encode(), data


def prefix_of(message: bytes, *, is_compressed: bool = False) -> bytes:
    """Make what stands before a message."""
    return PREFIX.pack(is_compressed, len(message))
