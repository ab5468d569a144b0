"""What Java consumers and providers of Dubbo 2.7.23 and 3.3.6 said to each other, read and written by this side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.dubbo_bodies import request_body

from callahead.consumer.codec.dubbo import (
    EXCEPTION,
    decode_request,
    decode_response,
    encode_response,
    error_of_thrown,
    status_error,
)
from callahead.consumer.codec.hessian2 import JavaObject, JavaThrowable, TypedMap
from callahead.consumer.errors import (
    LimitExceeded,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
)
from callahead.consumer.wire import (
    OK,
    Event,
    FrameReader,
    Heartbeat,
    HeartbeatAnswer,
    ReadOnly,
    Request,
    Response,
    heartbeat_answer_frame,
    heartbeat_frame,
    read_only_frame,
    request_frame,
    response_frame,
)

EXCHANGES = json.loads((Path(__file__).parent / "vectors" / "dubbo_frames.json").read_text())
FRAMES = [
    pytest.param(bytes.fromhex(frame["hex"]), id=f"{each['dubbo']}-{each['name']}-{number}-{frame['from']}")
    for each in EXCHANGES
    for number, frame in enumerate(each["frames"])
]
RELEASES = ("2.7.23", "3.3.6")


def event_of(frame: bytes) -> Event:
    [event] = FrameReader().feed(frame)
    return event


def answers_of(name: str, release: str) -> Iterator[Response]:
    [exchange] = [each for each in EXCHANGES if (each["name"], each["dubbo"]) == (name, release)]
    for frame in exchange["frames"]:
        event = event_of(bytes.fromhex(frame["hex"]))
        if isinstance(event, Response):
            yield event


def value_of(name: str, release: str) -> Any:
    [answer] = answers_of(name, release)
    kind, value, _ = decode_response(answer.body)
    assert kind != EXCEPTION
    return value


def error_of(name: str, release: str) -> RpcError:
    answer = next(iter(answers_of(name, release)))
    if answer.status != OK:
        return status_error(answer.status, answer.body)
    kind, thrown, _ = decode_response(answer.body)
    assert kind == EXCEPTION
    return error_of_thrown(thrown)


def test_the_recording_is_all_there() -> None:
    """A recording that lost its frames would make every test here pass."""
    assert (60, 130) == (len(EXCHANGES), len(FRAMES))


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_is_written_as_java_wrote_it(frame: bytes) -> None:
    """Decoding and encoding again gives Java's bytes: header, body, arguments, values, exceptions and attachments."""
    event = event_of(frame)

    assert frame == written_again(event)


def written_again(event: Event) -> bytes:
    if isinstance(event, Request):
        return request_frame(event.id, request_again(event.body), two_way=event.two_way)
    if isinstance(event, Response) and event.status == OK:
        return response_frame(event.id, response_again(event.body))
    if isinstance(event, Response):
        return response_frame(event.id, event.body, event.status)
    makers = {Heartbeat: heartbeat_frame, HeartbeatAnswer: heartbeat_answer_frame, ReadOnly: read_only_frame}
    assert isinstance(event, Heartbeat | HeartbeatAnswer | ReadOnly)
    return makers[type(event)](event.id)


def request_again(body: bytes) -> bytes:
    read = decode_request(body)
    return request_body(read.path, read.method, read.descriptor, read.args, read.attachments, version=read.version)


def response_again(body: bytes) -> bytes:
    kind, value, attachments = decode_response(body)
    return encode_response(value, attachments, thrown=kind == EXCEPTION)


@pytest.mark.parametrize("size", [1, 2, 7, 16, 17, 1460])
def test_any_cut_of_the_whole_recording_gives_the_same_events(size: int) -> None:
    """All 130 frames in one stream, cut into pieces of one size."""
    stream = b"".join(frame.values[0] for frame in FRAMES)  # type: ignore[misc]
    reader = FrameReader()

    events = [event for at in range(0, len(stream), size) for event in reader.feed(stream[at : at + size])]

    assert FrameReader().feed(stream) == events
    assert len(FRAMES) == len(events)


@pytest.mark.parametrize("release", RELEASES)
def test_values_arrive(release: str) -> None:
    """A string, null, void, a string beyond ASCII and an object of a class that nobody bound."""
    foo = JavaObject("com.alibaba.foo.Foo", {"delayMs": 0, "name": "foo-7", "id": "7"})

    assert ["hello", None, None, "aé你😀", foo] == [
        value_of(name, release) for name in ("value", "null", "void", "emoji", "object")
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_circles_arrive_as_circles(release: str) -> None:
    """Two objects that point at each other are the same two objects here."""
    ring = value_of("cycle", release)

    assert ring is ring["next"]["next"]
    assert "1" == ring["next"]["name"]


@pytest.mark.parametrize("release", RELEASES)
def test_attachments_arrive_both_ways(release: str) -> None:
    """What the provider saw, and what it added to its answer."""
    [answer] = answers_of("attachments", release)

    _, seen, attachments = decode_response(answer.body)

    assert isinstance(seen, TypedMap)
    assert "t-1" == seen["x-trace"]
    assert {"reply-x-trace": "t-1"} == attachments


@pytest.mark.parametrize("release", RELEASES)
def test_a_declared_exception_arrives_with_its_fields_and_stack(release: str) -> None:
    """Class, message, own fields and where it was thrown."""
    error = error_of("exception-declared", release)

    assert isinstance(error, RemoteError)
    assert "org.callahead.interop.BusinessException: declared" == error.message
    assert "org.callahead.interop.BusinessException" == error.type_name
    assert "declared" == error.details["message"]
    assert 42 == error.details["fields"]["code"]
    assert (
        "org.callahead.interop.service.ExceptionProvider.declared(ExceptionProvider.java:14)"
        == str(error.details["stack"][0])
    )  # fmt: skip
    assert isinstance(error.details["thrown"], JavaThrowable)
    assert not error.in_doubt


@pytest.mark.parametrize("release", RELEASES)
def test_nested_causes_are_a_chain(release: str) -> None:
    """Each cause is the ``__cause__`` of the one above."""
    names = []
    error: BaseException | None = error_of("exception-nested", release)
    while isinstance(error, RemoteError):
        names.append(error.type_name)
        error = error.__cause__

    assert [
        "java.lang.IllegalStateException",
        "java.lang.IllegalArgumentException",
        "org.callahead.interop.BusinessException",
    ] == names


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("name", "cls", "status", "in_doubt"),
    [
        ("exception-rpc", Rejected, "RpcException 4", False),
        ("token-missing", Rejected, "70", False),
        ("unserializable", RemoteProtocolError, "50", True),
        ("unknown-service", RemoteProtocolError, "40", False),
        ("unknown-method", RemoteProtocolError, "40", False),
        ("pool-exhausted", LimitExceeded, "100", False),
    ],
)
def test_failures_of_dubbo_itself_are_told_apart(
    name: str, cls: type[RpcError], status: str, in_doubt: bool, release: str
) -> None:
    """The class, the status and whether the method may have run."""
    error = error_of(name, release)

    assert (cls, status, in_doubt, True) == (type(error), error.status, error.in_doubt, error.is_remote)
