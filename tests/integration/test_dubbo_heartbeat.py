"""Signs of life, and peers that are about to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.dubbo_bodies import writable_frame
from support.dubbo_peer import DubboPeer, Link, answer_frame, argument, connections_of, echo, foo_config, wait_until
from support.shop import Background

from callahead.consumer import ConnectionLost, Consumer, NoProviderAvailable
from callahead.consumer.wire import (
    Heartbeat,
    HeartbeatAnswer,
    Request,
    heartbeat_frame,
    read_only_frame,
)

Consume = Callable[..., Consumer]


def test_an_idle_connection_sends_heartbeats(consume: Consume) -> None:
    """A connection on which nothing comes asks for a sign of life, and lives on as long as one is given."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url, heartbeat=60))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        link = peer.link()
        wait_until(lambda: link.heartbeats >= 5)
        assert foo.echo(2) == 2
        (connection,) = connections_of(consumer)
        assert (connection.counters.connects, connection.counters.bad_events, len(peer.links)) == (1, 0, 1)


def test_a_busy_connection_sends_none(consume: Consume) -> None:
    """Where bytes come all the time nothing is asked."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(peer.url, heartbeat=300)).reference("foo")
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            foo.echo(1)
            time.sleep(0.005)
        assert peer.link().heartbeats == 0


def test_no_heartbeat_at_all(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """With `heartbeat: 0` nothing is asked, timeouts work, and the I/O thread sleeps."""
    with DubboPeer() as peer:
        foo = consume(foo_config(peer.url, heartbeat=0, timeout=50)).reference("foo")
        assert foo.echo.future(1).exception(5) is not None
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.1
        assert foo.echo.future(1).exception(5) is not None
        assert (peer.link().heartbeats, caplog.records) == (0, [])


def test_the_io_thread_sleeps_after_a_connection_is_lost(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """A lost connection leaves nothing to tick: no error, no busy loop."""
    with DubboPeer(echo) as peer:
        foo = consume(foo_config(peer.url, heartbeat=50)).reference("foo")
        assert foo.echo(1) == 1
        peer.link().hang_up()
        time.sleep(0.15)
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.1
        assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize("mode", ["idle", "a call runs", "a caller leads"])
def test_the_peers_heartbeats_are_answered(consume: Consume, mode: str) -> None:
    """A heartbeat that asks for an answer gets it, with its id, whatever the connection does; others get none."""
    answered: list[Any] = []
    held: list[tuple[Link, Request]] = []

    def ask(link: Link) -> None:
        for event in link.events():
            if isinstance(event, HeartbeatAnswer):
                answered.append(event.id)
            elif isinstance(event, Request):
                if argument(event) == "hold":
                    held.append((link, event))
                else:
                    link.send(answer_frame(event, argument(event)))

    with DubboPeer(ask) as peer:
        foo = consume(foo_config(peer.url)).reference("foo")
        assert foo.echo(1) == 1
        future = foo.echo.future("hold") if mode == "a call runs" else None
        led = Background(foo.echo, "hold") if mode == "a caller leads" else None
        if mode != "idle":
            wait_until(lambda: held)
        link = peer.link()
        link.send(heartbeat_frame(77)[:2] + b"\xa2" + heartbeat_frame(66)[3:])  # one-way
        link.send(heartbeat_frame(77))
        link.send(heartbeat_frame(88))
        wait_until(lambda: len(answered) == 2)
        assert answered == [77, 88]
        for link, request in held:
            link.send(answer_frame(request, "done"))
        assert future is None or future.result(5) == "done"
        assert led is None or led.join() == "done"


@pytest.mark.parametrize("led", [False, True])
def test_a_silent_peer_is_lost(consume: Consume, led: bool) -> None:
    """A peer from which nothing comes for three heartbeats is given up; its calls fail in doubt, the next connects."""

    def silent(link: Link) -> None:
        request = link.next_request()
        link.answer(request, argument(request))
        if len(peer.links) == 1:
            link.wait_closed()
        else:
            echo(link)

    with DubboPeer(silent) as peer:
        foo = consume(foo_config(peer.url, heartbeat=100)).reference("foo")
        assert foo.echo(1) == 1
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match="nothing came for .* 3 heartbeats of 0.1 s") as caught:
            _ = foo.echo(2) if led else foo.echo.future(2).result(5)
        assert time.monotonic() - began > 0.25
        assert caught.value.in_doubt
        assert foo.echo(3) == 3
        assert len(peer.links) == 2


def test_a_heartbeat_answered_with_nonsense(consume: Consume, caplog: pytest.LogCaptureFixture) -> None:
    """What a peer makes of a heartbeat concerns no call: it is counted and logged, and the connection goes on."""

    def nonsense(link: Link) -> None:
        for event in link.events():
            if isinstance(event, Heartbeat):
                link.send(b"\xda\xbb\x22\x63" + event.id.to_bytes(8, "big", signed=True) + b"\0\0\0\3abc")
            elif isinstance(event, Request):
                link.answer(event, argument(event))

    with DubboPeer(nonsense) as peer:
        consumer = consume(foo_config(peer.url, heartbeat=60))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        (connection,) = connections_of(consumer)
        wait_until(lambda: connection.counters.bad_events >= 2)
        assert foo.echo(2) == 2
        assert connection.counters.connects == 1
        assert "a heartbeat was answered with status 99" in caplog.text


def asked(peer: DubboPeer) -> int:
    """Count the calls that a peer got."""
    return sum(link.received.count(b"echo") for link in peer.links)


def test_a_read_only_peer_is_not_chosen(consume: Consume) -> None:
    """A peer that is about to stop gets no further call, its running ones are answered, and it may take it back."""
    with DubboPeer() as stopping, DubboPeer(echo) as other:
        consumer = consume(foo_config(stopping.url, other.url, loadbalance="roundrobin"))
        foo = consumer.reference("foo")
        futures = [foo.echo.future(number) for number in range(4)]
        calls = [stopping.next_call() for _ in range(2)]
        link = calls[0][0]
        link.send(read_only_frame(1))
        link.send(read_only_frame(2))
        providers = consumer._pipelines["foo"].directory.providers
        wait_until(lambda: any(provider.is_read_only for provider in providers))
        assert [foo.echo(number) for number in range(10)] == list(range(10))
        assert stopping.calls.empty()
        for _, request in calls:
            link.answer(request, argument(request))
        assert [future.result(5) for future in futures] == [0, 1, 2, 3]
        link.send(writable_frame(3))
        wait_until(lambda: not any(provider.is_read_only for provider in providers))
        future = [foo.echo.future(number) for number in range(2)]
        link, request = stopping.next_call()
        link.answer(request, argument(request))
        assert [one.result(5) for one in future] == [0, 1]


def test_a_read_only_peer_is_chosen_again_after_a_reconnect(consume: Consume) -> None:
    """The peer closed the connection after its notice, and was started anew: it takes calls again."""

    def stop_first(link: Link) -> None:
        if len(peer.links) > 1:
            echo(link)
        for request in link.requests():
            link.answer(request, argument(request))
            link.send(read_only_frame(1))

    with DubboPeer(stop_first) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        (provider,) = consumer._pipelines["foo"].directory.providers
        wait_until(lambda: provider.is_read_only)
        peer.link().hang_up()
        wait_until(lambda: not provider.is_read_only)
        assert foo.echo(2) == 2
        assert len(peer.links) == 2


@pytest.mark.parametrize("mode", ["sync", "future"])
def test_the_only_provider_is_read_only(consume: Consume, mode: str) -> None:
    """Where the only provider is about to stop the error says so, and nothing is sent."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        peer.link().send(read_only_frame(1))
        (provider,) = consumer._pipelines["foo"].directory.providers
        wait_until(lambda: provider.is_read_only)
        with pytest.raises(NoProviderAvailable) as caught:
            _ = foo.echo(2) if mode == "sync" else foo.echo.future(2).result(5)
        assert caught.value.message.startswith("no provider: none of 1 takes new calls, for they are about to stop; ")
        assert caught.value.not_sent
        assert asked(peer) == 1


def test_a_reference_that_comes_later_knows(consume: Consume) -> None:
    """A reference that begins to share the connection of a stopping peer does not choose it either."""
    with DubboPeer(echo) as peer:
        config = foo_config(peer.url)
        config["references"]["bar"] = foo_config(peer.url)["references"]["foo"]
        consumer = consume(config)
        foo, bar = consumer.reference("foo"), consumer.reference("bar")
        assert foo.echo(1) == 1
        peer.link().send(read_only_frame(1))
        (provider,) = consumer._pipelines["foo"].directory.providers
        wait_until(lambda: provider.is_read_only)
        assert bar.echo(1) == 1  # whoever asks first cannot know yet
        with pytest.raises(NoProviderAvailable):
            bar.echo(2)


@pytest.mark.parametrize("length", [100, 1_000_000, 60_000_000], ids=["held", "held for long", "skipped"])
def test_a_frame_that_does_not_go_on_ends_the_connection(consume: Consume, length: int) -> None:
    """A wrong length swallows the answers to heartbeats, which must not pass for life; the next connection works."""

    def serve(link: Link) -> None:
        request = link.next_request()
        if len(peer.links) == 1:
            link.send(answer_frame(request, 1)[:12] + length.to_bytes(4, "big"))
            for _ in link.requests():  # heartbeats are answered meanwhile
                pass
        else:
            link.answer(request, argument(request))

    with DubboPeer(serve) as peer:
        consumer = consume(foo_config(peer.url, heartbeat=200, timeout="30s", retries=0))
        foo = consumer.reference("foo")
        error = foo.echo.future(1).exception(10)
        if length > 8 * 2**20:  # its call fails at once; what comes behind it is what nobody would hear
            error = foo.echo.future(1).exception(10)
        assert isinstance(error, ConnectionLost)
        assert error.message.startswith("the connection broke: a frame had begun and did not go on for ")
        assert error.in_doubt
        assert foo.echo(2) == 2


def test_a_slow_answer_is_waited_for(consume: Consume) -> None:
    """A frame that grows, however long it takes, is a sign of life."""

    def drip(link: Link) -> None:
        request = link.next_request()
        data = answer_frame(request, "x" * 8000)
        for at in range(0, len(data), 400):
            link.send(data[at : at + 400])
            time.sleep(0.03)

    with DubboPeer(drip) as peer:
        foo = consume(foo_config(peer.url, heartbeat=50, timeout="30s")).reference("foo")
        assert foo.echo(1) == "x" * 8000
