"""What a dubbo call made dies by reference count alone, and a connection keeps nothing of calls that have ended."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.dubbo_peer import DubboPeer, Link, argument, connections_of, echo, foo_config, wait_until

from callahead.consumer import Consumer, RpcError
from callahead.consumer.transport.tcp.call import Call

Consume = Callable[..., Consumer]


class Text(str):
    """An argument that can be watched."""

    __slots__ = ("__weakref__",)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Switch the cycle collector off, so that only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def mixed(link: Link) -> None:
    """Answer, fail, or be silent, as the argument says."""
    for request in link.requests():
        what = argument(request)
        if what == "fail":
            link.refuse(request, 70, "java.lang.IllegalStateException: no")
        elif what == "garbage":
            link.send(b"\xda\xbb\x02\x14" + request.id.to_bytes(8, "big") + b"\0\0\0\1\xff")
        elif what == "cut":
            link.hang_up()
            return
        elif what != "silence" and request.two_way:
            link.answer(request, what)


def run_sync(foo: Any, value: str) -> None:
    foo.echo.with_options(timeout=100)(value)


def run_future(foo: Any, value: str) -> None:
    foo.echo.with_options(timeout=100).future(value).result(5)


def run_sent(foo: Any, value: str) -> None:
    foo.tellSent(value)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("run", [run_sync, run_future, run_sent])
@pytest.mark.parametrize("end", ["answer", "fail", "garbage", "cut", "silence"])
def test_a_call_leaves_nothing(consume: Consume, run: Callable[[Any, str], None], end: str) -> None:
    """Arguments, attempts and errors are gone once the caller lets go of them, however the call ended."""
    with DubboPeer(mixed) as peer:
        consumer = consume(foo_config(peer.url))
        foo = consumer.reference("foo")
        for _ in range(3):
            assert foo.echo("warm") == "warm"
            value = Text(end)
            watched = weakref.ref(value)
            with contextlib.suppress(RpcError):
                run(foo, value)
            del value
            for _ in range(
                2
            ):  # the last calls of this context and of the I/O thread; one may meet the broken connection
                with contextlib.suppress(RpcError):
                    foo.echo.future("again").result(5)
            wait_until(lambda seen=watched: seen() is None, 2)
        (connection,) = connections_of(consumer)
        wait_until(lambda: not connection._calls.by_id)


@pytest.mark.slow
def test_ended_calls_leave_the_queues(consume: Consume) -> None:
    """Behind one slow call thousands come and go: nothing of the connection remembers them."""
    with DubboPeer(mixed) as peer:
        consumer = consume(foo_config(peer.url, timeout=20000))
        foo = consumer.reference("foo")
        slow = foo.echo.future("silence")
        for _ in range(40):
            for future in [foo.echo.future(number) for number in range(100)]:
                future.result(5)
        (connection,) = connections_of(consumer)
        assert (len(connection._calls.by_id), connection._outbox.count, len(connection._outbox._watched)) == (1, 0, 0)
        gc.collect()
        calls = [thing for thing in gc.get_objects() if isinstance(thing, Call)]
        assert len(calls) < 10
        assert slow.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 2])
def test_memory_is_flat(consume: Consume, retries: int) -> None:
    """After thousands of calls of every kind as much is allocated as before."""
    with DubboPeer(echo) as peer:
        consumer = consume(foo_config(peer.url, retries=retries, timeout=20000))
        foo = consumer.reference("foo")

        def work(count: int) -> None:
            for number in range(count):
                foo.echo(number)
                foo.tell(number)
                if number % 10 == 0:
                    for future in [foo.echo.future(number) for _ in range(10)]:
                        future.result(5)
            foo.echo(0)  # the peer, whose memory counts as well, has read what went before
            gc.collect()

        work(200)
        peer.link().received.clear()
        tracemalloc.start()
        try:
            work(100)
            peer.link().received.clear()
            before = tracemalloc.get_traced_memory()[0]
            work(300)
            peer.link().received.clear()
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert after - before < 60_000
