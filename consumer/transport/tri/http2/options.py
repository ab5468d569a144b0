"""What of the options of a stub's call this carrier can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....errors import LocalProtocolError
from ..options import GrpcOptions

# By the numbers of grpc.Compression.
_ENCODINGS: Final[Mapping[Any, str]] = {0: "", 1: "deflate", 2: "gzip"}


def encoding_of(options: GrpcOptions | None) -> str:
    """Return how the request is to be compressed; "" for not at all.

    Raises:
        LocalProtocolError: The call asks for something else.
    """
    asked = None if options is None else options.compression
    if asked is None:
        return ""
    encoding = _ENCODINGS.get(asked)
    if encoding is None:
        raise LocalProtocolError(f"the compression {asked!r} is none of grpc.Compression", not_sent=True)
    return encoding
