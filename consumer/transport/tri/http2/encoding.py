"""Compressed messages: by gzip, by deflate, or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from ....errors import RemoteProtocolError, RpcError
from ....wire.http2.grpc import Message

# As zlib knows them. gRPC's "deflate" is that of HTTP: deflate's own within the format of zlib.
_WINDOWS: Final[Mapping[str, int]] = {"deflate": 15, "gzip": 31}
_LEVEL: Final = 6
_SHOWN: Final = 100


class TooLarge(Exception):
    """A message that unpacks to more than is read."""


def compress(message: bytes, encoding: str) -> bytes:
    """Compress by *encoding*, "deflate" or "gzip"; the same bytes for equal messages."""
    return zlib.compress(message, _LEVEL, _WINDOWS[encoding])


def plain(message: Message, encoding: str, most: int) -> bytes | RpcError:
    """Unpack *message*, or make the error of one that cannot be; it never becomes larger than *most* bytes.

    Raises:
        TooLarge: It would.
    """
    if not message.is_compressed:
        return message.data
    window = _WINDOWS.get(encoding)
    if window is None:
        said = encoding[:_SHOWN]
        return _wrong(
            f'the answer is compressed, and its headers say "{said}" of how; this side reads deflate and gzip'
        )
    try:
        unpacking = zlib.decompressobj(window)
        data = unpacking.decompress(message.data, most + 1)
    except zlib.error as error:
        return _wrong(f"the answer is said to be compressed by {encoding}, and is not: {error}")
    if len(data) > most:
        raise TooLarge
    return data if unpacking.eof else _wrong(f"the answer is compressed by {encoding}, and its end is missing")


def _wrong(text: str) -> RpcError:
    error = RemoteProtocolError(text, in_doubt=True, status="INTERNAL")
    error.status_text = text
    return error
