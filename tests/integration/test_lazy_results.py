"""``async: lazy`` over real protocols: references, generated stubs, streams, and answers as arguments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.shop import Shop

from callahead.config import ConfigError
from callahead.consumer import Consumer, ConsumerClosed, RemoteError, RpcContext, RpcError, resolve
from callahead.consumer.call.lazy import LazyResult
from callahead.consumer.codec.hessian2 import java_type
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
LAZY = {"async": "lazy"}


@pytest.fixture
def lazy_request() -> Iterator[Callable[[str], Any]]:
    """Makes a request that is the lazy result of another call."""
    with Shop(lambda invocation: pb.HelloRequest(name=invocation.args[0]), reference=LAZY) as shop:
        yield shop.foo.findFoo


def test_two_call_sites_in_one_line_overlap(consume: Callable[..., Consumer]) -> None:
    """Neither method ends before the other was called, and no call site says anything of callahead."""
    both = threading.Barrier(2, timeout=20)

    def find(request: Any) -> dict[str, Any]:
        both.wait()
        return {"foo_id": request.foo_id, "name": f"foo {request.foo_id}"}

    with EmbeddedProvider() as provider:
        provider.serve("com.alibaba.foo.FooService", module="callahead.conf.foo_pb2", findFoo=find)
        foo = {"interface": "com.alibaba.foo.FooService", "module": "callahead.conf.foo_pb2", "url": provider.url}
        consumer = consume({"consumer": {"timeout": "30s", **LAZY}, "references": {"foo": foo}})
        service = consumer.reference("foo")

        first, second = service.find_foo(foo_id=1), service.find_foo(foo_id=2)
        assert f"{first.name}, {second.name}" == "foo 1, foo 2"


def test_an_answer_is_the_message(greeting: Greeting, server: ProviderProcess) -> None:
    """To ``isinstance``, to other messages, and to whoever reads its fields."""
    found = greeting(server.url, **LAZY).reference("greeter").say_hello(name="Ann")
    assert found.message == "Hello, Ann"
    assert isinstance(found, pb.HelloReply)
    assert pb.HelloReply(message="Hello, Ann") == found
    assert pb.HelloReply.FromString(found.SerializeToString()) == resolve(found)


def test_a_lazy_request_arrives_as_the_message(
    greeting: Greeting, server: ProviderProcess, lazy_request: Callable[[str], Any]
) -> None:
    """A reference and a generated stub take it, in any mode."""
    consumer = greeting(server.url)
    reference, stub = consumer.reference("greeter"), pb_grpc.GreeterStub(consumer.channel("greeter"))
    for call in (reference.say_hello, reference.say_hello.sync, stub.SayHello):
        assert call(lazy_request("Ann")).message == "Hello, Ann"
    for begin in (reference.say_hello.future, stub.SayHello.future):
        assert begin(lazy_request("Ann")).result(10).message == "Hello, Ann"
    assert stub.SayHello.with_call(lazy_request("Ann"))[0].message == "Hello, Ann"


def test_streams_take_lazy_requests(
    greeting: Greeting, server: ProviderProcess, lazy_request: Callable[[str], Any]
) -> None:
    """One request, a list of requests, and an iterator of them, by a reference and by a generated stub."""
    consumer = greeting(server.url)
    reference, stub = consumer.reference("greeter"), pb_grpc.GreeterStub(consumer.channel("greeter"))
    for made in (reference, stub):
        assert [one.message for one in made.SpellHello(lazy_request("AB"))] == ["Hello, A", "Hello, B"]
        names = (lazy_request(name) for name in "AB")
        assert made.GatherHellos(names).message == "Hello, A and B"
        assert [one.message for one in made.ChatHello(iter([lazy_request("A")]))] == ["Hello, A"]
    assert reference.GatherHellos([lazy_request("A"), pb.HelloRequest(name="B")]).message == "Hello, A and B"
    assert stub.GatherHellos.future(map(lazy_request, "AB")).result(10).message == "Hello, A and B"


def test_a_stream_is_refused_after_close_whatever_it_is_given(
    greeting: Greeting, server: ProviderProcess, lazy_request: Callable[[str], Any]
) -> None:
    """That there are lazy results in the program changes nothing for requests that are none."""
    consumer = greeting(server.url)
    stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
    consumer.close()
    not_iterable = resolve(lazy_request("Ann"))
    for call in (stub.GatherHellos, stub.GatherHellos.with_call, stub.GatherHellos.future, stub.ChatHello):
        with pytest.raises(ConsumerClosed):
            call(not_iterable)


def test_a_stream_is_not_lazy(greeting: Greeting, server: ProviderProcess) -> None:
    """What it inherits has no effect on it, what is its own is refused."""
    inherited = greeting(server.url, **LAZY).reference("greeter")
    assert [one.message for one in inherited.SpellHello(name="A")] == ["Hello, A"]
    refused = greeting(server.url, methods={"SpellHello": LAZY})
    with pytest.raises(ConfigError, match='a streaming method cannot have "async: lazy"'):
        refused.reference("greeter")
    with pytest.raises(ConfigError, match='a streaming method cannot have "async: lazy"'):
        pb_grpc.GreeterStub(refused.channel("greeter"))


def test_a_generated_stub_gets_lazy_results(greeting: Greeting, server: ProviderProcess) -> None:
    """Its plain calls do; ``future`` and ``with_call`` are as ever, and a call through an interceptor waits."""
    channel = greeting(server.url, **LAZY).channel("greeter")
    stub = pb_grpc.GreeterStub(channel)
    found = stub.SayHello(pb.HelloRequest(name="Ann"))
    assert type(found) is LazyResult
    assert found.message == "Hello, Ann"
    assert RpcContext.get_context().get_future().result() == found
    assert type(stub.SayHello.with_call(pb.HelloRequest(name="Ann"))[0]) is pb.HelloReply
    assert isinstance(stub.SayHello.future(pb.HelloRequest(name="Ann")).result(10), pb.HelloReply)
    intercepted = pb_grpc.GreeterStub(grpc.intercept_channel(channel, _Passing()))
    assert type(intercepted.SayHello(pb.HelloRequest(name="Ann"))) is pb.HelloReply


class _Passing(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)


def test_the_failure_of_a_stubs_lazy_result_is_grpcs_too(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """The first use raises what the stub's call would have raised."""
    provider.script("SayHello", error="INVALID_ARGUMENT")
    found = pb_grpc.GreeterStub(greeting(provider.url, **LAZY).channel("greeter")).SayHello(pb.HelloRequest())
    with pytest.raises(grpc.RpcError) as caught:
        str(found)
    assert isinstance(caught.value, RpcError)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@java_type("com.example.lazy.Article")
@dataclass
class Article:
    name: str


@java_type("com.example.lazy.Order")
@dataclass
class Order:
    article: Any
    amount: int


class Orders:
    def find(self, name: str) -> Article: ...

    def names(self, names: list[str]) -> str: ...

    def place(self, order: Order, note: str | None) -> str: ...


@pytest.fixture
def orders(consume: Callable[..., Consumer]) -> Iterator[Any]:
    """A Java service whose methods are lazy."""
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve(
            "com.example.lazy.Orders",
            stub=f"{__name__}:Orders",
            find=lambda name: Article(name) if name else None,
            place=lambda order, note: f"{order.amount} {order.article.name} {note}",
            names=" and ".join,
        )
        settings = {"interface": "com.example.lazy.Orders", "protocol": "dubbo", "url": provider.url}
        settings |= {"stub": f"{__name__}:Orders", **LAZY}
        yield consume({"consumer": {"timeout": "30s"}, "references": {"orders": settings}}).reference("orders")


def test_answers_go_into_the_next_call_over_dubbo(orders: Any) -> None:
    """As an argument, in a list, and as the field of an object that is written as a Java class."""
    article, none = orders.find("a chair"), orders.find("")
    assert orders.place(Order(article, 2), article.name) == "2 a chair a chair"
    assert orders.place(Order(article, 2), none) == "2 a chair None"
    assert orders.names([orders.names(["a", "b"]), "c"]) == "a and b and c"
    assert none == None  # noqa: E711 - Java's null


def test_a_java_exception_comes_at_the_first_use(orders: Any) -> None:
    """Nothing of it is told where the call was made."""
    found = orders.names(["a", orders.find("")])
    with pytest.raises(RemoteError):
        len(found)
