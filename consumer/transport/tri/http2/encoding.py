"""Compressed messages: gzip and identity."""

from __future__ import annotations

import gzip
import zlib
from typing import Final

from ....errors import RemoteProtocolError, RpcError
from ....wire.http2.grpc import Message

GZIP: Final = "gzip"
_GZIP_WINDOW: Final = 31
_SHOWN: Final = 100


class TooLarge(Exception):
    """A message that unpacks to more than is read."""


def compress(message: bytes) -> bytes:
    """Compress by gzip; the same bytes for equal messages."""
    return gzip.compress(message, compresslevel=6, mtime=0)


def plain(message: Message, encoding: str, most: int) -> bytes | RpcError:
    """Unpack *message*, or make the error of one that cannot be; it never becomes larger than *most* bytes.

    Raises:
        TooLarge: It would.
    """
    if not message.is_compressed:
        return message.data
    if encoding != GZIP:
        said = encoding[:_SHOWN]
        text = f'the answer is compressed, and its headers say "{said}" of how; this side reads gzip'
        return _wrong(text)
    try:
        unpacking = zlib.decompressobj(_GZIP_WINDOW)
        data = unpacking.decompress(message.data, most + 1)
    except zlib.error as error:
        return _wrong(f"the answer is said to be compressed by gzip, and is not: {error}")
    if len(data) > most:
        raise TooLarge
    return data if unpacking.eof else _wrong("the answer is compressed by gzip, and its end is missing")


def _wrong(text: str) -> RpcError:
    error = RemoteProtocolError(text, in_doubt=True, status="INTERNAL")
    error.status_text = text
    return error
