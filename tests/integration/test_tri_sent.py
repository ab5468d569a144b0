"""`sent: true` and `return: false` on real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import tri_peers
from support.tri_peers import Peer

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Consumer,
    RemoteError,
    RpcContext,
    RpcError,
)
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
SENT = {"SayHello": {"async": True, "sent": True}}
ONE_WAY = {"SayHello": {"return": False}}
ONE_WAY_SENT = {"SayHello": {"return": False, "sent": True}}


class Drops:
    """An on_drop hook that keeps what it hears."""

    def __init__(self) -> None:
        self.heard = threading.Semaphore(0)
        self.errors: list[BaseException] = []
        self.threads: list[str] = []

    def __call__(self, invocation: Any, error: BaseException) -> None:
        """Keep it."""
        self.errors.append(error)
        self.threads.append(threading.current_thread().name)
        self.heard.release()


def drops_of(consumer: Consumer) -> int:
    """How many failures of the greeter were dropped."""
    return consumer.counts()["greeter"]["SayHello"].dropped


def test_sent_long_before_the_answer(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """With a slow handler the call returns once written, and the answer comes later."""
    greeter = greeting(provider.url, methods=SENT).reference("greeter")
    greeter.say_hello.sync(name="warm")  # connected
    provider.script("SayHello", delay="2s")
    assert greeter.say_hello(name="Ann") is None
    future = RpcContext.get_context().get_future()
    assert not future.done()
    assert future.result(10).message == "Hello, Ann"


def test_sent_to_a_closed_port(greeting: Greeting, closed_port: str) -> None:
    """A closed port raises at the call, at once, and the same error is in the future."""
    greeter = greeting(closed_port, methods=SENT).reference("greeter")
    with pytest.raises(ConnectFailed) as caught:
        greeter.say_hello(name="Ann")
    future = RpcContext.get_context().get_future()
    assert future.exception(0) is caught.value
    assert caught.value.not_sent


def test_sent_to_a_mute_peer(greeting: Greeting) -> None:
    """A peer that accepts and never speaks raises at the call by its deadline, as not sent."""
    with Peer(tri_peers.mute) as peer:
        greeter = greeting(peer.url, methods=SENT, timeout=300, total_timeout="30s").reference("greeter")
        began = time.monotonic()
        with pytest.raises(CallTimeout, match="the request was not sent within 300 ms") as caught:
            greeter.say_hello(name="Ann")
        assert time.monotonic() - began > 0.25
        assert caught.value.not_sent
        assert RpcContext.get_context().get_future().exception(0) is caught.value


def test_a_provider_that_dies_after_sent(greeting: Greeting) -> None:
    """Once sent, a lost connection is only in the future, in doubt."""
    go = threading.Event()

    def die(connection: Any) -> None:
        go.wait(5)
        tri_peers.hang_up(connection)

    with Peer(tri_peers.after_request(die)) as peer:
        greeter = greeting(peer.url, methods=SENT, retries=2).reference("greeter")
        assert greeter.say_hello(name="Ann") is None
        future = RpcContext.get_context().get_future()
        go.set()
        error = future.exception(5)
        assert isinstance(error, ConnectionLost)
        assert (error.not_sent, error.in_doubt) == (False, True)
        assert future.attempts == 1


def test_sent_fails_over_before_it_is_written(greeting: Greeting, closed_port: str, provider: EmbeddedProvider) -> None:
    """A call that waits for "sent" is tried elsewhere while nothing was written."""
    settings = {"methods": SENT, "retries": 1, "loadbalance": "roundrobin"}
    greeter = greeting(closed_port, provider.url, **settings).reference("greeter")
    for _ in range(3):
        assert greeter.say_hello(name="Ann") is None
        assert RpcContext.get_context().get_future().result(5).message == "Hello, Ann"
    assert provider.count() == 3


def test_a_large_sent_request(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A request much larger than the socket's buffers is sent and answered whole."""
    name = "x" * 5_000_000
    greeter = greeting(provider.url, methods=SENT).reference("greeter")
    assert greeter.say_hello(name=name) is None
    assert len(RpcContext.get_context().get_future().result(9).message) == len(name) + 7


def test_a_one_way_call(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """return: false gives None at once while the handler still works, and counts nothing as dropped."""
    provider.script("SayHello", hang=True)
    consumer = greeting(provider.url, methods=ONE_WAY)
    assert consumer.reference("greeter").say_hello(name="Ann") is None
    assert RpcContext.get_context().future is None
    provider.wait_for_calls("SayHello", 1)
    assert drops_of(consumer) == 0


@pytest.mark.parametrize("methods", [ONE_WAY, ONE_WAY_SENT], ids=["return false", "return false, sent"])
def test_a_dropped_failure_of_the_provider(greeting: Greeting, provider: EmbeddedProvider, methods: Any) -> None:
    """What the provider says too late is counted, logged and told to the hook, on a callback thread."""
    drops = Drops()
    provider.script("SayHello", error=("NOT_FOUND", "because"), delay="100ms")
    consumer = greeting(provider.url, methods=methods, options={"on_drop": drops})
    assert consumer.reference("greeter").say_hello(name="Ann") is None
    assert drops.heard.acquire(timeout=5)
    (error,) = drops.errors
    assert isinstance(error, RemoteError)
    assert error.message == "NOT_FOUND: because"
    assert drops.threads[0].startswith("callahead-callback")
    assert drops_of(consumer) == 1


def test_a_dropped_failure_to_connect(greeting: Greeting, closed_port: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without sent a closed port is counted, logged with the line that called, and told to the hook."""
    drops = Drops()
    consumer = greeting(closed_port, methods=ONE_WAY, options={"on_drop": drops})
    assert consumer.reference("greeter").say_hello(name="Ann") is None
    assert drops.heard.acquire(timeout=5)
    assert isinstance(drops.errors[0], ConnectFailed)
    assert drops_of(consumer) == 1
    (line,) = [record.getMessage() for record in caplog.records if "its answer is dropped" in record.getMessage()]
    assert "greeter.SayHello" in line
    assert f"{__file__}:" in line


def test_a_one_way_call_that_waits_for_sent(greeting: Greeting, closed_port: str) -> None:
    """With sent a closed port raises at the call, and is not dropped."""
    drops = Drops()
    consumer = greeting(closed_port, methods=ONE_WAY_SENT, options={"on_drop": drops})
    with pytest.raises(ConnectFailed) as caught:
        consumer.reference("greeter").say_hello(name="Ann")
    assert caught.value.not_sent
    assert RpcContext.get_context().future is None
    assert drops_of(consumer) == 0
    assert drops.errors == []


def test_many_sent_calls_at_once(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Calls that wait for "sent" from many threads all return, and all answers are right."""
    provider.script("SayHello", delay="200ms")
    greeter = greeting(provider.url, methods=SENT).reference("greeter")
    answers: list[str] = []
    errors: list[RpcError] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                greeter.say_hello(name=f"{number}-{turn}")
                answers.append(RpcContext.get_context().get_future().result(9).message)
        except RpcError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert sorted(answers) == sorted(f"Hello, {number}-{turn}" for number in range(10) for turn in range(5))
