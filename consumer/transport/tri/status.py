"""From gRPC's statuses to callahead's errors.

Source: gRPC's status codes and Dubbo's ``TriRpcStatus``; differs: what is known of the request's fate is kept. gRPC
core does not say which side a status comes from, so the text it is known to write for its own failures is looked at, and
where that leaves a doubt the call is in doubt. tests/integration/test_tri_faults.py holds these texts against the
installed grpcio.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import grpc

from callahead.config.policy import ReferencePolicy

from ...errors import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    ConsumerClosed,
    LimitExceeded,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    TransportError,
)
from ...invocation import Invocation

_TOO_LARGE = re.compile(r"CLIENT: Received message larger than max \((\d+) vs\. \d+\)")
_NOT_CONNECTED = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
_CONNECTION_LOST = (
    "Stream removed",
    "Socket closed",
    "Connection reset",
    "recvmsg:",
    "GOAWAY",
    "keepalive",
    "ping timeout",
)
_REJECTED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


def error_of(
    code: grpc.StatusCode,
    text: str,
    attachments: Mapping[str, Any],
    invocation: Invocation,
    policy: ReferencePolicy,
    *,
    timeout: float,
    is_early: bool,
    is_unconnected: bool,
) -> RpcError:
    """Make the error of one failed attempt.

    Args:
        code: Never OK.
        text: gRPC's "details".
        attachments: Response metadata and trailers.
        invocation: What was asked.
        policy: Names the settings that a message mentions.
        timeout: Seconds that the attempt had.
        is_early: The attempt ended before that time.
        is_unconnected: The channel is known to have no connection.
    """
    error = _error_of(code, text, attachments, invocation, policy, timeout, is_early, is_unconnected)
    error.status, error.status_text = code.name, text
    return error


def _error_of(
    code: grpc.StatusCode,
    text: str,
    attachments: Mapping[str, Any],
    invocation: Invocation,
    policy: ReferencePolicy,
    timeout: float,
    is_early: bool,
    is_unconnected: bool,
) -> RpcError:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _timeout(text, invocation, timeout, is_early)
    if code is grpc.StatusCode.UNAVAILABLE:
        return _unavailable(text, policy, is_unconnected)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _exhausted(text, policy)
    if code is grpc.StatusCode.CANCELLED and text == "Channel closed!":
        return ConsumerClosed("the consumer was closed under the call", in_doubt=True)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return RemoteProtocolError(f"the provider does not have this method: {text}", is_remote=True)
    if code in _REJECTED:
        return Rejected(f"{code.name}: {text}", is_remote=True)
    return RemoteError(f"{code.name}: {text}", type_name=code.name, details=attachments)


def _timeout(text: str, invocation: Invocation, timeout: float, is_early: bool) -> CallTimeout:
    not_sent = invocation.on_sent is not None and not invocation.record.is_sent
    if is_early:
        return CallTimeout(f"the provider said DEADLINE_EXCEEDED: {text}", is_remote=True, in_doubt=True)
    what = "the request was not sent" if not_sent else "no answer"
    origin = invocation.policy.origin("timeout_ms")
    text = f"{what} within {timeout * 1000:.0f} ms (timeout {invocation.policy.timeout_ms} ms, {origin})"
    return CallTimeout(text, not_sent=not_sent, in_doubt=not not_sent)


def _unavailable(text: str, policy: ReferencePolicy, is_unconnected: bool) -> TransportError:
    if text.startswith(_NOT_CONNECTED) and is_unconnected:
        hint = "" if policy.ssl is not None or "HTTP/2" not in text else "; does the provider expect TLS?"
        return ConnectFailed(f"no connection: {_last_error(text)}{hint}", not_sent=True)
    if any(sign in text for sign in _CONNECTION_LOST):
        return ConnectionLost(f"the connection broke under the call: {text}", in_doubt=True)
    return TransportError(f"UNAVAILABLE: {text}", in_doubt=True)


def _last_error(text: str) -> str:
    return text.partition("last error: ")[2] or text


def _exhausted(text: str, policy: ReferencePolicy) -> LimitExceeded:
    found = _TOO_LARGE.search(text)
    if found is None:
        return LimitExceeded(f"the provider refused: {text}", is_remote=True, in_doubt=True)
    limit, origin = policy.max_response_bytes, policy.origin("max_response_bytes")
    message = f"the answer has {found[1]} bytes, more than the {limit} that max_response_bytes allows ({origin})"
    return LimitExceeded(message, in_doubt=True)
