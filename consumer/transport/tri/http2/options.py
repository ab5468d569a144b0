"""What of the options of a stub's call this carrier can do."""

from __future__ import annotations

from callahead.config.policy import ReferencePolicy

from ....errors import LocalProtocolError
from ..options import GrpcOptions

_GZIP = 2
_NONE = 0


def is_compressed(options: GrpcOptions, policy: ReferencePolicy) -> bool:
    """Tell whether the request is to be compressed by gzip.

    Raises:
        LocalProtocolError: The call asks for what only grpcio can.
    """
    asked = options.compression
    wanted = _NONE if asked is None else int(asked)
    refused = {
        "call credentials": options.credentials is not None,
        "wait_for_ready": bool(options.wait_for_ready),
        f"compression {'' if asked is None else asked.name}": wanted not in (_NONE, _GZIP),
    }
    for what, is_asked in refused.items():
        if is_asked:
            where = f"carrier, {policy.origin('carrier')}"
            text = f"{what} is not for carrier: http2 ({where}); set carrier: grpcio for this reference"
            raise LocalProtocolError(text, not_sent=True)
    return wanted == _GZIP
