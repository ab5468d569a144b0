"""One chain for each reference and method, however often a stub is made of its channel."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest

from callahead.consumer import Consumer, ConsumerClosed, LimitExceeded, RpcContext
from callahead.consumer.testing import EmbeddedProvider, ProviderCall, ProviderProcess

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]


def ann() -> Any:
    """A request."""
    return pb.HelloRequest(name="Ann")


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    """Serves Greeter; it answers by the tenant that the request names, if any."""

    def hello(request: Any, call: ProviderCall) -> Any:
        return {"message": call.attachments.get("tenant", request.name)}

    with EmbeddedProvider() as serving:
        serving.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=hello)
        yield serving


class Passing(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """What `grpc.intercept_channel` is given; with it, grpcio asks the channel anew for every call."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)


def test_all_stubs_share_one_limit(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A place that one stub has taken is taken for every other, and for the reference itself."""
    consumer = greeting(provider.url, methods={"SayHello": {"actives": 1}})
    provider.script("SayHello", hang=True, times=1)
    held = pb_grpc.GreeterStub(consumer.channel("greeter")).SayHello.future(ann())
    for call in (
        pb_grpc.GreeterStub(consumer.channel("greeter")).SayHello,
        pb_grpc.GreeterStub(grpc.intercept_channel(consumer.channel("greeter"), Passing())).SayHello,
        consumer.reference("greeter").say_hello.sync,
    ):
        with pytest.raises(LimitExceeded, match="the most that actives allows"):
            call(ann())
    assert held.cancel()


def test_turns_go_on_from_stub_to_stub(greeting: Greeting) -> None:
    """Round robin among two providers gives each half, though every call has a stub of its own."""
    with EmbeddedProvider() as one, EmbeddedProvider() as two:
        for provider, name in ((one, "one"), (two, "two")):
            provider.serve(
                "helloworld.Greeter", module="helloworld_pb2", SayHello=lambda _, name=name: {"message": name}
            )
        consumer = greeting(one.url, two.url, loadbalance="roundrobin")
        channel = grpc.intercept_channel(consumer.channel("greeter"), Passing())
        answers = [pb_grpc.GreeterStub(channel).SayHello(ann()).message for _ in range(10)]
    assert sorted(answers) == ["one"] * 5 + ["two"] * 5


def test_all_calls_are_counted_together(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """By stub and by reference."""
    consumer = greeting(provider.url)
    for _ in range(3):
        pb_grpc.GreeterStub(consumer.channel("greeter")).SayHello(ann())
    consumer.reference("greeter").say_hello(ann())
    assert consumer.counts()["greeter"]["SayHello"].calls == 4


def test_a_stub_for_each_request_leaves_nothing(greeting: Greeting, server: ProviderProcess) -> None:
    """Whatever serializers and timeouts it comes with."""
    consumer = greeting(server.url)
    channel = consumer.channel("greeter")

    def call(number: int) -> None:
        encode, decode = pb.HelloRequest.SerializeToString, lambda data: pb.HelloReply.FromString(data)
        path = "/helloworld.Greeter/SayHello"
        channel.unary_unary(path, encode, decode)(ann(), timeout=5 + number / 1000)

    for number in range(200):
        call(number)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(200, 700):
            call(number)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 500 * 400, f"{grown / 500:.0f} bytes stay for each stub"


def test_attachments_have_one_order_in_every_kind_of_call(greeting: Greeting) -> None:
    """Those of the context go before those of the configuration, for a stream of a stub as for a plain call."""
    seen: list[str] = []

    def noted(request: Any, call: ProviderCall) -> Any:
        seen.append(call.attachments["tenant"])
        return {"message": request.name}

    with EmbeddedProvider() as provider:
        provider.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=noted)
        consumer = greeting(provider.url, parameters={"tenant": "configured"})
        stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
        calls: list[Callable[[], Any]] = [
            lambda: consumer.reference("greeter").say_hello(ann()),
            lambda: consumer.reference("greeter").say_hello.future(ann()).result(5),
            lambda: stub.SayHello(ann()),
            lambda: stub.SayHello.future(ann()).result(5),
        ]
        for call in calls:
            call()
            RpcContext.get_context().attachments["tenant"] = "mine"
            call()
    assert seen == ["configured", "mine"] * len(calls)


def test_every_kind_of_call_is_refused_after_close(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """In one place, with the name of the call."""
    consumer = greeting(provider.url)
    stub, greeter = pb_grpc.GreeterStub(consumer.channel("greeter")), consumer.reference("greeter")
    calls = {
        "SayHello": (greeter.SayHello, greeter.SayHello.future, stub.SayHello, stub.SayHello.future),
        "SpellHello": (greeter.SpellHello, stub.SpellHello),
        "GatherHellos": (greeter.GatherHellos, stub.GatherHellos, stub.GatherHellos.future),
    }
    consumer.close()
    for name, ways in calls.items():
        for call in ways:
            with pytest.raises(ConsumerClosed, match="the consumer is closed") as caught:
                call(ann())
            assert (caught.value.reference, caught.value.method) == ("greeter", name)
