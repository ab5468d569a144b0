"""From gRPC's statuses to callahead's errors.

Source: gRPC's status codes and Dubbo's ``TriRpcStatus``; differs: what is known of the request's fate is kept. gRPC
core does not say which side a status comes from, so the text it is known to write for its own failures is looked at,
together with what a provider that relays such a text cannot know: this side's address, limit and connection. Where that
leaves a doubt the call is in doubt. tests/integration/test_tri_faults.py holds these texts against the installed
grpcio.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import grpc

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...errors import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    ConsumerClosed,
    LimitExceeded,
    LocalProtocolError,
    RpcError,
    TransportError,
)
from ..time_limit import time_limit
from .remote import remote_error
from .unconnected import why_silent, why_unconnected

_TOO_LARGE = re.compile(r"CLIENT: Received message larger than max \((\d+) vs\. (\d+)\)")
# Only what this side received begins so; the provider's refusal of our metadata is its own status.
_METADATA_TOO_LARGE = re.compile(
    r"Stream removed \(received metadata size exceeds (?:soft|hard) limit \((?:value length )?(\d+) vs\. (\d+)\)"
)
_NOT_CONNECTED = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
_RESET = re.compile(r"RST_STREAM with error code \d+")
# What gRPC core says of a stream that was reset, whatever status that becomes. A refused stream (7) has reached no
# method, but the text does not prove it: a provider may relay it from a provider of its own.
_RESET_ALONE = re.compile(r"(?:Stream removed \(RST_STREAM \()?(?:Received )?RST_STREAM with error code (\d+)(?:\)\))?")
_HTTP2_CANCEL = "8"
_STREAM_ENDED = "Stream removed ("
_CONNECTION_LOST = (
    _STREAM_ENDED,
    "Socket closed",
    "Connection reset",
    "recvmsg:",
    "GOAWAY",
    "keepalive",
    "ping timeout",
)
_RAISING = ("grpc", "threading")
_BEFORE = (ValueError, TypeError, LookupError)
"""How grpcio says that it cannot send what it was given, or not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How gRPC ended an attempt, and what this side knows of it.

    Attributes:
        code: Never OK.
        text: gRPC's "details".
        attachments: Response metadata and trailers.
        timeout: Seconds that the attempt had.
        is_early: It ended before that time.
        address: ``host:port`` of the provider, as the configuration has it.
        is_unconnected: Tells whether the channel is known to have no connection; asked only where it matters.
        seems_unconnected: Tells whether it had none a moment ago; for messages.
        is_closed: This side closed the channel.
    """

    code: grpc.StatusCode
    text: str
    attachments: Mapping[str, Any]
    timeout: float
    is_early: bool
    address: str
    is_unconnected: Callable[[], bool]
    seems_unconnected: Callable[[], bool]
    is_closed: bool


def error_of(ended: Ended, attempt: Attempt, policy: ReferencePolicy) -> RpcError:
    """Make the error of one failed attempt; *policy* names the settings that its message mentions."""
    if _ran_out_there(ended):
        ended = replace(ended, code=grpc.StatusCode.DEADLINE_EXCEEDED)
    error = _error_of(ended, attempt, policy)
    error.status, error.status_text = ended.code.name, ended.text
    return error


def _error_of(ended: Ended, attempt: Attempt, policy: ReferencePolicy) -> RpcError:
    code, text = ended.code, ended.text
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _timeout(ended, attempt, policy)
    if _RESET_ALONE.fullmatch(text):
        return _broken(text)
    if code is grpc.StatusCode.UNAVAILABLE:
        return _unavailable(ended, policy)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _exhausted(ended, policy)
    if code is grpc.StatusCode.CANCELLED and ended.is_closed:
        return ConsumerClosed("the connection was closed under the call", in_doubt=True)
    if text.startswith(_STREAM_ENDED):
        return _broken(text)
    return remote_error(code.name, text, ended.attachments)


def _ran_out_there(ended: Ended) -> bool:
    """Tell whether the provider cancelled the call as its time ran out, which it may notice before this side does.

    It resets the stream, as most do: gRPC core means to see that, but looks at a clock that it has read before. Or it
    answers by that status, as tonic does.
    """
    if ended.is_early or ended.is_closed:
        return False
    reset = _RESET_ALONE.fullmatch(ended.text)
    if reset is not None:
        return reset[1] == _HTTP2_CANCEL
    return ended.code is grpc.StatusCode.CANCELLED and not ended.text.startswith(_STREAM_ENDED)


def _timeout(ended: Ended, attempt: Attempt, policy: ReferencePolicy) -> RpcError:
    if ended.is_early:
        return remote_error(ended.code.name, ended.text, ended.attachments)
    unsent = attempt.wants_sent and not attempt.is_sent
    # That nothing was heard of the writing may only mean that the news is under way.
    has_stream = ended.text.startswith(_STREAM_ENDED) or _RESET.search(ended.text) is not None
    not_sent = unsent and not has_stream and ended.is_unconnected()
    what = "the request was not sent" if unsent else "no answer"
    # That there is no connection now does not prove that there was none, so a call that may have left stays in doubt.
    why = f"; there is no connection: {why_silent(policy).of(policy)}" if ended.seems_unconnected() else ""
    return CallTimeout(
        f"{what} within {time_limit(ended.timeout, attempt.policy)}{why}", not_sent=not_sent, in_doubt=not not_sent
    )


def _unavailable(ended: Ended, policy: ReferencePolicy) -> RpcError:
    text = ended.text
    if text.startswith(_NOT_CONNECTED) and _port_of(ended.address) in text and ended.is_unconnected():
        trouble = why_unconnected(f"{_last_error(text)}{_hint(ended, policy)}", policy)
        return ConnectFailed(f"no connection: {trouble.of(policy)}", not_sent=True)
    if any(sign in text for sign in _CONNECTION_LOST):
        return _broken(text)
    return remote_error(ended.code.name, text, ended.attachments)


def _hint(ended: Ended, policy: ReferencePolicy) -> str:
    if policy.ssl is None or "Hostname Verification" not in ended.text:
        return ""
    name = policy.ssl.server_name if policy.ssl.server_name is not None else ended.address.rpartition(":")[0]
    return f'; the provider\'s certificate is not for "{name}" (ssl.server_name)'


def _port_of(address: str) -> str:
    """Give what gRPC core names of an address, between colons: its port, or the path of a Unix socket."""
    return f":{address.rpartition(':')[2].removeprefix('//')}:"


def _last_error(text: str) -> str:
    return text.partition("last error: ")[2] or text


def _broken(text: str) -> TransportError:
    if _RESET.search(text):
        return TransportError(f"the provider reset the stream: {text}", in_doubt=True)
    return ConnectionLost(f"the connection broke under the call: {text}", in_doubt=True)


def _exhausted(ended: Ended, policy: ReferencePolicy) -> RpcError:
    text = ended.text
    if own := _own_limit(_TOO_LARGE.search(text), "max_response_bytes", policy.max_response_bytes, policy):
        return LimitExceeded(f"the answer has {own}", in_doubt=True)
    limit = policy.transport.max_metadata_bytes
    if own := _own_limit(_METADATA_TOO_LARGE.match(text), "max_metadata_bytes", limit, policy):
        return LimitExceeded(f"the metadata of the answer have {own}", in_doubt=True)
    return remote_error(ended.code.name, text, ended.attachments)


def _own_limit(found: re.Match[str] | None, setting: str, limit: int, policy: ReferencePolicy) -> str:
    """Say which limit of this side was passed, and how far; "" for another limit, which is the provider's own."""
    if found is None or int(found[2]) != limit:
        return ""
    return f"{found[1]} bytes, more than the {limit} that {setting} allows ({policy.origin(setting)})"


def refused(error: BaseException) -> BaseException:
    """Turn what grpcio raised on its own account into ours; what broke into the thread that waits stays as it is.

    A signal handler may raise anything, Ctrl-C or an error of the program's own, while the request is on its way.
    grpcio looks at what it was given before it sends anything (see `_BEFORE`). All else may come later: the request is
    on its way when grpcio wants a thread for its end.
    """
    if not _is_grpcios_own(error):
        return error
    if isinstance(error, ValueError) and "closed channel" in str(error):
        ours: RpcError = ConsumerClosed("the connection was closed before the call", not_sent=True)
    elif isinstance(error, _BEFORE):
        ours = LocalProtocolError(f"grpcio refused the call: {error!r}", not_sent=True)
    else:
        ours = TransportError(f"grpcio failed in the midst of the call: {error!r}", in_doubt=True)
    ours.__cause__ = error
    return ours


def broken_here(call: Any) -> RpcError | None:
    """Make the error of *call* where no status ended it, but what an interceptor around grpcio's channel raised.

    `grpc.intercept_channel` makes a failed call of that, with a status that nobody sent.
    """
    if not isinstance(call, grpc.Future) or call.cancelled():
        return None
    error = call.exception()
    if error is None or isinstance(error, grpc.RpcError):
        return None
    ours = refused(error)
    if not isinstance(ours, RpcError):
        ours = LocalProtocolError(f"the call was broken into on this side: {error!r}", in_doubt=True)
        ours.__cause__ = error
    return ours


def unread(error: Exception) -> LocalProtocolError:
    """Make the error of a call that has ended, nobody can tell how, since *error* came of looking."""
    ours = LocalProtocolError(f"the end of the call cannot be read: {error!r}", in_doubt=True)
    ours.__cause__ = error
    return ours


def _is_grpcios_own(error: BaseException) -> bool:
    """Tell whether grpcio raised *error*: it was raised in one of its frames, or where it starts a thread."""
    place = error.__traceback__
    if place is None or not isinstance(error, Exception):
        return False
    while place.tb_next is not None:
        place = place.tb_next
    package, _, _ = str(place.tb_frame.f_globals.get("__name__")).partition(".")
    return package in _RAISING


def let_go(error: BaseException) -> None:
    """Clear grpcio's frames in the traceback of *error*, which would keep the call that it broke into running."""
    place = error.__traceback__
    while place is not None:
        if str(place.tb_frame.f_globals.get("__name__")).startswith("grpc."):
            place.tb_frame.clear()
        place = place.tb_next
