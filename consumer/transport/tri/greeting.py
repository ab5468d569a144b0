"""A connection that is brought about before a call needs it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import grpc

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...errors import ConnectFailed, RpcError
from .channels import SharedChannel
from .status import refused
from .stream import counted
from .unconnected import why_silent, why_unconnected

_HEALTH: Final = "/grpc.health.v1.Health/Check"
_NOT_THERE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def greet(connection: SharedChannel, attempt: Attempt, policy: ReferencePolicy, done: Done) -> None:
    """Ask for the health of the server as a whole by *connection*, which brings it about, and report by *done*.

    Every gRPC server answers that, be it that it knows no such method. grpcio tells of a connection itself by threads
    that look again and again, and not why there is none.
    """

    def begin() -> Any:
        method: Any = connection.channel.unary_unary(_HEALTH)
        return method.future(b"", timeout=attempt.timeout)

    try:
        call = counted(connection, begin)
    except Exception as error:  # ours, or what grpcio raises where it has no thread left, or was closed
        done(Outcome(error=refused(error)))
        return
    call.add_done_callback(partial(_tell, attempt, policy, done))


def _tell(attempt: Attempt, policy: ReferencePolicy, done: Done, call: Any) -> None:
    done(Outcome(error=_error_of(call, attempt, policy)))


def _error_of(call: Any, attempt: Attempt, policy: ReferencePolicy) -> RpcError | None:
    """Make the error of a *call* that found no server; None where one answered, whatever it said."""
    code = call.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        text = f"not within {attempt.timeout * 1000:.0f} ms; {why_silent(policy).of(policy)}"
    elif code in _NOT_THERE:
        text = why_unconnected(str(call.details() or ""), policy).of(policy)
    else:
        return None
    return ConnectFailed(f"no connection: {text}", not_sent=True)
