"""Closing a consumer while calls run, and what is left of it afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.sockets import sockets

from callahead.consumer import Consumer, ConsumerClosed, RpcContext
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]


def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        threading.Event().wait(0.01)


@pytest.mark.parametrize("failing", [False, True])
def test_nothing_is_left_behind(server: ProviderProcess, failing: bool, closed_port: str, carrier: str) -> None:
    """After calls of every kind and a close, the process has the threads and sockets that it began with."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "retries": 1, "timeout": 5000}
    reference["url"] = closed_port if failing else server.url
    methods = {"SayHello": {"async": True, "sent": True}}
    until(lambda: not any("channel_spin" in thread.name for thread in threading.enumerate()))
    threads, open_before = set(threading.enumerate()), sockets()
    config = {"consumer": {"carrier": carrier}, "references": {"greeter": {**reference, "methods": methods}}}
    with Consumer(config) as consumer:
        greeter = consumer.reference("greeter")
        for call in (
            lambda: greeter.say_hello(name="a"),
            lambda: greeter.say_hello.sync(name="a"),
            lambda: greeter.say_hello.future(name="a").result(5),
            lambda: list(greeter.spell_hello(name="ab")),
            lambda: greeter.gather_hellos([{"name": "a"}]),
            lambda: list(greeter.chat_hello([{"name": "a"}])),
            lambda: greeter.spell_hello(name="ab"),  # dropped before its end
        ):
            try:
                call()
            except ConnectionError:
                raise
            except Exception:
                assert failing
    until(lambda: set(threading.enumerate()) <= threads and sockets() <= open_before)


@pytest.mark.parametrize("sent", [False, True])
def test_close_waits_for_what_runs(greeting: Greeting, provider: EmbeddedProvider, sent: bool) -> None:
    """close() lets running calls of every mode end well within its time, and callbacks run before it returns."""
    provider.script("SayHello", delay="300ms")
    consumer = greeting(provider.url, methods={"SayHello": {"async": True, "sent": sent}})
    say_hello = consumer.reference("greeter").say_hello
    answers: list[str] = []
    blocked = threading.Thread(target=lambda: answers.append(say_hello.sync(name="sync").message))
    blocked.start()
    say_hello(name="async")
    RpcContext.get_context().get_future().add_done_callback(lambda future: answers.append(future.result().message))
    provider.wait_for_calls("SayHello", 2)
    consumer.close(timeout=5)
    blocked.join(5)
    assert sorted(answers) == ["Hello, async", "Hello, sync"]


def test_close_at_once_ends_everything(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """close(timeout=0) ends blocked threads, futures, waits for futures and streams as ConsumerClosed, at once."""
    provider.script("*", hang=True)
    consumer = greeting(provider.url, timeout=60000)
    greeter = consumer.reference("greeter")
    errors: dict[str, BaseException] = {}

    def blocked(name: str, call: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                call()
            except BaseException as error:
                errors[name] = error

        thread = threading.Thread(target=run, name=name)
        thread.start()
        return thread

    threads = [
        blocked("sync", lambda: greeter.say_hello.sync(name="a")),
        blocked("future", lambda: greeter.say_hello.future(name="a").result()),
        blocked("stream", lambda: next(greeter.spell_hello(name="a"))),
        blocked("gather", lambda: greeter.gather_hellos([{"name": "a"}])),
        blocked("chat", lambda: next(greeter.chat_hello([{"name": "a"}]))),
    ]
    for method, count in (("SayHello", 2), ("SpellHello", 1), ("GatherHellos", 1), ("ChatHello", 1)):
        provider.wait_for_calls(method, count)
    consumer.close(timeout=0)
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive(), thread.name
    assert {name: type(error) for name, error in errors.items()} == dict.fromkeys(
        ("sync", "future", "stream", "gather", "chat"), ConsumerClosed
    )
    assert {call.wait_ended(5) for call in provider.calls} == {"CANCELLED"}


def test_close_from_a_callback(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A callback may close its own consumer."""
    consumer = greeting(provider.url)
    closed = threading.Event()

    def close(_: Any) -> None:
        consumer.close(timeout=1)
        closed.set()

    consumer.reference("greeter").say_hello.future(name="a").add_done_callback(close)
    assert closed.wait(5)
    with pytest.raises(ConsumerClosed):
        consumer.reference("greeter")


def test_many_consumers_leave_nothing(provider: EmbeddedProvider, carrier: str) -> None:
    """Fifty consumers, one after the other, end with the sockets and threads of none."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": provider.url}
    config = {"references": {"greeter": {**reference, "carrier": carrier}}}
    before = len(sockets())
    for _ in range(50):
        with Consumer(config) as consumer:
            assert consumer.reference("greeter").say_hello(name="a").message == "Hello, a"
    until(lambda: len(sockets()) <= before)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("callahead")]


def test_an_abandoned_stream_is_reset(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A stream that is dropped in the middle is cancelled at the server."""
    go = threading.Event()

    def spell(request: Any) -> Any:
        for letter in request.name:
            yield {"message": letter}
        go.wait(10)
        yield {"message": "late"}

    provider.serve("helloworld.Greeter", module="helloworld_pb2", SpellHello=spell)
    stream = greeting(provider.url).reference("greeter").spell_hello(name="a")
    assert next(stream).message == "a"
    del stream
    try:
        assert provider.calls[0].wait_ended(5) == "CANCELLED"
    finally:
        go.set()
