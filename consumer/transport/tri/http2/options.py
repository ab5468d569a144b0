"""What of the options of a stub's call this carrier can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callahead.config.policy import ReferencePolicy

from ....errors import LocalProtocolError
from ..options import GrpcOptions

if TYPE_CHECKING:
    import grpc

    from ..credentials import Plugins

_GZIP = 2
_NONE = 0


def is_compressed(options: GrpcOptions, policy: ReferencePolicy) -> bool:
    """Tell whether the request is to be compressed by gzip.

    Raises:
        LocalProtocolError: The call asks for what only grpcio can.
    """
    asked = options.compression
    wanted = _NONE if asked is None else int(asked)
    if wanted not in (_NONE, _GZIP):
        raise _not_here(f"compression {'' if asked is None else asked.name}", policy, "")
    return wanted == _GZIP


def plugins_in(credentials: grpc.CallCredentials, policy: ReferencePolicy) -> Plugins:
    """Return the plugins that say who makes a call.

    Raises:
        LocalProtocolError: Only gRPC core can ask them.
    """
    from ..credentials import plugins_of  # imports grpc, as whoever has credentials has done

    plugins = plugins_of(credentials)
    if plugins is None:
        raise _not_here("a CallCredentials that grpcio has made", policy, "make it by callahead.call_credentials, or ")
    return plugins


def _not_here(what: str, policy: ReferencePolicy, instead: str) -> LocalProtocolError:
    where = f"carrier, {policy.origin('carrier')}"
    text = f"{what} is not for carrier: http2 ({where}); {instead}set carrier: grpcio for this reference"
    return LocalProtocolError(text, not_sent=True)
