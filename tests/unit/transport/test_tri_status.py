"""From gRPC's statuses to errors, where no server can show it."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from support.attempts import attempt_of
from support.policies import tri_policy
from support.shortage import no_threads

from callahead.config.policy import MethodPolicy
from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    ConsumerClosed,
    LimitExceeded,
    LocalProtocolError,
    RemoteError,
    RpcError,
    TransportError,
)
from callahead.consumer.channel.faces import grpc_error
from callahead.consumer.transport.tri.remote import without_answer
from callahead.consumer.transport.tri.status import Ended, error_of, refused, unread

METHOD = MethodPolicy(reference="g", method="hello", timeout_ms=300, total_timeout_ms=900)
POLICY = tri_policy(id="g", interface="a.G", default=METHOD, max_response_bytes=100)
REFUSED = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:50051: Connection refused"
Code = grpc.StatusCode


def made(
    code: Code,
    text: str,
    *,
    sent: bool | None = None,
    timeout: float = 0.3,
    policy: MethodPolicy = METHOD,
    **facts: Any,
) -> RpcError:
    """Make the error of one attempt; *sent* is None where nobody waits for it."""
    is_unconnected = facts.pop("is_unconnected", False)
    known = {"is_early": False, "address": "127.0.0.1:50051", "is_closed": False, **facts}
    known["is_unconnected"] = known["seems_unconnected"] = lambda: is_unconnected
    attempt = attempt_of(policy, on_sent=None if sent is None else lambda: None)
    attempt.is_sent = bool(sent)
    return error_of(Ended(code=code, text=text, attachments={}, timeout=timeout, **known), attempt, POLICY)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"is_unconnected": True}, ConnectFailed),
        ({"is_unconnected": False}, TransportError),
        ({"is_unconnected": True, "address": "127.0.0.1:5005"}, TransportError),
        ({"is_unconnected": True, "address": "127.0.0.1:50052"}, TransportError),
    ],
)
def test_not_connected_needs_every_sign(facts: dict[str, Any], kind: type[RpcError]) -> None:
    """Only our own address on a channel without connection proves that nothing was sent."""
    error = made(Code.UNAVAILABLE, REFUSED, **facts)
    assert type(error) is kind
    assert error.not_sent is (kind is ConnectFailed)
    assert error.in_doubt is not error.not_sent


@pytest.mark.parametrize(
    "text",
    [
        "Stream removed (Socket closed)",
        "Socket closed",
        "recvmsg:Connection reset by peer",
        "Stream removed (GOAWAY received; Error code: 0; Debug Text: )",
        "keepalive watchdog timeout",
        "ping timeout",
    ],
)
def test_a_lost_connection(text: str) -> None:
    """The texts of this and of older grpcio for a connection that broke."""
    error = made(Code.UNAVAILABLE, text)
    assert type(error) is ConnectionLost
    assert error.message == f"the connection broke under the call: {text}"
    assert (error.not_sent, error.in_doubt) == (False, True)


@pytest.mark.parametrize("code", [Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.UNAVAILABLE])
def test_a_stream_that_core_ended(code: Code) -> None:
    """A stream ended by the peer's transport is no answer of the method, whatever its code."""
    error = made(code, "Stream removed (Failed parsing HTTP/2 (bad))")
    assert type(error) is ConnectionLost
    assert error.in_doubt


@pytest.mark.parametrize(
    ("sent", "text", "is_unconnected", "not_sent"),
    [
        (None, "Deadline Exceeded", True, False),
        (False, "Deadline Exceeded", True, True),
        (False, "Deadline Exceeded", False, False),
        (False, "Stream removed (Deadline Exceeded)", True, False),
        (True, "Deadline Exceeded", True, False),
    ],
)
def test_when_a_timeout_is_not_sent(sent: bool | None, text: str, is_unconnected: bool, not_sent: bool) -> None:
    """A timeout is "not sent" only where the writing was watched, did not happen, and no connection is there."""
    error = made(Code.DEADLINE_EXCEEDED, text, sent=sent, is_unconnected=is_unconnected)
    assert type(error) is CallTimeout
    assert (error.not_sent, error.in_doubt) == (not_sent, not not_sent)
    what = "the request was not sent" if sent is False else "no answer"
    why = "; there is no connection: nobody answers there, or not as gRPC does (protocol tri; registry)"
    assert error.message == f"{what} within 300 ms (timeout 300 ms, built-in){why if is_unconnected else ''}"


def test_a_timeout_that_the_total_cut() -> None:
    """The setting that was the bound is the one that is named."""
    error = made(Code.DEADLINE_EXCEEDED, "Deadline Exceeded", timeout=0.12)
    assert error.message == "no answer within 120 ms (total_timeout 900 ms, built-in)"


def test_a_timeout_of_which_the_call_itself_took_much() -> None:
    """As the first call on a busy machine does: where the total is no other time, nothing else has cut it."""
    alone = MethodPolicy(reference="g", method="hello", timeout_ms=300, total_timeout_ms=300)
    error = made(Code.DEADLINE_EXCEEDED, "Deadline Exceeded", timeout=0.27, policy=alone)
    assert error.message == "no answer within 300 ms (timeout 300 ms, built-in)"


@pytest.mark.parametrize(
    ("limit", "is_remote", "message"),
    [
        (100, False, "the answer has 102 bytes, more than the 100 that max_response_bytes allows (built-in)"),
        (50, True, "the provider refused: Stream removed (CLIENT: Received message larger than max (102 vs. 50))"),
    ],
)
def test_whose_limit_it_was(limit: int, is_remote: bool, message: str) -> None:
    """Only our own number is our own limit."""
    text = f"Stream removed (CLIENT: Received message larger than max (102 vs. {limit}))"
    error = made(Code.RESOURCE_EXHAUSTED, text)
    assert type(error) is LimitExceeded
    assert (error.message, error.is_remote, error.in_doubt) == (message, is_remote, True)


@pytest.mark.parametrize(
    ("text", "is_remote", "message"),
    [
        (
            "Stream removed (received metadata size exceeds hard limit (value length 70000 vs. 65536))",
            False,
            "the metadata of the answer have 70000 bytes, more than the 65536 that max_metadata_bytes allows",
        ),
        (
            "received metadata size exceeds hard limit (value length 70000 vs. 65536)",
            True,
            "the provider refused: received metadata size exceeds hard limit (value length 70000 vs. 65536)",
        ),
    ],
)
def test_whose_metadata_were_too_large(text: str, is_remote: bool, message: str) -> None:
    """The answer's, for this side; or the request's, for the provider, which may have the same limit."""
    error = made(Code.RESOURCE_EXHAUSTED, text)
    assert type(error) is LimitExceeded
    assert (error.message.removesuffix(" (built-in)"), error.is_remote, error.in_doubt) == (message, is_remote, True)


def test_who_cancelled() -> None:
    """CANCELLED is ours only where we closed the channel."""
    assert type(made(Code.CANCELLED, "Channel closed!", is_closed=True)) is ConsumerClosed
    assert type(made(Code.CANCELLED, "Channel closed!", is_early=True)) is RemoteError


@pytest.mark.parametrize("text", ["", "CANCELLED"])
def test_a_call_that_a_draining_server_cancels_is_in_doubt(text: str) -> None:
    """No method need have run, so it may be repeated where that does no harm; a method's own word says more."""
    error = made(Code.CANCELLED, text, is_early=True)
    assert type(error) is TransportError
    assert (error.not_sent, error.in_doubt, error.is_remote) == (False, True, False)
    assert (error.status, error.status_text) == ("CANCELLED", text)


RESETS = (
    "RST_STREAM with error code {}",
    "Received RST_STREAM with error code {}",
    "Stream removed (RST_STREAM (Received RST_STREAM with error code {}))",
)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize(
    "code", [Code.INTERNAL, Code.CANCELLED, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.PERMISSION_DENIED]
)
def test_a_stream_that_was_reset_is_in_doubt(code: Any, reset: str) -> None:
    """Whatever status gRPC makes of HTTP/2's error code, it is no answer."""
    text = reset.format(8)
    error = made(code, text, is_early=True)
    assert type(error) is TransportError
    assert (error.message, error.not_sent, error.in_doubt) == (f"the provider reset the stream: {text}", False, True)


@pytest.mark.parametrize("reset", RESETS)
def test_a_stream_that_the_provider_cancelled_at_the_deadline(reset: str) -> None:
    """The provider saw first that the time was over, which is no less a timeout; its other resets are none."""
    error = made(Code.CANCELLED, reset.format(8))
    assert (type(error), error.status) == (CallTimeout, "DEADLINE_EXCEEDED")
    assert error.message == "no answer within 300 ms (timeout 300 ms, built-in)"
    assert (error.not_sent, error.in_doubt) == (False, True)
    assert made(Code.CANCELLED, reset.format(8), sent=False, is_unconnected=True).in_doubt  # it has seen the stream
    assert type(made(Code.INTERNAL, reset.format(2))) is TransportError


def test_a_call_that_the_provider_cancelled_at_the_deadline() -> None:
    """Likewise by a status, as tonic does; before the deadline that is its own word."""
    error = made(Code.CANCELLED, "Timeout expired")
    assert (type(error), error.status, error.in_doubt) == (CallTimeout, "DEADLINE_EXCEEDED", True)
    assert type(made(Code.CANCELLED, "Timeout expired", is_early=True)) is RemoteError


def test_an_end_without_an_answer() -> None:
    """It has the status that gRPC's clients have for it, and a text of its own."""
    error: Any = grpc_error(without_answer())
    assert error.code() is Code.UNIMPLEMENTED
    assert error.details() == error.message == "the provider says OK, and sent no answer"
    assert (error.is_remote, error.in_doubt) == (False, True)


@pytest.fixture
def closed_channel() -> grpc.Channel:
    """A channel on which no call can begin."""
    channel = grpc.insecure_channel("127.0.0.1:1")
    channel.close()
    return channel


def test_a_closed_channel(closed_channel: grpc.Channel) -> None:
    """What grpcio raises over one becomes ours, with the original as the cause."""
    with pytest.raises(ValueError, match="closed channel") as caught:
        closed_channel.unary_unary("/a/b")(b"")
    ours = refused(caught.value)
    assert isinstance(ours, ConsumerClosed)
    assert (ours.message, ours.not_sent) == ("the connection was closed before the call", True)
    assert ours.__cause__ is caught.value


def test_a_thread_that_grpcio_cannot_start() -> None:
    """The request is on its way by then, so it is in doubt."""
    with no_threads(), pytest.raises(RuntimeError) as caught:
        threading.Thread(target=print).start()
    ours = refused(caught.value)
    assert isinstance(ours, TransportError)
    assert (ours.not_sent, ours.in_doubt) == (False, True)


def test_an_option_that_grpcio_does_not_take(closed_channel: grpc.Channel) -> None:
    """Whatever else it raises on its own account was not sent either."""
    with pytest.raises(KeyError) as caught:
        closed_channel.unary_unary("/a/b")(b"", compression="none")  # type: ignore[arg-type]
    ours = refused(caught.value)
    assert isinstance(ours, LocalProtocolError)
    assert (ours.message, ours.not_sent) == (f"grpcio refused the call: {caught.value!r}", True)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TimeoutError("alarm"), ValueError("closed channel")])
def test_what_a_signal_handler_raises_stays_as_it_is(error: BaseException) -> None:
    """It was raised outside grpcio, and is nobody's error but the program's."""
    with pytest.raises(type(error)) as caught:
        raise error
    assert refused(caught.value) is error


def test_an_end_that_cannot_be_read() -> None:
    """The call has ended, nobody can tell how, so it is in doubt."""
    error = KeyError("x")
    ours = unread(error)
    assert (ours.message, ours.not_sent, ours.in_doubt) == (
        "the end of the call cannot be read: KeyError('x')",
        False,
        True,
    )
    assert ours.__cause__ is error
