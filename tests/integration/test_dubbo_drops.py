"""Connections that break at every position of a frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.dubbo_peer import (
    DubboPeer,
    Link,
    answer_frame,
    argument,
    connections_of,
    deaf,
    echo,
    foo_config,
    wait_until,
)

from callahead.consumer import AllAttemptsFailed, ConnectionLost, Consumer, RpcError

Consume = Callable[..., Consumer]
Cut = Callable[[Link], None]
CUTS: dict[str, Cut] = {"FIN": Link.hang_up, "RST": Link.reset}


def request_size(consume: Consume) -> int:
    """Measure the frame of ``echo(1)``."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        assert foo.echo(1) == 1
        return len(peer.link().received)


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("mode", ["sync", "future"])
def test_a_peer_that_closes_at_every_byte_of_a_request(consume: Consume, cut: str, mode: str) -> None:
    """Wherever the peer stops reading and closes, the call fails at once and in doubt; the next one connects."""
    size = request_size(consume)
    at = 0

    def serve(link: Link) -> None:
        while len(link.received) < at:
            if not link.read(at - len(link.received)):
                return
        CUTS[cut](link)

    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        for at in range(1, size + 1):
            with pytest.raises(ConnectionLost) as caught:
                _ = foo.echo(1) if mode == "sync" else foo.echo.future(1).result(5)
            assert (caught.value.in_doubt, caught.value.not_sent) == (True, False), at
        wait_until(lambda: len(peer.links) == size)


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("mode", ["sync", "led", "future"])
def test_a_peer_that_closes_at_every_byte_of_an_answer(consume: Consume, cut: str, mode: str) -> None:
    """A part of an answer is no answer: the call fails at once, in doubt; only the whole frame counts."""
    at = 0
    outcomes: list[Any] = []

    def serve(link: Link) -> None:
        for request in link.requests():
            frame = answer_frame(request, argument(request))
            if argument(request) == "warm":
                link.send(frame)
            else:
                size.append(len(frame))
                link.send(frame[:at])
                if at < len(frame):
                    CUTS[cut](link)
                    return

    size: list[int] = []
    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        while not size or at < size[0]:
            if mode == "led":
                assert foo.echo("warm") == "warm"
            error: Any = None
            try:
                outcomes.append(foo.echo(1) if mode != "future" else foo.echo.future(1).result(5))
            except ConnectionLost as caught:
                error = caught
            assert error is not None
            assert (error.in_doubt, error.not_sent) == (True, False), at
            at += 1
        assert foo.echo(1) == 1
        assert outcomes == []


def test_all_pending_calls_fail_at_once(consume: Consume) -> None:
    """Of many calls on a connection that breaks each fails at once: in doubt where its request has begun to leave."""

    def serve(link: Link) -> None:
        for request in link.requests():
            if argument(request) == 49:
                link.hang_up()
                return

    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        futures = [foo.echo.future(number) for number in range(50)]
        errors = [future.exception(5) for future in futures]
        assert {type(error) for error in errors} == {ConnectionLost}
        assert all(error.in_doubt and not error.not_sent for error in errors)  # type: ignore[union-attr]


@pytest.mark.parametrize("cut", CUTS)
def test_what_has_not_begun_to_leave_is_not_sent(consume: Consume, cut: str) -> None:
    """Behind a request that got stuck halfway the others are not sent when the connection breaks."""
    with DubboPeer(deaf, receive_buffer=4096) as stuck:
        consumer = consume(foo_config(stuck.url, timeout=10000))
        foo = consumer.reference("foo")
        small = [foo.echo.future(number) for number in range(3)]
        (connection,) = connections_of(consumer)
        wait_until(lambda: connection._outbox.written == 3)
        big = foo.echo.future("x" * 8_000_000)
        behind = [foo.echo.future(number) for number in range(5)]
        wait_until(lambda: connection._outbox.begun == 4 and connection._outbox.last == 9)
        CUTS[cut](stuck.link())
        for future in (*small, big):
            error = future.exception(5)
            assert isinstance(error, ConnectionLost)
            assert (error.in_doubt, error.not_sent) == (True, False)
        for future in behind:
            error = future.exception(5)
            assert isinstance(error, ConnectionLost)
            assert (error.in_doubt, error.not_sent) == (False, True)


def test_failover_repeats_what_was_not_sent(consume: Consume) -> None:
    """Calls that are not idempotent are repeated elsewhere where their request never left, and only there."""
    with DubboPeer(deaf, receive_buffer=4096) as stuck, DubboPeer(echo) as other:
        config = foo_config(stuck.url, other.url, timeout=10000, retries=1, loadbalance="roundrobin")
        consumer = consume(config)
        foo = consumer.reference("foo")
        futures = [foo.echo.future("x" * 8_000_000)]
        if connections_of(consumer)[0].name != stuck.name:
            assert futures.pop().result(10)
            futures = [foo.echo.future("x" * 8_000_000)]
        (connection,) = [one for one in connections_of(consumer) if one.name == stuck.name]
        wait_until(lambda: connection._outbox.begun == 1)
        behind = [foo.echo.future(number) for number in range(20)]
        wait_until(lambda: connection._outbox.last == 11)
        stuck.link().reset()
        assert isinstance(futures[0].exception(10), ConnectionLost)
        assert [future.result(10) for future in behind] == list(range(20))


@pytest.mark.parametrize(("idempotent", "count"), [(True, 2), (False, 1)])
def test_only_what_is_idempotent_is_repeated_in_doubt(consume: Consume, idempotent: bool, count: int) -> None:
    """A call whose connection broke after the request is repeated only where the method may run twice."""

    def serve(link: Link) -> None:
        link.next_request()
        link.hang_up()

    with DubboPeer(serve) as first, DubboPeer(serve) as second:
        methods = {"echo": {"idempotent": idempotent}}
        foo = consume(foo_config(first.url, second.url, retries=1, methods=methods)).reference("foo")
        for call in (foo.echo, lambda value: foo.echo.future(value).result(5)):
            before = len(first.links) + len(second.links)
            with pytest.raises(RpcError) as caught:
                call(1)
            assert isinstance(caught.value, AllAttemptsFailed if idempotent else ConnectionLost)
            assert caught.value.in_doubt
            wait_until(lambda seen=before: len(first.links) + len(second.links) == seen + count)


def test_an_idle_connection_that_breaks_is_made_anew(consume: Consume) -> None:
    """A connection that broke while nothing ran costs no call."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        for number in range(5):
            assert foo.echo(number) == number
            peer.link(number + 1).hang_up()
            (connection,) = connections_of(consumer)
            wait_until(lambda one=connection: one._stream._socket is None)


def test_writing_to_a_reset_connection_is_not_sent(consume: Consume) -> None:
    """Where the kernel refuses the first byte of a request, the provider cannot have it."""

    def one(link: Link) -> None:
        request = link.next_request()
        link.answer(request, argument(request))

    with DubboPeer(one) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        (connection,) = connections_of(consumer)
        entered, go = threading.Event(), threading.Event()

        def hold(_: Any) -> None:
            entered.set()
            go.wait(5)

        connection._thread.post(hold, None)  # the I/O thread sleeps over the reset
        assert entered.wait(5)
        future = foo.echo.future(2)
        peer.link().reset()
        time.sleep(0.05)
        go.set()
        error = future.exception(5)
        assert isinstance(error, ConnectionLost)
        assert (error.not_sent, error.in_doubt) == (True, False)
