"""What dubbo-go writes, byte by byte: one null more behind every body, and refusals as exceptions of status 20.

The bytes are those of its hessian2 encoder (``packResponse``, ``encNull``, ``java_exception.Throwable``), which writes
a body of its own shape where Java writes another.
"""

from __future__ import annotations

import pytest
from support.dubbo_bodies import request_body

from callahead.consumer.codec.dubbo import (
    EXCEPTION,
    NULL,
    VALUE,
    decode_request,
    decode_response,
    encode_response,
    error_of_thrown,
    make_throwable,
    status_error,
)
from callahead.consumer.codec.hessian2 import StackFrame, dumps
from callahead.consumer.errors import NoProviderAvailable, Rejected, RemoteError, RpcError
from callahead.consumer.wire import FrameReader, Heartbeat, HeartbeatAnswer, ReadOnly, Writable

ATTACHMENTS = "48 05 6475 62626f 05 322e302e32 5a"
THROWABLE = (
    "43 13 6a6176612e6c616e672e5468726f7761626c65 95"  # java.lang.Throwable, five fields:
    "10 73657269616c56657273696f6e554944"  # serialVersionUID
    "0d 64657461696c4d657373616765"  # detailMessage
    "14 73757070726573736564457863657074696f6e73"  # suppressedExceptions
    "0a 737461636b5472616365"  # stackTrace
    "05 6361757365"  # cause
    "60 e0 "
)


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


@pytest.mark.parametrize(
    ("body", "kind", "value", "attachments"),
    [
        (f"94 02 6f6b {ATTACHMENTS} 4e", VALUE, "ok", {}),
        (f"95 {ATTACHMENTS} 4e", NULL, None, {}),
        (f"94 78 {ATTACHMENTS} 4e", VALUE, [], {}),
        ("94 90 48 01 6b 01 76 5a 4e", VALUE, 0, {"k": "v"}),
        ("91 02 6f6b 4e", VALUE, "ok", {}),
        ("92 4e", NULL, None, {}),
    ],
)
def test_an_answer_ends_with_one_null_more(body: str, kind: int, value: object, attachments: object) -> None:
    """It is counted, and means nothing."""
    followed: list[int] = []
    assert decode_response(bytes_of(body), trailing=followed.append) == (kind, value, attachments)
    assert followed == [1]


def test_a_refusal_of_another_status_ends_so_too() -> None:
    """Its text is the first string."""
    followed: list[int] = []
    error = status_error(70, dumps("why") + b"N", trailing=followed.append)
    assert (error.status_text, followed) == ("why", [1])


def test_a_request_ends_with_one_null_more() -> None:
    """A provider here reads it as any other."""
    body = request_body("a.B", "c", ["int"], [5])
    assert decode_request(body).trailing == 0
    assert decode_request(body + b"N") == decode_request(body)._replace(trailing=1)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ("dabb 22 14 0000000000000005 00000002 4e4e", HeartbeatAnswer(5, trailing=1)),
        ("dabb e2 00 0000000000000005 00000002 4e4e", Heartbeat(5, two_way=True, trailing=1)),
        ("dabb a2 00 0000000000000005 00000003 01524e", ReadOnly(5, trailing=1)),
        ("dabb a2 00 0000000000000005 00000003 01574e", Writable(5, trailing=1)),
        ("dabb 22 14 0000000000000005 00000001 4e", HeartbeatAnswer(5)),
        ("dabb e2 00 0000000000000005 00000000", Heartbeat(5, two_way=True)),
    ],
)
def test_an_event_ends_with_one_null_more(frame: str, event: object) -> None:
    """A heartbeat is answered, and its answer shows that the peer lives."""
    assert FrameReader().feed(bytes_of(frame)) == [event]


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("don't have this exporter, key: blue/a.B:1.0.0", NoProviderAvailable),
        ("cannot find service [a.B] in dubbo", NoProviderAvailable),
        ("cannot find method [c] of service [a.B] in dubbo", NoProviderAvailable),
        ("Invalid token! Forbid invoke remote service dubbo://h:1/a.B method c ", Rejected),
    ],
)
def test_refusals_come_as_exceptions_of_status_20(text: str, cls: type[RpcError]) -> None:
    """The method has not run: another provider is asked, but where the token is wrong."""
    body = bytes_of(f"93 {THROWABLE}") + dumps(text) + bytes_of(f"4e 78 4e {ATTACHMENTS} 4e")
    kind, thrown, _ = decode_response(body)
    error = error_of_thrown(thrown)
    assert (kind, type(error)) == (EXCEPTION, cls)
    assert (error.is_remote, error.in_doubt, error.not_sent) == (True, False, False)
    assert (error.status_text, type(error.__cause__)) == (text, RemoteError)
    assert text.strip() in error.message


@pytest.mark.parametrize(
    "thrown",
    [
        make_throwable("java.lang.Throwable", "a business error"),
        make_throwable("java.lang.Throwable", None),
        make_throwable("java.lang.Throwable", "we cannot find method [c] of service [a.B]"),
        make_throwable("java.lang.RuntimeException", "cannot find method [c] of service [a.B] in dubbo"),
        make_throwable(
            "java.lang.Throwable", "don't have this exporter, key: x", stack=[StackFrame("a.B", "c", None, 1)]
        ),
    ],
)
def test_what_a_method_throws_is_no_refusal(thrown: object) -> None:
    """Nothing but dubbo-go's own words, in its own class without a stack, tells that the method has not run."""
    assert type(error_of_thrown(thrown)) is RemoteError


def test_the_attachments_of_the_request_come_back_with_the_answer() -> None:
    """Only what the provider's own code added is the user's."""
    names = ("dubbo", "interface", "path", "version", "group", "timeout", "token", "generic", "remote.application")
    body = encode_response("ok", {**dict.fromkeys(names, "x"), "trace-id": "7"})
    assert decode_response(body) == (VALUE, "ok", {"trace-id": "7"})
    assert decode_response(encode_response("ok", dict.fromkeys(names, "x"))) == (VALUE, "ok", {})
