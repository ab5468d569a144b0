"""Connections whose many calls take long are read by the clock: how often that is, and what becomes of the calls."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NamedTuple, Protocol

import pytest
from support.certificates import make_certificates
from support.dubbo_peer import answer_frame, argument, foo_config
from support.forked import WARNING, in_child
from support.http2_frames import GREETING, HEAD, OK, data, goaway, headers, message
from support.http2_peer import reply
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, ConnectionLost, Consumer, ConsumerClosed, InvocationFuture
from callahead.consumer.transport.tcp.pace import Pace
from callahead.consumer.transport.tcp.stream import Stream
from callahead.consumer.wire import FrameReader, Request
from callahead.consumer.wire.http2 import frames

pytestmark = [pytest.mark.slow, pytest.mark.long]

Consume = Callable[..., Consumer]
CALLS = 1000
AT_ONCE = 400
HELD = 200
"""So many calls wait at the provider, so that each takes as long as these are answered: 40 ms at least."""

PAUSE_S = 0.0002


class Side(Protocol):
    """One protocol, as a provider speaks it on one connection."""

    greeting: bytes

    def requests(self, said: bytes) -> list[Any]:
        """Take what the client says, and give the requests that are whole."""

    def answer(self, request: Any) -> bytes:
        """Make the answer to one."""


class DubboSide:
    """Answers with what it is asked."""

    greeting = b""

    def __init__(self) -> None:
        self._reader = FrameReader(1 << 20)

    def requests(self, said: bytes) -> list[Any]:
        return [event for event in self._reader.feed(said) if isinstance(event, Request)]

    def answer(self, request: Any) -> bytes:
        return answer_frame(request, argument(request))


class Http2Side:
    """Answers with a greeting."""

    greeting = GREETING

    def __init__(self) -> None:
        self._held = b""
        self._missing = len(frames.PREFACE)

    def requests(self, said: bytes) -> list[Any]:
        self._held += said
        if len(self._held) < self._missing:
            return []
        self._held, self._missing = self._held[self._missing :], 0
        found = []
        while len(self._held) >= frames.FRAME_BYTES:
            word, flags, stream = frames.HEAD.unpack_from(self._held)
            size = frames.FRAME_BYTES + (word >> 8)
            if len(self._held) < size:
                break
            self._held = self._held[size:]
            if word & 0xFF == frames.DATA and flags & frames.END_STREAM:
                found.append(stream)
        return found

    def answer(self, request: Any) -> bytes:
        return headers(request, *HEAD) + data(request, message(reply("hello"))) + headers(request, *OK, ends=True)


class Slow:
    """A provider that answers one call after the other, with a pause behind each, and lets many wait.

    Args:
        side: What it speaks.
        tls: Its side of TLS.
        after: So many answers on one connection are followed by what *then* does.
        then: Gets the connection, and the stream of the last answer.

    Attributes:
        came: How many requests have come.
        answered: How many of them were answered.
        until: As many requests as come; once they are there none is held any more.
        close: Closes the consumer that calls it.
    """

    def __init__(
        self,
        side: Callable[[], Side],
        tls: ssl.SSLContext | None = None,
        after: int = 0,
        then: Callable[[socket.socket, Any], None] | None = None,
    ) -> None:
        self._side = side
        self._tls = tls
        self._after = after
        self._then = then
        self.came = self.answered = 0
        self.until = CALLS
        self.close: Callable[[], object] = int

    def __call__(self, connection: socket.socket) -> None:
        """Serve one connection."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with contextlib.closing(connection):
            self._serve(connection, self._side())

    def _serve(self, connection: socket.socket, side: Side) -> None:
        waiting: deque[Any] = deque()
        answers = 0
        connection.sendall(side.greeting)
        while True:
            connection.settimeout(PAUSE_S)
            with contextlib.suppress(TimeoutError):
                said = connection.recv(65_536)
                if not said:
                    return
                requests = side.requests(said)
                self.came += len(requests)
                waiting.extend(requests)
            connection.settimeout(5)
            if waiting and (len(waiting) > HELD or self.came >= self.until):
                request = waiting.popleft()
                self.answered += 1
                answers += 1
                connection.sendall(side.answer(request))
                if answers == self._after and self._then is not None:
                    self._then(connection, request)
                time.sleep(PAUSE_S)


class Kind(NamedTuple):
    """One way to such a provider."""

    side: Callable[[], Side]
    is_tls: bool


KINDS = {
    "dubbo": Kind(DubboSide, is_tls=False),
    "dubbo tls": Kind(DubboSide, is_tls=True),
    "http2": Kind(Http2Side, is_tls=False),
    "http2 tls": Kind(Http2Side, is_tls=True),
}
PLAIN = [KINDS["dubbo"], KINDS["http2"]]


class Counted:
    """Counts what the I/O threads that begin meanwhile do: reads of sockets, and looks by the clock."""

    _NAMES: ClassVar = {Stream.read.__code__: "reads", Pace.tick.__code__: "looks"}

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        del argument
        if event == "call" and (name := self._NAMES.get(frame.f_code)) is not None:
            self.counts[name] += 1

    def __enter__(self) -> Counter[str]:
        threading.setprofile(self._note)
        return self.counts

    def __exit__(self, *_: object) -> None:
        threading.setprofile(None)


@pytest.fixture
def begin(consume: Consume, greeting: Consume, tmp_path: Path) -> Callable[..., tuple[Slow, Callable[..., Any]]]:
    """Start a provider of a kind, and return it with what begins one call at it."""
    certificates = make_certificates(tmp_path)

    def make(stack: contextlib.ExitStack, kind: Kind, **options: Any) -> tuple[Slow, Callable[..., Any]]:
        context = None
        settings: dict[str, Any] = {"timeout": 20_000}
        if kind.is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            if kind.side is Http2Side:
                context.set_alpn_protocols(["h2"])
            settings["ssl"] = {"ca": str(certificates / "ca.pem")}
        slow = Slow(kind.side, context, **options)
        url = stack.enter_context(Peer(slow)).url
        if kind.side is DubboSide:
            consumer = consume(foo_config(url.replace("tri://", "dubbo://"), **settings))
            method = consumer.reference("foo").echo
            argument: dict[str, Any] | None = None
        else:
            consumer = greeting(url, **settings)
            method = consumer.reference("greeter").say_hello
            argument = {"name": "Ann"}
        slow.close = partial(consumer.close, timeout=0)
        stack.callback(slow.close)

        def one(timeout: str | None = None) -> InvocationFuture[Any]:
            called = method if timeout is None else method.with_options(timeout=timeout)
            return called.future(1) if argument is None else called.future(**argument)

        return slow, one

    return make


def in_flight(one: Callable[[], Any], calls: int = CALLS) -> Iterator[Any]:
    """Keep many calls under way, and give each as it is the oldest."""
    running: deque[Any] = deque()
    for _ in range(calls):
        if len(running) >= AT_ONCE:
            yield running.popleft()
        running.append(one())
    yield from running


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_answers_that_come_one_by_one_are_read_together(begin: Any, kind: Kind) -> None:
    """The socket is read far less often than answers come; TLS has a record for each, and is asked for all of them."""
    with contextlib.ExitStack() as stack, Counted() as counts:
        _, one = begin(stack, kind)
        for call in in_flight(one):
            call.result(20)
    assert counts["looks"]
    if not kind.is_tls:
        assert counts["reads"] * 3 < CALLS * 2


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_one_call_after_the_other_is_read_as_it_comes(begin: Any, kind: Kind) -> None:
    """However long it takes, there is nothing to be read together."""
    with contextlib.ExitStack() as stack, Counted() as counts:
        slow, one = begin(stack, kind)
        slow.until = 0
        for _ in range(100):
            one().result(20)
    assert counts["looks"] == 0


@pytest.mark.parametrize("kind", PLAIN, ids=["dubbo", "http2"])
def test_each_call_ends_once_where_the_provider_dies_meanwhile(begin: Any, kind: Kind) -> None:
    """Those that it has answered have their answers, the others are in doubt, and none waits for its timeout."""

    def die(connection: socket.socket, _: Any) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    with contextlib.ExitStack() as stack, Counted() as counts:
        slow, one = begin(stack, kind, after=500, then=die)
        calls = [one() for _ in range(CALLS)]
        ends = [call.exception(20) for call in calls]
    assert counts["looks"]
    assert {type(error) for error in ends} == {type(None), ConnectionLost}
    assert ends.count(None) == slow.answered == 500


@pytest.mark.parametrize("kind", PLAIN, ids=["dubbo", "http2"])
def test_a_call_that_is_never_answered_times_out_among_others(begin: Any, kind: Kind) -> None:
    """Its time is over while the connection is read by the clock; nobody else hears of that."""
    with contextlib.ExitStack() as stack, Counted() as counts:
        slow, one = begin(stack, kind)
        slow.until = CALLS + 1000
        calls = [one() for _ in range(CALLS - HELD)]
        late = [one("1500ms") for _ in range(HELD)]
        assert all(call.exception(20) is None for call in calls)
        assert {type(call.exception(20)) for call in late} == {CallTimeout}
    assert counts["looks"]


@pytest.mark.parametrize("kind", PLAIN, ids=["dubbo", "http2"])
def test_a_consumer_that_closes_meanwhile_ends_its_calls(begin: Any, kind: Kind) -> None:
    """The answers that are there count, and all others end as closed."""
    with contextlib.ExitStack() as stack, Counted() as counts:
        slow, one = begin(stack, kind)
        slow.until = CALLS + 1000
        calls = [one() for _ in range(CALLS)]
        calls[CALLS - 2 * HELD].result(20)
        slow.close()
        ends = Counter(type(call.exception(20)) for call in calls)
    assert counts["looks"]
    assert set(ends) == {type(None), ConsumerClosed}


@pytest.mark.filterwarnings(WARNING)
@pytest.mark.parametrize("kind", PLAIN, ids=["dubbo", "http2"])
def test_a_fork_meanwhile_harms_neither_side(begin: Any, kind: Kind) -> None:
    """The parent's calls are answered; in the child they end as closed, and those of its own are read as they come."""
    with contextlib.ExitStack() as stack:
        _, one = begin(stack, kind)
        calls = [one() for _ in range(CALLS)]
        calls[CALLS - 2 * HELD].result(20)

        def work() -> None:
            assert isinstance(calls[-1].exception(5), ConsumerClosed)
            assert one().exception(5) is None

        assert in_child(work) == 0
        assert all(call.exception(20) is None for call in calls)


def test_a_goodbye_meanwhile_loses_no_call(begin: Any) -> None:
    """Calls at which the provider has not looked go to another connection; the others end over this one."""

    def say_goodbye(connection: socket.socket, stream: int) -> None:
        connection.sendall(goaway(stream + 2 * 100))

    with contextlib.ExitStack() as stack, Counted() as counts:
        _, one = begin(stack, KINDS["http2"], after=500, then=say_goodbye)
        calls = [one() for _ in range(CALLS)]
        assert all(call.exception(20) is None for call in calls)
    assert counts["looks"]
