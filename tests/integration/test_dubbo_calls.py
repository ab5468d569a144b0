"""Calls by the dubbo protocol in every mode, with a peer that does as it is told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait
from typing import Any, ClassVar

import pytest
from support.dubbo_peer import (
    DubboPeer,
    Link,
    argument,
    body_of,
    connections_of,
    echo,
    foo_config,
    io_threads,
    wait_until,
)
from support.shop import Background

from callahead.consumer import (
    AllAttemptsFailed,
    CallTimeout,
    ConnectionLost,
    Consumer,
    LimitExceeded,
    RemoteError,
    RpcContext,
)
from callahead.consumer.codec.dubbo import encode_response
from callahead.consumer.codec.hessian2 import JavaThrowable
from callahead.consumer.wire import response_frame

Consume = Callable[..., Consumer]
CONTEXT = RpcContext.get_context()


@pytest.fixture
def peer() -> Iterator[DubboPeer]:
    """A peer whose calls the test answers."""
    with DubboPeer() as made:
        yield made


@pytest.fixture
def echoing() -> Iterator[DubboPeer]:
    """A peer that answers with what it was asked."""
    with DubboPeer(echo) as made:
        yield made


class Noted:
    """An interceptor that notes on which thread each attempt ended."""

    inline = True
    scope = "attempt"
    threads: ClassVar[list[str]] = []

    def on_start(self, invocation: Any) -> None:
        return None

    def on_end(self, token: Any, outcome: Any) -> None:
        self.threads.append(threading.current_thread().name)


@pytest.fixture
def noted() -> Iterator[list[str]]:
    """The names of the threads on which attempts ended."""
    Noted.threads.clear()
    yield Noted.threads
    Noted.threads.clear()


NOTED = f"{__name__}:Noted"


def test_sync(consume: Consume, echoing: DubboPeer) -> None:
    """A synchronous call gives the answer, the first by the I/O thread, and those on the open connection too."""
    foo = consume(foo_config(echoing.url)).reference("foo")
    assert [foo.echo(value) for value in ("a", 1, None, [1, "b"], {"k": 2.5})] == ["a", 1, None, [1, "b"], {"k": 2.5}]


def test_what_is_sent(consume: Consume, peer: DubboPeer) -> None:
    """The request bears path, version, method and types; sync and async calls want an answer, one-way calls none."""
    foo = consume(foo_config(peer.url)).reference("foo")
    foo.ahead("x")
    link, request = peer.next_call()
    body = body_of(request)
    assert (body.path, body.version, body.method) == ("com.alibaba.foo.FooService", "0.0.0", "ahead")
    assert (body.descriptor, body.args, request.two_way) == ("Ljava/lang/Object;", ("x",), True)
    link.answer(request, "y")
    assert CONTEXT.get_future().result(5) == "y"
    foo.tell("z")
    _, request = peer.next_call()
    assert (body_of(request).args, request.two_way) == (("z",), False)


def test_async_answers_in_any_order(consume: Consume, peer: DubboPeer) -> None:
    """Answers that come in random order reach the calls that they answer, each exactly once."""
    foo = consume(foo_config(peer.url)).reference("foo")
    futures = {number: foo.echo.future(number) for number in range(200)}
    calls = [peer.next_call() for _ in futures]
    random.Random(7).shuffle(calls)
    for link, request in calls:
        link.answer(request, argument(request) * 10)
    assert {number: future.result(5) for number, future in futures.items()} == {n: n * 10 for n in range(200)}


def test_sent_returns_once_written(consume: Consume, peer: DubboPeer) -> None:
    """With sent the call returns when the kernel has the request, long before the answer."""
    foo = consume(foo_config(peer.url)).reference("foo")
    assert foo.aheadSent("a") is None
    future = CONTEXT.get_future()
    assert not future.done()
    link, request = peer.next_call()
    link.answer(request, "b")
    assert future.result(5) == "b"


def test_one_way_leaves_nothing_running(consume: Consume, peer: DubboPeer) -> None:
    """A one-way call ends with its writing, sent or not; no future exists, and the connection waits for nothing."""
    consumer = consume(foo_config(peer.url))
    foo = consumer.reference("foo")
    foo.tellSent("a")
    foo.tell("b")
    assert CONTEXT.future is None
    assert [argument(peer.next_call()[1]) for _ in range(2)] == ["a", "b"]
    (connection,) = connections_of(consumer)
    wait_until(lambda: not connection._calls.by_id)


def test_an_answer_to_a_one_way_call_reaches_nobody(consume: Consume, peer: DubboPeer) -> None:
    """A peer that answers what wanted no answer is counted, and disturbs nobody."""
    consumer = consume(foo_config(peer.url))
    foo = consumer.reference("foo")
    foo.tellSent("a")
    link, request = peer.next_call()
    link.answer(request, "unasked")
    (connection,) = connections_of(consumer)
    wait_until(lambda: connection.counters.unknown_answers == 1)
    future = foo.echo.future("x")
    link, request = peer.next_call()
    link.answer(request, "y")
    assert future.result(5) == "y"


def test_an_idle_connection_is_led_by_the_caller(consume: Consume, echoing: DubboPeer, noted: list[str]) -> None:
    """A synchronous call on an open, idle connection is carried by the calling thread, again and again."""
    foo = consume(foo_config(echoing.url, interceptors=[NOTED])).reference("foo")
    foo.echo(0)
    noted.clear()
    for number in range(5):
        foo.echo(number)
    assert noted == ["MainThread"] * 5


class AskAgain:
    """An observer that makes another call, over the same connection, of what the first one gave."""

    again: ClassVar[Callable[[Any], Any]]
    given: ClassVar[list[Any]] = []

    def on_start(self, invocation: Any) -> None:
        return None

    def on_end(self, token: Any, outcome: Any) -> None:
        self.given.append(outcome.value)
        if outcome.value < 3:
            AskAgain.again(outcome.value + 1)


def test_the_end_of_a_led_call_may_call_again(consume: Consume, echoing: DubboPeer) -> None:
    """What users' code does with an answer on the caller's thread may call over the connection that the answer came by.

    The caller has handed the connection over by then, so that neither its own calls nor those of others wait for it.
    """
    foo = consume(foo_config(echoing.url, interceptors=[f"{__name__}:AskAgain"])).reference("foo")
    AskAgain.again = foo.echo.sync
    AskAgain.given.clear()
    assert foo.echo(3) == 3
    assert foo.echo(0) == 0
    assert AskAgain.given == [3, 0, 1, 2, 3]


def test_a_connection_that_the_peer_closes_between_led_calls_is_seen_at_once(
    consume: Consume, echoing: DubboPeer
) -> None:
    """The I/O thread hears that the peer closes though the callers do the reading, so the next call connects anew."""
    consumer = consume(foo_config(echoing.url))
    foo = consumer.reference("foo")
    for number in range(1, 11):
        assert [foo.echo(value) for value in range(3)] == [0, 1, 2]
        (connection,) = connections_of(consumer)
        echoing.link(number).hang_up()
        wait_until(lambda: connection._stream._socket is None)  # noqa: B023 - called at once
    assert connection.counters.connects == 10


def test_what_comes_between_led_calls_is_read_soon(consume: Consume, echoing: DubboPeer) -> None:
    """Some milliseconds after the last led call the I/O thread reads again: a stray answer is counted."""
    consumer = consume(foo_config(echoing.url))
    foo = consumer.reference("foo")
    (connection,) = connections_of(consumer) if foo.echo(1) else ()
    for number in range(1, 4):
        assert foo.echo("led") == "led"
        echoing.link().send(response_frame(number, b"\x92"))
        wait_until(lambda: connection.counters.unknown_answers == number)  # noqa: B023 - called at once


def test_the_caller_leads_again_after_it_handed_over(consume: Consume, peer: DubboPeer, noted: list[str]) -> None:
    """A caller that leads hands over when another call comes, and the next caller on the idle connection leads."""
    foo = consume(foo_config(peer.url, interceptors=[NOTED])).reference("foo")

    def ask(value: Any) -> Background:
        return Background(foo.echo, value)

    first = ask("warm")
    link, request = peer.next_call()
    link.answer(request, "warm")
    first.join()
    leading = ask("leads")
    _, led = peer.next_call()
    future = foo.echo.future("other")
    _, other = peer.next_call()  # it is written although the first one has no answer
    link.answer(other, 1)
    assert future.result(5) == 1
    link.answer(led, 2)
    assert leading.join() == 2
    noted.clear()
    for number in range(3):
        again = ask(number)
        link, request = peer.next_call()
        link.answer(request, number)
        assert again.join() == number
    assert set(noted) == {"background"}


def test_a_retry_does_not_block_the_io_thread(consume: Consume) -> None:
    """A blocking call that is repeated by the I/O thread, on an idle connection, does not make that thread wait."""
    go = threading.Event()

    def cut(link: Link) -> None:
        link.next_request()
        go.wait(5)
        link.hang_up()

    with DubboPeer(cut) as cutting, DubboPeer() as holding, DubboPeer(echo) as quick:
        methods = {"echo": {"idempotent": True}}
        config = foo_config(f"{cutting.url}?weight=100", f"{holding.url}?weight=0", methods=methods, retries=1)
        for name, url in {"bar": holding.url, "baz": quick.url}.items():
            config["references"][name] = foo_config(url)["references"]["foo"]
        consumer = consume(config)
        bar, baz = consumer.reference("bar"), consumer.reference("baz")
        warm = bar.echo.future(0)
        link, request = holding.next_call()
        link.answer(request, 0)
        assert [warm.result(5), baz.echo(0)] == [0, 0]
        call = Background(consumer.reference("foo").echo, "cut")  # a new connection, so the I/O thread carries it
        wait_until(lambda: cutting.links and cutting.links[0].received)
        go.set()
        link, request = holding.next_call()  # the repetition, which gets no answer yet
        assert baz.echo.future("quick").result(2) == "quick"
        link.answer(request, "at last")
        assert call.join() == "at last"


def test_one_io_thread_and_one_socket_per_address(consume: Consume) -> None:
    """All connections of a consumer are served by one thread; references to one address share a socket."""
    with DubboPeer(echo) as first, DubboPeer(echo) as second:
        config = foo_config(first.url)
        for name, url in {"bar": first.url, "baz": second.url}.items():
            config["references"][name] = foo_config(url)["references"]["foo"]
        consumer = consume(config)
        for name in ("foo", "bar", "baz"):
            assert consumer.reference(name).echo(name) == name
            assert consumer.reference(name).echo.future(name).result(5) == name
        assert (len(io_threads()), len(first.links), len(second.links)) == (1, 1, 1)


def test_connections_of_its_own(consume: Consume) -> None:
    """`connections: 3` opens three that no other reference uses, each in turn."""
    with DubboPeer(echo) as peer:
        config = foo_config(peer.url, connections=3)
        config["references"]["bar"] = foo_config(peer.url)["references"]["foo"]
        config["references"]["baz"] = foo_config(peer.url, connections=1)["references"]["foo"]
        consumer = consume(config)
        for number in range(9):
            assert consumer.reference("foo").echo(number) == number
        assert len(peer.links) == 3
        assert consumer.reference("bar").echo(1) == 1
        assert consumer.reference("baz").echo(1) == 1
        assert (len(peer.links), len(io_threads())) == (5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("connections", [0, 2])
@pytest.mark.parametrize("seconds", [1, pytest.param(5, marks=pytest.mark.long)])
def test_many_threads_at_once(consume: Consume, echoing: DubboPeer, connections: int, seconds: float) -> None:
    """Synchronous and asynchronous calls of many threads, mixed on one connection, all get their own answers."""
    consumer = consume(foo_config(echoing.url, connections=connections, timeout=20000))
    foo = consumer.reference("foo")
    until = time.monotonic() + seconds

    def sync(name: str) -> int:
        count = 0
        while time.monotonic() < until:
            assert foo.echo([name, count]) == [name, count]
            count += 1
        return count

    def ahead(name: str) -> int:
        count = 0
        while time.monotonic() < until:
            futures = {number: foo.echo.future([name, number]) for number in range(count, count + 20)}
            for number, future in futures.items():
                assert future.result(20) == [name, number]
            count += 20
            if count % 100 == 0:
                time.sleep(0.003)  # so that others find the connection idle
        return count

    def one_way(name: str) -> int:
        count = 0
        while time.monotonic() < until:
            foo.tell([name, count])
            count += 1
            time.sleep(0.002)
        return 0

    kinds = [sync, sync, sync, ahead, ahead, one_way]
    threads = [Background(kind, f"{kind.__name__}{number}") for number, kind in enumerate(kinds)]
    counts = [thread.join(30) for thread in threads]
    assert min(counts[:5]) > 0
    for connection in connections_of(consumer):
        wait_until(lambda one=connection: not one._calls.by_id)
        assert connection.counters.unknown_answers == 0
        assert connection._outbox.count == 0
        assert connection.counters.connects == 1


@pytest.mark.slow
def test_each_call_arrives_exactly_once(consume: Consume) -> None:
    """Thousands of calls from many threads reach the peer once each."""
    seen: Counter[Any] = Counter()

    def count(link: Link) -> None:
        for request in link.requests():
            value = argument(request)
            seen[value] += 1
            if request.two_way:
                link.answer(request, value)

    with DubboPeer(count) as peer:
        foo = consume(foo_config(peer.url, timeout=20000)).reference("foo")

        def work(first: int) -> None:
            futures = []
            for number in range(first, first + 400):
                if number % 3 == 0:
                    assert foo.echo(number) == number
                elif number % 3 == 1:
                    futures.append(foo.echo.future(number))
                else:
                    foo.tell(number)
            assert [future.result(20) for future in futures] == [n for n in range(first, first + 400) if n % 3 == 1]

        threads = [Background(work, first) for first in range(0, 3200, 400)]
        for thread in threads:
            thread.join(30)
        wait_until(lambda: len(seen) == 3200)
        assert set(seen.values()) == {1}


def test_cancel_before_the_write_keeps_the_frame_off_the_wire(consume: Consume) -> None:
    """Calls cancelled while the peer does not read are never seen by it; those beside them are."""
    go = threading.Event()
    seen: list[Any] = []

    def later(link: Link) -> None:
        go.wait(10)
        for request in link.requests():
            value = argument(request)
            seen.append(value[:4])
            link.answer(request, value[:4])

    with DubboPeer(later, receive_buffer=4096) as peer:
        foo = consume(foo_config(peer.url, timeout=10000)).reference("foo")
        big = foo.echo.future("big " + "x" * 8_000_000)
        wait_until(lambda: peer.links)
        futures = [foo.echo.future(f"{number:04}") for number in range(50)]
        for future in futures[::2]:
            assert future.cancel()
        kept = foo.echo.future("last")
        go.set()
        assert big.result(10) == "big "
        assert kept.result(10) == "last"
        assert [future.result(5) for future in futures[1::2]] == [f"{n:04}" for n in range(1, 50, 2)]
        assert seen == ["big ", *(f"{n:04}" for n in range(1, 50, 2)), "last"]
        for future in futures[::2]:
            with pytest.raises(CancelledError):
                future.result(0)


def test_cancel_after_the_write(consume: Consume, peer: DubboPeer) -> None:
    """A call cancelled while the provider works ends at once; its late answer is counted and reaches nobody."""
    consumer = consume(foo_config(peer.url))
    foo = consumer.reference("foo")
    future = foo.echo.future("a")
    link, request = peer.next_call()
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(0)
    (connection,) = connections_of(consumer)
    wait_until(lambda: not connection._calls.by_id)
    link.answer(request, "late")
    wait_until(lambda: connection.counters.unknown_answers == 1)


@pytest.mark.parametrize("mode", ["first", "led", "future"])
def test_the_deadline(consume: Consume, peer: DubboPeer, mode: str) -> None:
    """A call without an answer ends by its timeout, in doubt, whoever carries it; the late answer is counted."""
    consumer = consume(foo_config(peer.url))
    foo = consumer.reference("foo")
    if mode != "first":
        warm = foo.echo.future(0)
        link, request = peer.next_call()
        link.answer(request, 0)
        warm.result(5)
    began = time.monotonic()
    echo = foo.echo.with_options(timeout=150)
    with pytest.raises(CallTimeout, match=r"no answer within \d+ ms \(timeout 150 ms, call\)") as caught:
        _ = echo.future("a").result(5) if mode == "future" else echo("a")
    assert time.monotonic() - began > 0.14
    assert (caught.value.in_doubt, caught.value.not_sent) == (True, False)
    link, request = peer.next_call()
    link.answer(request, "late")
    (connection,) = connections_of(consumer)
    wait_until(lambda: connection.counters.unknown_answers == 1)
    assert not connection._calls.by_id


def test_a_led_call_expires_in_time_though_others_run(consume: Consume, peer: DubboPeer) -> None:
    """A call handed over by its leader still ends by its own deadline, not by that of the younger calls beside it."""
    foo = consume(foo_config(peer.url, timeout=600)).reference("foo")
    warm = foo.echo.future(0)
    link, request = peer.next_call()
    link.answer(request, 0)
    warm.result(5)
    led = Background(foo.echo, "led")
    peer.next_call()
    time.sleep(0.3)
    other = foo.echo.with_options(timeout="1m").future("other")
    with pytest.raises(CallTimeout):
        led.join(30)
    assert not other.done()
    other.cancel()


def test_a_retry_goes_to_another_provider(consume: Consume, echoing: DubboPeer) -> None:
    """An idempotent call whose connection is cut is answered by the next provider; one that is not fails, in doubt."""

    def cut(link: Link) -> None:
        link.next_request()
        link.hang_up()

    with DubboPeer(cut) as cutting:
        settings: dict[str, Any] = {"retries": 2, "loadbalance": "roundrobin", "outlier": {"enabled": False}}
        methods: dict[str, Any] = {"echo": {"idempotent": True}, "ahead": {"async": False}}
        foo = consume(foo_config(cutting.url, echoing.url, methods=methods, **settings)).reference("foo")
        assert [foo.echo(number) for number in range(6)] == list(range(6))
        assert [foo.echo.future(number).result(5) for number in range(6)] == list(range(6))
        errors = []
        for number in range(6):
            try:
                assert foo.ahead(number) == number
            except ConnectionLost as error:
                errors.append(error)
        assert errors
        for error in errors:
            assert (error.in_doubt, error.not_sent, error.endpoint) == (True, False, cutting.url)


def test_an_error_of_the_method(consume: Consume, peer: DubboPeer) -> None:
    """Status 70 is the method's own failure, raised in the caller and kept in the future."""
    foo = consume(foo_config(peer.url)).reference("foo")
    future = foo.echo.future("a")
    link, request = peer.next_call()
    link.refuse(request, 70, "java.lang.IllegalStateException: no\n\tat Foo.java")
    with pytest.raises(RemoteError) as caught:
        future.result(5)
    assert caught.value.type_name == "java.lang.IllegalStateException"


def test_concurrent_futures_wait(consume: Consume, echoing: DubboPeer) -> None:
    """The futures work with the standard library's wait."""
    foo = consume(foo_config(echoing.url)).reference("foo")
    futures = [foo.echo.future(number) for number in range(100)]
    assert not wait(futures, 10).not_done


def test_large_answers_and_requests(consume: Consume, echoing: DubboPeer) -> None:
    """With the limits raised, values beyond the default 8 MiB come and go, in every mode."""
    limits = {"max_request_bytes": 20_000_000, "max_response_bytes": 20_000_000, "timeout": 20000}
    foo = consume(foo_config(echoing.url, **limits)).reference("foo")
    text = "x" * 9_000_000
    assert foo.echo(text) == text
    assert foo.echo(text) == text  # led
    assert foo.echo.future(text).result(20) == text


def test_a_repeated_attempt_begins_without_attachments_of_the_one_before(consume: Consume) -> None:
    """What the first provider sent beside its refusal is gone when the second attempt ends without an answer."""
    busy = JavaThrowable("org.apache.dubbo.rpc.RpcException", {"code": 7, "detailMessage": "busy"})
    came: list[int] = []

    def serve(link: Link) -> None:
        for request in link.requests():
            came.append(request.id)
            if len(came) == 1:
                link.send(response_frame(request.id, encode_response(busy, {"from": "the first"}, thrown=True)))

    with DubboPeer(serve) as peer:
        foo = consume(foo_config(peer.url, retries=1, timeout=300)).reference("foo")
        with pytest.raises(AllAttemptsFailed) as caught:
            foo.echo(1)
        assert [type(failure) for failure in caught.value.failures] == [LimitExceeded, CallTimeout]
        assert CONTEXT.response_attachments == {}
