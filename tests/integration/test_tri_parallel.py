"""Many calls at once: they overlap, they keep their contexts apart, and they cost no thread each."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import pytest

from callahead.consumer import Consumer, RpcContext
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

Consume = Callable[..., Consumer]
NUMBER: contextvars.ContextVar[int] = contextvars.ContextVar("NUMBER")


@pytest.mark.slow
def test_two_calls_overlap(consume: Consume, own_server: Callable[..., ProviderProcess]) -> None:
    """Calls of 0.5 s and 0.6 s take the sum when synchronous, and far less ahead: the best of five against the sum."""
    urls = own_server("shop", "500ms", "600ms").urls

    def config(is_async: bool) -> dict[str, Any]:
        foo = {"interface": "com.alibaba.foo.FooService", "url": urls["foo"], "module": "callahead.conf.foo_pb2"}
        bar = {"interface": "com.alibaba.bar.BarService", "url": urls["bar"], "module": "callahead.conf.bar_pb2"}
        return {
            "consumer": {"timeout": 5000, "async": is_async},
            "references": {"fooService": foo, "barService": bar},
        }

    def call_site(consumer: Consumer) -> float:
        foo, bar, context = consumer.reference("fooService"), consumer.reference("barService"), RpcContext.get_context()
        began = time.monotonic()
        found_foo = foo.find_foo(foo_id=1)
        foo_future = context.future
        found_bar = bar.find_bar(bar_id=2)
        bar_future = context.future
        found_foo = foo_future.result() if foo_future is not None else found_foo
        found_bar = bar_future.result() if bar_future is not None else found_bar
        took = time.monotonic() - began
        assert (found_foo.name, found_bar.name) == ("foo", "bar")
        return took

    ahead = consume(config(True))
    best = min(call_site(ahead) for _ in range(5))
    one_by_one = call_site(consume(config(False)))
    assert one_by_one >= 1.1
    assert 0.6 <= best < 0.8 * one_by_one


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"connections": 4}], ids=["shared connection", "four connections"])
def test_a_thousand_parallel_calls(
    greeting: Consume, own_server: Callable[..., ProviderProcess], settings: dict[str, Any]
) -> None:
    """1,000 calls of 50 ms from one thread all get their own answer, with a bounded number of threads."""
    greeter = greeting(own_server("slow_greeter", "50ms").url, timeout=40000, **settings).reference("greeter")
    greeter.say_hello.sync(name="warm")
    before = threading.active_count()
    began = time.monotonic()
    futures = [greeter.say_hello.future(name=str(number)) for number in range(1000)]
    most = threading.active_count()
    assert not wait(futures, 40).not_done
    took = time.monotonic() - began
    assert [future.result(0).message for future in futures] == [f"Hello, {number}" for number in range(1000)]
    assert most - before <= 12
    assert took < 40  # one after the other they would take 50 s


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "count"), [(False, 1000), (True, 1000), pytest.param(False, 10_000, marks=pytest.mark.long)]
)
def test_callbacks_keep_their_contexts_apart(
    greeting: Consume, provider: EmbeddedProvider, sent: bool, count: int
) -> None:
    """Each of many interleaved calls' callbacks sees its own context variable, and none runs on grpcio's threads."""
    methods = {"SayHello": {"async": True, "sent": sent}}
    greeter = greeting(provider.url, timeout=60000, methods=methods).reference("greeter")
    seen: list[tuple[int, int, str, str]] = []
    left = threading.Semaphore(0)
    running = threading.Semaphore(200)

    def note(number: int, future: Any) -> None:
        context = RpcContext.get_context()
        mine = context.future is future and NUMBER.get() == number
        seen.append((number, NUMBER.get() if mine else -1, future.result(0).message, threading.current_thread().name))
        running.release()
        left.release()

    def begin(number: int) -> None:
        NUMBER.set(number)
        greeter.say_hello(name=str(number))
        future = RpcContext.get_context().get_future()
        future.add_done_callback(lambda future: note(number, future))

    def work(first: int) -> None:
        for number in range(first, count, 4):
            running.acquire(timeout=30)
            contextvars.copy_context().run(begin, number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for _ in range(count):
        assert left.acquire(timeout=30)
    assert sorted(number for number, *_ in seen) == list(range(count))
    assert [one for one in seen if one[0] != one[1] or one[2] != f"Hello, {one[0]}"] == []
    assert {name.rpartition("_")[0] for *_, name in seen} == {"callahead-callback"}


def test_attachments_of_parallel_threads(greeting: Consume, provider: EmbeddedProvider) -> None:
    """Attachments of one thread's calls never travel with another's."""
    greeter = greeting(provider.url).reference("greeter")

    def work(number: int) -> None:
        for _ in range(20):
            RpcContext.get_context().attachments["x-number"] = str(number)
            greeter.say_hello(name=str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert provider.count() == 160
    assert {call.attachments["x-number"] == call.request.name for call in provider.calls} == {True}
