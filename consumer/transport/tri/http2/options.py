"""What of the options of a stub's call this carrier can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callahead.config.policy import ReferencePolicy

from ....errors import LocalProtocolError
from ..options import GrpcOptions

if TYPE_CHECKING:
    import grpc

    from ..credentials import Plugins

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


def plugins_in(credentials: grpc.CallCredentials, policy: ReferencePolicy) -> Plugins:
    """Return the plugins that say who makes a call.

    Raises:
        LocalProtocolError: Only gRPC core can ask them.
    """
    from ..credentials import plugins_of  # imports grpc, as whoever has credentials has done

    plugins = plugins_of(credentials)
    if plugins is None:
        where = f"carrier, {policy.origin('carrier')}"
        text = f"a CallCredentials that grpcio has made is not for carrier: http2 ({where})"
        hint = "make it by callahead.call_credentials, or set carrier: grpcio for this reference"
        raise LocalProtocolError(f"{text}; {hint}", not_sent=True)
    return plugins
