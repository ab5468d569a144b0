"""The end of connections: consumers that close, providers that leave."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.dubbo_peer import (
    INTERFACE,
    DubboPeer,
    argument,
    connections_of,
    deaf,
    echo,
    foo_config,
    io_threads,
    mute,
    wait_until,
)
from support.shop import Background

from callahead.consumer import Consumer, ConsumerClosed, RpcContext, RpcError
from callahead.registry.memory import MemoryRegistry, MemorySpace

Consume = Callable[..., Consumer]
CONTEXT = RpcContext.get_context()


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    """An empty memory registry."""
    with MemoryRegistry.named("dubbo-closing") as made:
        yield made


def registered(consume: Consume, **settings: Any) -> Consumer:
    """Make a consumer that looks its providers up."""
    config = foo_config(registry="main", **settings)
    return consume({"registries": {"main": {"address": "memory://dubbo-closing"}}, **config})


def warm(peer: DubboPeer, foo: Any) -> None:
    """Let the connection be open and idle."""
    future = foo.echo.future("warm")
    link, request = peer.next_call()
    link.answer(request, "warm")
    assert future.result(5) == "warm"


@pytest.mark.parametrize("led", [False, True])
def test_close_waits_for_running_calls(consume: Consume, led: bool) -> None:
    """Close lets calls that run end with their answers, then every thread and socket is gone."""
    with DubboPeer() as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        warm(peer, foo)
        call = Background(foo.echo, 1) if led else Background(lambda: foo.echo.future(1).result(5))
        link, request = peer.next_call()
        closing = Background(consumer.close, 5)
        time.sleep(0.05)
        assert closing.is_running
        link.answer(request, "answer")
        assert call.join() == "answer"
        closing.join()
        assert io_threads() == []
        link.wait_closed()


@pytest.mark.parametrize("mode", ["first", "led", "future"])
def test_close_ends_calls_that_do_not(consume: Consume, mode: str) -> None:
    """Without time to wait, running calls end as ConsumerClosed at once, whoever carries them."""
    with DubboPeer() as peer:
        consumer = consume(foo_config(peer.url, timeout=20000))
        foo = consumer.reference("foo")
        if mode != "first":
            warm(peer, foo)
        call = Background(foo.echo.future(1).result if mode == "future" else lambda: foo.echo(1))
        peer.next_call()
        consumer.close(0)
        with pytest.raises(ConsumerClosed):
            call.join()
        assert io_threads() == []


@pytest.mark.parametrize("serve", [mute, deaf])
def test_close_under_many_calls(consume: Consume, serve: Any) -> None:
    """Thousands of calls, written or queued, all end when the consumer is closed."""
    with DubboPeer(serve, receive_buffer=4096) as peer:
        consumer = consume(foo_config(peer.url, timeout=20000))
        foo = consumer.reference("foo")
        futures = [foo.echo.future("x" * 2000) for _ in range(3000)]
        consumer.close(0)
        for future in futures:
            with pytest.raises(RpcError):
                future.result(5)


def test_close_while_connecting(consume: Consume) -> None:
    """A consumer that is closed while it connects leaves neither socket nor thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        url = f"dubbo://127.0.0.1:{listener.getsockname()[1]}"
        consumers = [consume(foo_config(url, timeout=20000)) for _ in range(4)]
        futures = [consumer.reference("foo").echo.future(1) for consumer in consumers]
        for consumer in consumers:
            consumer.close(0)
        for future in futures:
            with pytest.raises(ConsumerClosed):
                future.result(5)


def test_calls_after_close(consume: Consume) -> None:
    """A closed consumer refuses every call, and close may be called again from any thread."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        assert foo.echo(1) == 1
        for _ in range(3):
            Background(consumer.close, 0).join()
        for method in (foo.echo, foo.ahead, foo.tell):
            with pytest.raises(ConsumerClosed):
                method(1)


def test_close_from_a_callback(consume: Consume) -> None:
    """A callback of a dubbo call may close the consumer."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url))
        closed = threading.Event()

        def close(_: Any) -> None:
            consumer.close(1)
            closed.set()

        consumer.reference("foo").echo.future(1).add_done_callback(close)
        assert closed.wait(5)


@pytest.mark.parametrize("led", [False, True])
def test_a_provider_that_leaves_finishes_its_calls(consume: Consume, space: MemorySpace, led: bool) -> None:
    """Calls that run when their provider leaves the registry are answered; then its connection is closed."""
    with DubboPeer() as leaving, DubboPeer(echo) as staying:
        space.publish(INTERFACE, [leaving.url])
        consumer = registered(consume)
        foo = consumer.reference("foo")
        warm(leaving, foo)
        call = Background(foo.echo, "running") if led else Background(foo.echo.future("running").result)
        link, request = leaving.next_call()
        space.publish(INTERFACE, [staying.url])
        assert [foo.echo(number) for number in range(5)] == list(range(5))
        assert leaving.calls.empty()
        link.answer(request, "finished")
        assert call.join() == "finished"
        link.wait_closed()
        wait_until(lambda: len(connections_of(consumer)) == 1)


def test_an_idle_connection_of_a_provider_that_leaves_is_closed(consume: Consume, space: MemorySpace) -> None:
    """Nothing is kept of a provider that leaves, and it is connected anew when it comes back."""
    with DubboPeer(echo) as peer:
        space.publish(INTERFACE, [peer.url])
        consumer = registered(consume, check=False)
        foo = consumer.reference("foo")
        for round_ in range(1, 4):
            assert foo.echo(round_) == round_
            assert len(peer.links) == round_
            space.publish(INTERFACE, [])
            wait_until(lambda: not connections_of(consumer))
            peer.link(round_).wait_closed()
            space.publish(INTERFACE, [peer.url])


def test_a_shared_connection_outlives_one_of_its_references(consume: Consume, space: MemorySpace) -> None:
    """A connection is closed with the last reference that uses it."""
    with DubboPeer(echo) as peer:
        space.publish(INTERFACE, [peer.url])
        config = foo_config(registry="main")
        config["references"]["bar"] = foo_config(peer.url)["references"]["foo"]
        consumer = consume({"registries": {"main": {"address": "memory://dubbo-closing"}}, **config})
        foo, bar = consumer.reference("foo"), consumer.reference("bar")
        assert [foo.echo(1), bar.echo(2)] == [1, 2]
        space.publish(INTERFACE, [])
        assert bar.echo(3) == 3
        assert len(peer.links) == 1


def test_one_way_calls_are_written_before_the_connection_closes(consume: Consume, space: MemorySpace) -> None:
    """A provider that leaves still gets the one-way calls that were made before, and its connection closes then."""
    with DubboPeer() as peer:
        space.publish(INTERFACE, [peer.url])
        consumer = registered(consume, check=False)
        foo = consumer.reference("foo")
        warm(peer, foo)
        for number in range(100):
            foo.tell(number)
        space.publish(INTERFACE, [])
        assert [argument(peer.next_call()[1]) for _ in range(100)] == list(range(100))
        peer.link().wait_closed()


@pytest.mark.slow
def test_providers_that_come_and_go_under_load(consume: Consume, space: MemorySpace) -> None:
    """While providers leave and return, sync and async calls all get their answers: none is lost, none fails."""
    with DubboPeer(echo) as first, DubboPeer(echo) as second, DubboPeer(echo) as third:
        urls = [first.url, second.url, third.url]
        space.publish(INTERFACE, urls)
        consumer = registered(consume, retries=2, timeout=10000)
        foo = consumer.reference("foo")
        until = time.monotonic() + 2

        def work(name: int) -> int:
            count = 0
            while time.monotonic() < until:
                assert foo.echo([name, count]) == [name, count]
                futures = [foo.echo.future(number) for number in range(5)]
                assert [future.result(10) for future in futures] == list(range(5))
                count += 1
            return count

        threads = [Background(work, name) for name in range(3)]
        turn = 0
        while time.monotonic() < until:
            space.publish(INTERFACE, [urls[turn % 3], urls[(turn + 1) % 3]])
            turn += 1
            time.sleep(0.01)
        assert all(thread.join(20) for thread in threads)


@pytest.mark.slow
def test_nothing_is_left_after_many_consumers() -> None:
    """Consumers that come and go, with open, broken and refused connections, leave no descriptor and no thread."""
    with DubboPeer(echo) as peer:

        def one() -> None:
            with Consumer(foo_config(peer.url, "dubbo://127.0.0.1:1", retries=1, connections=2)) as consumer:
                foo = consumer.reference("foo")
                for number in range(4):
                    assert foo.echo(number) == number
                    assert foo.echo.future(number).result(5) == number

        def descriptors() -> int:
            return len(os.listdir("/proc/self/fd")) - len(peer.links)  # the peer keeps its side of each

        one()
        before = wait_until(descriptors)
        for _ in range(10):
            one()
        assert io_threads() == []
        wait_until(lambda: descriptors() <= before)
