"""Handlers, listeners and outcomes over each protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from support.shop import Spy

from callahead.consumer import CallTimeout, Consumer, Outcome, RemoteError, RpcError
from callahead.consumer.testing import EmbeddedProvider

PROTOCOLS = ("tri", "http2", "dubbo", "python")


class Client:
    """A blocking client of this process."""

    def __init__(self) -> None:
        self.hangs = False
        self.over = threading.Event()

    def hang(self) -> None:
        """Let no call end from now on."""
        self.hangs = True

    def SayHello(self, name: str) -> str:
        if self.hangs:
            self.over.wait(20)
        if name == "fail":
            raise RemoteError("mine", type_name="Mine")
        return name


class Greeter:
    """One method over one protocol."""

    def __init__(self, protocol: str, consumer: Consumer, reference: Any, hang: Callable[[], None]) -> None:
        self.protocol = protocol
        self.consumer = consumer
        self.hello = reference.SayHello
        self.hang = hang

    def call(self, method: Any, name: Any) -> Any:
        """Call *method*, in the manner of the protocol."""
        return method(name=name) if self.protocol == "tri" else method(name)


def answer(name: str) -> str:
    if name == "fail":
        raise RemoteError("mine", type_name="Mine")
    return name


@pytest.fixture(params=PROTOCOLS)
def greeter(request: pytest.FixtureRequest) -> Iterator[Greeter]:
    """Serve and call it; ``http2`` is ``tri`` by that carrier."""
    carrier = "http2" if request.param == "http2" else "grpcio"
    protocol = "tri" if request.param == "http2" else request.param
    base: dict[str, Any] = {"timeout": 20_000, "retries": 0}
    if protocol == "python":
        client = Client()
        with Consumer({"references": {"greeter": {**base, "protocol": "python"}}}) as consumer:
            yield Greeter(protocol, consumer, consumer.wrap("greeter", client), client.hang)
            client.over.set()
        return
    with EmbeddedProvider(protocol=protocol) as provider:
        if protocol == "tri":
            types: dict[str, Any] = {"module": "helloworld_pb2", "carrier": carrier}
            provider.serve(
                "helloworld.Greeter",
                module="helloworld_pb2",
                SayHello=lambda asked: {"message": answer(asked.name)},
            )
        else:
            types = {"methods": {"SayHello": {"parameter_types": ["java.lang.String"]}}}
            provider.serve("helloworld.Greeter", SayHello=answer)
        reference = {**base, **types, "interface": "helloworld.Greeter", "url": provider.url}
        with Consumer({"references": {"greeter": reference}}) as consumer:
            hang = partial(provider.script, "SayHello", hang=True)
            yield Greeter(protocol, consumer, consumer.reference("greeter"), hang)


def outcome_of(greeter: Greeter, name: Any, **options: Any) -> Outcome:
    """What the handler of one call hears; it hears once."""
    handler = Spy()
    future = greeter.call(greeter.hello.with_options(handler=handler, **options).future, name)
    handler.wait()
    assert future.done()
    assert greeter.consumer.wait_idle(20)
    [(_, _, outcome, _)] = handler.calls
    assert isinstance(outcome, Outcome)
    return outcome


def test_an_answer_is_heard(greeter: Greeter) -> None:
    """With the very value that the future has."""
    result = outcome_of(greeter, "ann").result
    assert getattr(result, "message", result) == "ann"


def test_a_failure_is_heard(greeter: Greeter) -> None:
    """With the error of the provider's method."""
    assert isinstance(outcome_of(greeter, "fail").error, RpcError)


@pytest.mark.parametrize(
    "greeter", ["tri", "http2", "dubbo"], indirect=True
)  # nothing is encoded for a client in this process
def test_what_cannot_be_encoded_is_heard(greeter: Greeter) -> None:
    """Though nothing was sent."""
    error = outcome_of(greeter, object()).error
    assert isinstance(error, RpcError)
    assert error.not_sent


def test_outcome_is_the_class_of_both(greeter: Greeter) -> None:
    """A synchronous call's outcome is what a handler gets."""
    outcome = greeter.call(greeter.hello.outcome, "fail")
    assert type(outcome) is type(outcome_of(greeter, "fail"))
    assert not outcome.is_success


def test_a_timeout_is_heard(greeter: Greeter) -> None:
    """Once, though the provider never answers."""
    greeter.hang()
    assert isinstance(outcome_of(greeter, "ann", timeout=30).error, CallTimeout)
