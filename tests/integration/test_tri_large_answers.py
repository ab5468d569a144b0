"""Large answers over gRPC are read by those who want them, and hold up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import helloworld_pb2 as pb
import pytest

from callahead.consumer import Consumer, SerializationError
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
LARGE = 100_000
VIEWS: dict[str, dict[str, Any]] = {"future": {}, "sent": {"sent": True}}


class Readers:
    """Reads answers, and notes on which threads; one that is longer than LARGE may be held up."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.has_large = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def read(self, data: bytes) -> Any:
        """Take the place of a message's own ``FromString``."""
        self.names.append(threading.current_thread().name)
        if len(data) > LARGE:
            self.has_large.set()
            assert self.may_go_on.wait(10)
        return pb.HelloReply.FromString(data).message


@pytest.fixture
def readers() -> Iterator[Readers]:
    """Held up no longer than the test takes."""
    made = Readers()
    yield made
    made.may_go_on.set()


class Elsewhere:
    """Calls on from a thread of its own."""

    def intercept(self, invocation: Any, call_next: Callable[[Any], Any]) -> Any:
        """See `Interceptor.intercept`."""
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(call_next(invocation)))
        thread.start()
        thread.join()
        return found[0]


def hello(consumer: Consumer, readers: Readers) -> Any:
    """Make the callable that a stub would have."""
    path, serialize = "/helloworld.Greeter/SayHello", pb.HelloRequest.SerializeToString
    return consumer.channel("greeter").unary_unary(path, serialize, readers.read)


def asking(length: int) -> Any:
    """A request for an answer a little longer than *length*."""
    return pb.HelloRequest(name="x" * length)


@pytest.mark.parametrize("view", VIEWS)
def test_an_async_answer_is_read_on_a_callback_thread(
    greeting: Greeting, provider: EmbeddedProvider, readers: Readers, view: str
) -> None:
    """A small one is read at once, by whoever brings it."""
    call = hello(greeting(provider.url, **VIEWS[view]), readers)
    for length in (LARGE, 1):
        assert len(call.future(asking(length)).result(10)) > length
    large, small = readers.names
    assert large.startswith("callahead-callback")
    assert not small.startswith("callahead-callback")


@pytest.mark.parametrize("view", VIEWS)
def test_others_are_answered_meanwhile(
    greeting: Greeting, provider: EmbeddedProvider, readers: Readers, view: str
) -> None:
    """Those on the same connection, too."""
    call = hello(greeting(provider.url, **VIEWS[view]), readers)
    readers.may_go_on.clear()
    large = call.future(asking(LARGE))
    assert readers.has_large.wait(10)
    assert len(call.future(asking(1)).result(10)) > 1
    assert not large.done()
    readers.may_go_on.set()
    assert len(large.result(10)) > LARGE


@pytest.mark.parametrize("settings", [{}, {"interceptors": [f"{__name__}:Elsewhere"]}], ids=["alone", "intercepted"])
def test_a_blocking_call_reads_its_own_answer(
    greeting: Greeting, provider: EmbeddedProvider, readers: Readers, settings: dict[str, Any]
) -> None:
    """Also where another thread has sent its request."""
    call = hello(greeting(provider.url, **settings), readers)
    assert len(call(asking(LARGE))) > LARGE
    assert readers.names == [threading.current_thread().name]


def test_a_large_answer_that_cannot_be_read(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """The call ends, with the error that a small one has."""

    def refuse(data: bytes) -> Any:
        raise ValueError(len(data))

    path, serialize = "/helloworld.Greeter/SayHello", pb.HelloRequest.SerializeToString
    call = greeting(provider.url).channel("greeter").unary_unary(path, serialize, refuse)
    error = call.future(asking(LARGE)).exception(10)
    assert isinstance(error, SerializationError)
    assert (error.is_remote, error.in_doubt) == (True, True)
