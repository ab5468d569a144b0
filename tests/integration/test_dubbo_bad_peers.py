"""Peers that break the protocol: only the calls concerned fail, each with a clear error; all else goes on."""

from __future__ import annotations

import gc
import logging
import re
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.dubbo_peer import DubboPeer, Link, answer_frame, argument, connections_of, echo, foo_config, wait_until

from callahead.consumer import (
    CallTimeout,
    ConnectionLost,
    Consumer,
    LimitExceeded,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    SerializationError,
)
from callahead.consumer.codec.dubbo import encode_response
from callahead.consumer.codec.hessian2 import dumps, java_type
from callahead.consumer.transport.api import ConnectionCounts
from callahead.consumer.wire import Request, request_frame, response_frame

Consume = Callable[..., Consumer]
BAD = "bad"
MODES = ["led", "future"]


@java_type("com.alibaba.foo.Fragile")
@dataclass
class Fragile:
    """A user's class that does not take what the peer sends."""

    amount: int = 0

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ZeroDivisionError("a user's own error")


def ok(request: Request, body: bytes) -> bytes:
    """Make an answer of status OK with any body."""
    return response_frame(request.id, body)


def raw(request: Request, flag: int, status: int, length: int, body: bytes) -> bytes:
    """Make an answer with any header."""
    return bytes([0xDA, 0xBB, flag, status]) + request.id.to_bytes(8, "big", signed=True) + length.to_bytes(
        4, "big", signed=True
    ) + body  # fmt: skip


def fragile() -> bytes:
    """Encode a `Fragile` whose amount is negative."""
    good = encode_response(Fragile(5))
    assert good.count(b"\x95") == 1
    return good.replace(b"\x95", b"\x8f")  # 5 becomes -1


Make = Callable[[Request], bytes]
ONE_CALL: dict[str, tuple[Make, type[RpcError], str]] = {
    "another serialization": (
        lambda request: raw(request, 0x06, 20, 5, b"hello"),
        RemoteProtocolError,
        r"the answer \(status 20\) is serialized by fastjson \(id 6\), this side reads hessian2",
    ),
    "an unknown serialization": (
        lambda request: raw(request, 0x1E, 20, 5, b"hello"),
        RemoteProtocolError,
        r"is serialized by unknown \(id 30\)",
    ),
    "an unknown status": (
        lambda request: raw(request, 0x02, 200, 3, dumps("hm")),
        RemoteProtocolError,
        r"^unknown status \(200\): hm$",
    ),
    "a status without a text": (
        lambda request: raw(request, 0x02, 70, 3, b"\xff\xff\xff"),
        RemoteError,
        r"^SERVICE_ERROR \(70\): \(no text, but 3 bytes: ffffff\)$",
    ),
    "an oversize answer": (
        lambda request: raw(request, 0x02, 20, 300_000, bytes(300_000)),
        LimitExceeded,
        r"^the answer has 300000 bytes, more than the 200000 that max_response_bytes \(.*consumer0.yml:\d+\) allows$",
    ),
    "an empty answer": (lambda request: ok(request, b""), SerializationError, "nothing where a kind is expected"),
    "an unknown kind": (lambda request: ok(request, b"\x99"), SerializationError, "99 where a kind is expected"),
    "nothing after the kind": (lambda request: ok(request, b"\x94"), SerializationError, "dubbo answer|hessian2"),
    "a deep list": (
        lambda request: ok(request, b"\x91" + b"\x79" * 100_000 + b"N"),
        SerializationError,
        "limits.depth",
    ),
    "a deep map": (lambda request: ok(request, b"\x91" + b"H\x90" * 60_000), SerializationError, "limits.depth"),
    "a long list": (lambda request: ok(request, b"\x91XI\x7f\xff\xff\xff"), SerializationError, "hessian2"),
    "a long string": (lambda request: ok(request, b"\x91S\xff\xffab"), SerializationError, "hessian2"),
    "a reference to nothing": (lambda request: ok(request, b"\x91Q\xc8\x10"), SerializationError, "hessian2"),
    "an unknown tag": (lambda request: ok(request, b"\x91\x45"), SerializationError, "hessian2"),
    "not UTF-8": (lambda request: ok(request, b"\x91\x02\xff\xff"), SerializationError, "hessian2"),
    "a class of the user's that raises": (
        lambda request: ok(request, fragile()),
        SerializationError,
        "a user's own error",
    ),
}


def answering(make: Make) -> Callable[[Link], None]:
    """Echo, but for the argument BAD, which is answered with what *make* makes."""

    def serve(link: Link) -> None:
        for request in link.requests():
            value = argument(request)
            link.send(make(request) if value == BAD else answer_frame(request, value))

    return serve


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", ONE_CALL)
def test_a_bad_answer_fails_its_call_alone(consume: Consume, what: str, mode: str) -> None:
    """The call that was answered badly fails at once with a clear error; its connection and all else go on."""
    make, kind, message = ONE_CALL[what]
    with DubboPeer(answering(make)) as peer:
        consumer = consume(foo_config(peer.url, max_response_bytes=200_000))
        foo = consumer.reference("foo")
        assert foo.echo("before") == "before"
        beside = [foo.echo.future(number) for number in range(3)] if mode == "future" else []
        with pytest.raises(kind) as caught:
            _ = foo.echo.future(BAD).result(5) if mode == "future" else foo.echo(BAD)
        assert re.search(message, caught.value.message), caught.value.message
        assert not caught.value.not_sent
        assert caught.value.in_doubt or caught.value.is_remote
        assert [future.result(5) for future in beside] == list(range(len(beside)))
        assert foo.echo("after") == "after"
        assert foo.echo.future("after").result(5) == "after"
        (connection,) = connections_of(consumer)
        assert (connection.counters.connects, connection.counters.unknown_answers) == (1, 0)


@pytest.mark.parametrize("mode", MODES)
def test_bytes_behind_the_end_are_counted(consume: Consume, mode: str) -> None:
    """An answer is complete without them."""
    with DubboPeer(answering(lambda request: ok(request, encode_response("fine") + b"NN"))) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert (foo.echo.future(BAD).result(5) if mode == "future" else foo.echo(BAD)) == "fine"
        assert [counts.trailing_bytes for counts in consumer.connections()] == [2]


def test_lists_without_end_in_the_place_of_an_exception(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """Each of two hundred holds the next one twice; the call fails, and the message and the log are short."""
    levels = 200
    body = b"\x90" + b"\x7a" * levels + b"\x78" + b"".join(b"\x51" + dumps(n) for n in range(levels, 0, -1))
    with DubboPeer(answering(lambda request: ok(request, body))) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        begin = time.process_time()
        with (
            caplog.at_level(logging.INFO),
            pytest.raises(RemoteError, match=r"java\.util\.ArrayList: \[\[\[") as caught,
        ):
            foo.echo(BAD)
        assert time.process_time() - begin < 5
        assert len(caught.value.message) <= 2000
        assert max(map(len, caplog.messages)) < 3000
        assert foo.echo("after") == "after"


def test_no_text_of_a_peer_begins_a_line_of_the_log(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does it move the cursor, and eight megabytes of it do not fill the log."""
    forged = "no\r\nCRITICAL forged \x1b[2J\x9b1A\u202e" + "x" * 1_000_000
    with DubboPeer(answering(lambda request: response_frame(request.id, dumps(forged), 70))) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        with caplog.at_level(logging.INFO), pytest.raises(RemoteError) as caught:
            foo.echo.future(BAD).result(5)
        assert caught.value.status_text == forged
        assert caplog.messages
        for text in (str(caught.value), *caplog.messages):
            assert text.isprintable()
            assert len(text) < 3000


def test_a_value_that_contains_itself(consume: Consume) -> None:
    """A list that is its own element is a value as any other."""
    with DubboPeer(answering(lambda request: ok(request, b"\x91\x79Q\x90"))) as peer:
        value = consume(foo_config(peer.url)).reference("foo").echo(BAD)
        assert value[0] is value


BROKEN: dict[str, tuple[Make, str]] = {
    "garbage": (lambda _: b"HTTP/1.1 400 Bad Request\r\n" * 400, "more than 8192 bytes are in no frame"),
    "zeros": (lambda _: bytes(10_000), "more than 8192 bytes are in no frame"),
    "a negative length": (lambda request: raw(request, 0x02, 20, -1, b""), "a frame has a body of -1 bytes"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", BROKEN)
def test_a_peer_that_does_not_speak_dubbo(consume: Consume, what: str, mode: str) -> None:
    """Bytes that cannot be cut into frames end the connection: its calls fail at once, other connections go on."""
    make, message = BROKEN[what]
    with DubboPeer(answering(make)) as peer, DubboPeer(echo) as other:
        config = foo_config(peer.url)
        config["references"]["bar"] = foo_config(other.url)["references"]["foo"]
        consumer = consume(config)
        foo, bar = consumer.reference("foo"), consumer.reference("bar")
        assert [foo.echo(1), bar.echo(1)] == [1, 1]
        with pytest.raises(
            ConnectionLost, match=f"the connection broke: the peer does not speak .*{message}"
        ) as caught:
            _ = foo.echo.future(BAD).result(5) if mode == "future" else foo.echo(BAD)
        assert caught.value.in_doubt
        assert [foo.echo(2), bar.echo(2)] == [2, 2]
        assert (len(peer.links), len(other.links)) == (2, 1)


def test_a_little_garbage_is_skipped(consume: Consume) -> None:
    """Bytes before a frame are skipped, as Java does."""
    with DubboPeer(answering(lambda request: b"garbage" + answer_frame(request, "fine"))) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        assert foo.echo(BAD) == "fine"
        assert foo.echo.future(BAD).result(5) == "fine"
        assert len(peer.links) == 1


@pytest.mark.parametrize("mode", MODES)
def test_half_a_frame(consume: Consume, mode: str) -> None:
    """A peer that stops in the middle of a frame costs the deadline; the rest may still come for the others."""
    halves: list[tuple[Link, bytes]] = []

    def serve(link: Link) -> None:
        for request in link.requests():
            frame = answer_frame(request, argument(request))
            if argument(request) == BAD:
                link.send(frame[:20])
                halves.append((link, frame[20:]))
            else:
                link.send(frame)

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        echo_soon = foo.echo.with_options(timeout=150)
        with pytest.raises(CallTimeout, match="no answer within"):
            _ = echo_soon.future(BAD).result(5) if mode == "future" else echo_soon(BAD)
        for link, rest in halves:
            link.send(rest)
        assert foo.echo(2) == 2
        (connection,) = connections_of(consumer)
        assert connection.counters.unknown_answers == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_huge_length(consume: Consume, mode: str) -> None:
    """A body of 2 GiB is refused from its header alone: the call fails at once, and no memory is taken."""
    with DubboPeer(answering(lambda request: raw(request, 0x02, 20, 0x7FFFFFFF, bytes(1000)))) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        assert foo.echo(1) == 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(LimitExceeded, match="the answer has 2147483647 bytes, more than the 8388608") as caught:
            _ = foo.echo.future(BAD).result(5) if mode == "future" else foo.echo(BAD)
        assert caught.value.in_doubt
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
        assert foo.echo(2) == 2  # over another connection, for nobody waits for the end of that body


def test_late_duplicate_and_unknown_answers(consume: Consume) -> None:
    """An answer to no running call is counted, reaches nobody, and does not disturb the call that leads."""

    def serve(link: Link) -> None:
        for request in link.requests():
            frame = answer_frame(request, argument(request))
            unknown = response_frame(request.id + 12345, encode_response("made up"))
            link.send(unknown + frame + frame + unknown)

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        for number in range(20):
            assert foo.echo(number) == number
            assert foo.echo.future(number).result(5) == number
        (connection,) = connections_of(consumer)
        wait_until(lambda: connection.counters.unknown_answers == 120)
        endpoint = f"dubbo://{connection.name}"
        assert consumer.connections() == (
            ConnectionCounts(
                endpoint=endpoint, is_open=True, connects=1, unknown_answers=120, bad_events=0, trailing_bytes=0
            ),
        )


def test_a_bad_answer_to_nobody(consume: Consume) -> None:
    """The same for answers that cannot be read."""

    def serve(link: Link) -> None:
        for request in link.requests():
            link.send(raw(request._replace(id=7), 0x06, 20, 5, b"hello") + answer_frame(request, argument(request)))

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url))
        assert consumer.reference("foo").echo(1) == 1
        (connection,) = connections_of(consumer)
        assert connection.counters.unknown_answers == 1


def test_a_peer_that_calls(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """A request from the peer is counted and logged; a consumer answers none."""

    def serve(link: Link) -> None:
        for request in link.requests():
            link.send(request_frame(5, b"\x05hello") + raw(request, 0xC6, 0, 3, b"abc"))
            link.answer(request, argument(request))

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url))
        assert consumer.reference("foo").echo(1) == 1
        (connection,) = connections_of(consumer)
        assert connection.counters.bad_events == 2
        assert "sent a request, which a consumer does not answer" in caplog.text


def test_an_event_of_nonsense(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """Events that mean nothing are counted and left out."""

    def serve(link: Link) -> None:
        for request in link.requests():
            link.send(raw(request, 0xE2, 0, 2, b"\x01Q") + raw(request, 0xE2, 0, 100, bytes(100)))
            link.answer(request, argument(request))

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert [foo.echo(1), foo.echo.future(2).result(5)] == [1, 2]
        (connection,) = connections_of(consumer)
        assert connection.counters.bad_events == 4
        assert "null, R and W are known" in caplog.text


def test_one_byte_at_a_time(consume: Consume) -> None:
    """Answers that come byte by byte are answers."""

    def serve(link: Link) -> None:
        for request in link.requests():
            for byte in answer_frame(request, argument(request)):
                link.send(bytes([byte]))
                time.sleep(0.0005)

    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        futures = [foo.echo.future(number) for number in range(5)]
        assert [future.result(5) for future in futures] == list(range(5))
        assert foo.echo("led") == "led"


@pytest.mark.slow
def test_a_flood_of_garbage_takes_no_memory(consume: Consume) -> None:
    """A peer that answers every call with large frames to nobody is read and forgotten."""
    flood = raw(Request(99, False, b""), 0x02, 20, 1_000_000, bytes(1_000_000)) * 8

    def serve(link: Link) -> None:
        for request in link.requests():
            link.send(flood)
            link.answer(request, argument(request))

    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url, timeout=20000)).reference("foo")
        assert foo.echo(0) == 0
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(20):
            assert foo.echo(number) == number
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


@pytest.fixture(autouse=True)
def no_error_in_the_io_thread(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Nothing that a peer does is a surprise to the I/O thread."""
    yield
    assert "should not have seen" not in caplog.text
