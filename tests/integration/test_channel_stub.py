"""Unmodified generated stubs on `Consumer.channel`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from callahead.config.errors import ConfigError
from callahead.consumer import (
    AllAttemptsFailed,
    CallTimeout,
    ConnectFailed,
    Consumer,
    ConsumerClosed,
    InvocationFuture,
    LimitExceeded,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcContext,
    RpcError,
    SerializationError,
)
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
Stub = Any


def stub_of(consumer: Consumer) -> Stub:
    """Make the generated stub, as users do."""
    return pb_grpc.GreeterStub(consumer.channel("greeter"))


def ann() -> Any:
    """A request."""
    return pb.HelloRequest(name="Ann")


def test_a_plain_call(greeting: Greeting, server: ProviderProcess) -> None:
    """Without settings, the stub's call waits and returns the message."""
    assert stub_of(greeting(server.url)).SayHello(ann()) == pb.HelloReply(message="Hello, Ann")


def test_an_asynchronous_method(greeting: Greeting, server: ProviderProcess) -> None:
    """async: true makes the same call return None, its answer is in RpcContext."""
    stub = stub_of(greeting(server.url, methods={"SayHello": {"async": True}}))
    assert stub.SayHello(ann()) is None
    assert RpcContext.get_context().get_future().result(5).message == "Hello, Ann"


def test_an_asynchronous_method_that_waits_for_sent(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Async with sent returns once the request is written, long before the answer."""
    provider.script("SayHello", delay="1s")
    stub = stub_of(greeting(provider.url, methods={"SayHello": {"async": True, "sent": True}}))
    assert stub.SayHello(ann()) is None
    future = RpcContext.get_context().get_future()
    assert not future.done()
    assert future.record.is_sent
    assert future.result(5).message == "Hello, Ann"


def test_a_one_way_method(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """return: false gives None and no future, and the call arrives."""
    stub = stub_of(greeting(provider.url, methods={"SayHello": {"return": False}}))
    assert stub.SayHello(ann()) is None
    provider.wait_for_calls("SayHello", 1)
    assert RpcContext.get_context().future is None


@pytest.mark.parametrize("settings", [{}, {"async": True}, {"return": False}])
def test_future_and_with_call_keep_their_meaning(
    greeting: Greeting, server: ProviderProcess, settings: dict[str, bool]
) -> None:
    """.future and .with_call do what gRPC says whatever the configuration says."""
    stub = stub_of(greeting(server.url, methods={"SayHello": settings}))
    future = stub.SayHello.future(ann())
    assert future.result(timeout=5).message == "Hello, Ann"
    reply, call = stub.SayHello.with_call(ann(), timeout=5)
    assert reply.message == "Hello, Ann"
    assert call.code() is grpc.StatusCode.OK
    assert call.details() == ""
    assert not call.is_active()
    assert call.time_remaining() is None


def test_the_future_is_grpcs_and_ours(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """What .future returns serves as grpc.Future, grpc.Call and concurrent.futures.Future."""
    provider.script("SayHello", delay="200ms")
    future = stub_of(greeting(provider.url)).SayHello.future(ann(), timeout=5)
    assert isinstance(future, grpc.Future)
    assert isinstance(future, grpc.Call)
    assert isinstance(future, InvocationFuture)
    assert future.is_active()
    assert not future.done()
    assert 0 < future.time_remaining() <= 5
    with pytest.raises(grpc.FutureTimeoutError):
        future.result(timeout=0)
    called = threading.Event()
    seen: list[Any] = []
    future.add_done_callback(seen.append)
    assert future.add_callback(called.set)
    assert wait([future], 5).done == {future}
    assert called.wait(5)
    assert future.code() is grpc.StatusCode.OK
    assert future.exception() is None
    assert future.traceback() is None
    assert (future.running(), future.cancelled()) == (False, False)
    assert not future.add_callback(called.set)


def test_metadata_travels_both_ways(greeting: Greeting, server: ProviderProcess) -> None:
    """The stub's metadata arrives; initial and trailing metadata come back apart from each other."""
    stub = stub_of(greeting(server.url))
    _, call = stub.SayHello.with_call(ann(), metadata=(("x-a", "1"), ("x-bytes-bin", b"\0\xff")))
    assert dict(call.initial_metadata()) == {"y-first": "1"}
    assert dict(call.trailing_metadata()) == {"y-x-a": "1", "y-x-bytes-bin": b"\0\xff", "y-last": "2"}
    future = stub.SayHello.future(ann(), metadata=[("x-b", "2")])
    assert dict(future.trailing_metadata()) == {"y-x-b": "2", "y-last": "2"}
    assert future.response_attachments == {"y-first": "1", "y-x-b": "2", "y-last": "2"}


def test_metadata_joins_attachments(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Attachments of the context and of the YAML go with the stub's metadata, on unary and streaming calls."""
    stub = stub_of(greeting(provider.url, parameters={"x-yaml": "1"}))
    for call in (
        lambda: stub.SayHello(ann(), metadata=[("x-stub", "3")]),
        lambda: list(stub.SpellHello(ann(), metadata=[("x-stub", "3")])),
    ):
        RpcContext.get_context().attachments["x-call"] = "2"
        call()
        assert provider.calls[-1].attachments == {"x-yaml": "1", "x-call": "2", "x-stub": "3"}


def test_metadata_that_grpc_cannot_carry(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A key that gRPC refuses is a clear error, and the connection is still good."""
    stub = stub_of(greeting(provider.url))
    for call in (stub.SayHello, stub.SayHello.with_call):
        with pytest.raises(RpcError, match='metadata key "Upper Case" is not of lower-case letters') as caught:
            call(ann(), metadata=[("Upper Case", "1")])
        assert caught.value.not_sent
        assert isinstance(caught.value, grpc.RpcError)
    assert stub.SayHello(ann()).message == "Hello, Ann"


def test_the_stubs_timeout_is_the_deadline(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """timeout= bounds the call, travels on the wire, and fails with gRPC's status."""
    provider.script("SayHello", hang=True)
    stub = stub_of(greeting(provider.url, methods={"SayHello": {"retries": 2}}))
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        stub.SayHello(ann(), timeout=0.2)
    assert time.monotonic() - began > 0.15
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert isinstance(caught.value, CallTimeout)
    assert isinstance(caught.value, TimeoutError)
    assert provider.calls[0].timeout is not None
    assert provider.calls[0].timeout <= 0.2 * 1.02  # gRPC rounds up to what its header can say
    assert provider.count() == 1


CLASSES: dict[str, type[RpcError]] = {
    "CANCELLED": RemoteError,
    "UNKNOWN": RemoteError,
    "INVALID_ARGUMENT": RemoteError,
    "DEADLINE_EXCEEDED": CallTimeout,
    "NOT_FOUND": RemoteError,
    "PERMISSION_DENIED": Rejected,
    "RESOURCE_EXHAUSTED": LimitExceeded,
    "UNIMPLEMENTED": RemoteProtocolError,
    "INTERNAL": RemoteError,
    "UNAVAILABLE": RpcError,
    "UNAUTHENTICATED": Rejected,
}


@pytest.mark.parametrize("status", CLASSES)
def test_errors_are_grpcs_and_ours(greeting: Greeting, provider: EmbeddedProvider, status: str) -> None:
    """Each status is caught as grpc.RpcError with code and details, and as the callahead error that it maps to."""
    provider.script("SayHello", error=(status, "because"))
    stub = stub_of(greeting(provider.url))
    for call in (stub.SayHello, stub.SayHello.with_call, lambda request: stub.SayHello.future(request).result(5)):
        with pytest.raises(grpc.RpcError) as caught:
            call(ann())
        error: Any = caught.value
        assert isinstance(error, CLASSES[status])
        assert isinstance(error, grpc.Call)
        assert error.code() is grpc.StatusCode[status]
        assert error.details() == "because"
        assert "greeter.SayHello" in error.debug_error_string()


def test_the_metadata_of_an_error(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Trailers of a failed call are readable as gRPC's and as our details."""
    error = RemoteError("no", status="NOT_FOUND", details={"x-why": "gone"})
    provider.script("SayHello", error=error)
    stub = stub_of(greeting(provider.url))
    with pytest.raises(RemoteError) as ours:
        stub.SayHello(ann())
    caught: Any = ours.value
    assert dict(caught.trailing_metadata()) == {"x-why": "gone"}
    assert caught.remote_details == {"x-why": "gone"}
    future = stub.SayHello.future(ann())
    assert dict(future.trailing_metadata()) == {"x-why": "gone"}
    assert future.code() is grpc.StatusCode.NOT_FOUND
    assert future.details() == "no"


def test_several_failed_attempts(greeting: Greeting, closed_port: str) -> None:
    """When every attempt failed, the status is that of the last."""
    with pytest.raises(grpc.RpcError) as caught:
        stub_of(greeting(closed_port, retries=1)).SayHello(ann())
    error: Any = caught.value
    assert isinstance(error, AllAttemptsFailed)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert all(isinstance(failure, ConnectFailed) for failure in error.failures)


def test_streaming_kinds_pass_through(greeting: Greeting, server: ProviderProcess) -> None:
    """All three streaming kinds work on the generated stub, with gRPC's own call objects."""
    stub = stub_of(greeting(server.url))
    stream = stub.SpellHello(pb.HelloRequest(name="ab"), timeout=5)
    assert [reply.message for reply in stream] == ["Hello, a", "Hello, b"]
    assert stream.code() is grpc.StatusCode.OK
    names = [pb.HelloRequest(name=name) for name in "ab"]
    assert stub.GatherHellos(iter(names)).message == "Hello, a and b"
    reply, call = stub.GatherHellos.with_call(iter(names), timeout=5)
    assert (reply.message, call.code()) == ("Hello, a and b", grpc.StatusCode.OK)
    assert stub.GatherHellos.future(iter(names)).result(5).message == "Hello, a and b"
    assert [reply.message for reply in stub.ChatHello(iter(names))] == ["Hello, a", "Hello, b"]


def test_a_failed_stream_is_both_errors(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A stream's failure is caught as gRPC's error, as code written for grpcio expects."""
    provider.script("*", error=("NOT_FOUND", "because"))
    stub = stub_of(greeting(provider.url))
    for call in (
        lambda: next(stub.SpellHello(ann())),
        lambda: stub.GatherHellos(iter([ann()])),
        lambda: stub.GatherHellos.future(iter([ann()])).result(5),
        lambda: next(stub.ChatHello(iter([ann()]))),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        error: Any = caught.value
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "because")


def test_a_stream_takes_the_configured_deadline(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A configured timeout bounds streams of the stub too, unless the stub gives its own."""
    stub = stub_of(greeting(provider.url, timeout=7000))
    list(stub.SpellHello(ann()))
    list(stub.SpellHello(ann(), timeout=3))
    timeouts = [call.timeout for call in provider.calls]
    assert 6 < (timeouts[0] or 0) <= 7 * 1.02  # gRPC rounds up to what its header can say
    assert 2 < (timeouts[1] or 0) <= 3 * 1.02


def test_cancelling_a_future_resets_the_stream(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """cancel() of the stub's future is seen at the server, and result() raises both kinds of cancellation."""
    provider.script("SayHello", hang=True)
    future = stub_of(greeting(provider.url)).SayHello.future(ann())
    provider.wait_for_calls("SayHello", 1)
    assert future.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        future.result()
    assert future.code() is grpc.StatusCode.CANCELLED
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


@pytest.mark.parametrize("is_upload", [False, True], ids=["answers", "upload"])
def test_a_cancelled_stream_is_over_at_once(greeting: Greeting, provider: EmbeddedProvider, is_upload: bool) -> None:
    """For who has cancelled it there is nothing to wait for; who cancels it again hears that it has ended."""
    provider.script("GatherHellos" if is_upload else "SpellHello", hang=True)
    stub = stub_of(greeting(provider.url))
    call = stub.GatherHellos.future(iter([ann()])) if is_upload else stub.SpellHello(ann())
    provider.wait_for_calls("GatherHellos" if is_upload else "SpellHello", 1)
    assert call.cancel()
    assert (call.cancelled(), call.done(), call.is_active()) == (True, True, False)
    assert not call.cancel()
    assert call.code() is grpc.StatusCode.CANCELLED
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


def test_compression_and_wait_for_ready(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """GRPC's other per-call arguments reach gRPC, on every kind of call."""
    stub = stub_of(greeting(provider.url))
    big = pb.HelloRequest(name="x" * 5000)
    options = {"compression": grpc.Compression.Gzip, "wait_for_ready": True, "timeout": 5}
    stub.SayHello(big, **options)
    stub.SayHello.future(big, **options).result(5)
    list(stub.SpellHello(pb.HelloRequest(name="ab"), **options))
    stub.GatherHellos.with_call(iter([big]), **options)
    assert provider.count() == 4


def test_a_request_of_the_wrong_type(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """What the stub cannot serialize is a SerializationError with gRPC's INTERNAL, and nothing is sent."""
    stub = stub_of(greeting(provider.url))
    with pytest.raises(grpc.RpcError) as caught:
        stub.SayHello("no message")
    error: Any = caught.value
    assert isinstance(error, SerializationError)
    assert error.not_sent
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.message.startswith("str cannot be serialized for /helloworld.Greeter/SayHello:")
    assert provider.count() == 0


def test_a_closed_channel(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """After channel.close() calls raise grpcio's ValueError; other channels of the consumer go on."""
    consumer = greeting(provider.url)
    with consumer.channel("greeter") as channel:
        stub = pb_grpc.GreeterStub(channel)
        assert stub.SayHello(ann()).message == "Hello, Ann"
    for call in (stub.SayHello, stub.SayHello.future, stub.SayHello.with_call, stub.SpellHello):
        with pytest.raises(ValueError, match="Cannot invoke RPC on closed channel!"):
            call(ann())
    assert stub_of(consumer).SayHello(ann()).message == "Hello, Ann"


def test_a_closed_consumer(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """After Consumer.close() each view of the stub raises ConsumerClosed, which is gRPC's CANCELLED."""
    consumer = greeting(provider.url)
    stub = stub_of(consumer)
    consumer.close()
    for call in (stub.SayHello, stub.SayHello.future, stub.SayHello.with_call, stub.SpellHello, stub.GatherHellos):
        with pytest.raises(ConsumerClosed) as caught:
            call(ann())
        error: Any = caught.value
        assert isinstance(error, grpc.RpcError)
        assert error.code() is grpc.StatusCode.CANCELLED


def test_channel_ready_future(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """grpc.channel_ready_future becomes ready on our channel, and can be cancelled."""
    channel = greeting(provider.url).channel("greeter")
    ready = grpc.channel_ready_future(channel)
    ready.result(timeout=5)
    ready.cancel()


def test_channel_ready_future_of_nobody(greeting: Greeting, closed_port: str) -> None:
    """grpc.channel_ready_future times out where nobody listens."""
    ready = grpc.channel_ready_future(greeting(closed_port).channel("greeter"))
    with pytest.raises(grpc.FutureTimeoutError):
        ready.result(timeout=0.2)
    ready.cancel()


class _Adding(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """A client interceptor as users have them: adds metadata."""

    def __init__(self) -> None:
        self.codes: list[Any] = []

    def _details(self, details: Any) -> Any:
        return details._replace(metadata=[*(details.metadata or ()), ("x-intercepted", "1")])

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Pass on with metadata, and look at the outcome."""
        outcome = continuation(self._details(client_call_details), request)
        self.codes.append(outcome.code())
        return outcome

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Pass on with metadata."""
        return continuation(self._details(client_call_details), request)


def test_grpcs_own_interceptors(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """grpc.intercept_channel works over our channel for answers and for errors."""
    adding = _Adding()
    stub = pb_grpc.GreeterStub(grpc.intercept_channel(greeting(provider.url).channel("greeter"), adding))
    assert stub.SayHello(ann()).message == "Hello, Ann"
    reply, call = stub.SayHello.with_call(ann())
    assert (reply.message, call.code()) == ("Hello, Ann", grpc.StatusCode.OK)
    assert stub.SayHello.future(ann()).result(5).message == "Hello, Ann"
    assert len(list(stub.SpellHello(ann()))) == 3
    assert {call.attachments["x-intercepted"] for call in provider.calls} == {"1"}
    provider.script("SayHello", error=("NOT_FOUND", "because"))
    with pytest.raises(grpc.RpcError) as caught:
        stub.SayHello(ann())
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert adding.codes == [grpc.StatusCode.OK] * 3 + [grpc.StatusCode.NOT_FOUND]


def test_several_providers(greeting: Greeting, provider: EmbeddedProvider, other_provider: EmbeddedProvider) -> None:
    """Unary calls and streams of one stub go to all providers, by the configured balance."""
    stub = stub_of(greeting(provider.url, other_provider.url, loadbalance="roundrobin"))
    for _ in range(4):
        stub.SayHello(ann())
        list(stub.SpellHello(ann()))
    assert provider.count("SayHello") == other_provider.count("SayHello") == 2
    assert provider.count("SpellHello") == other_provider.count("SpellHello") == 2


def test_the_health_service(consume: Greeting, server: ProviderProcess) -> None:
    """GRPC's generated health stub works unchanged, its stream too."""
    config = {"references": {"health": {"interface": "grpc.health.v1.Health", "url": server.url, "timeout": 10000}}}
    stub = health_pb2_grpc.HealthStub(consume(config).channel("health"))
    request = health_pb2.HealthCheckRequest(service="")
    assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(request)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    with pytest.raises(grpc.RpcError):
        next(watch)


def test_the_reflection_service(consume: Greeting, server: ProviderProcess) -> None:
    """GRPC's generated reflection stub and its descriptor database work unchanged on our channel."""
    interface = "grpc.reflection.v1alpha.ServerReflection"
    config = {"references": {"reflection": {"interface": interface, "url": server.url, "timeout": 10000}}}
    channel = consume(config).channel("reflection")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = {service.name for service in answer.list_services_response.service}
    assert "helloworld.Greeter" in names
    assert "helloworld.Greeter" in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_a_setting_by_the_snake_case_name(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """The method may be spelled in the YAML as Python spells it."""
    stub = stub_of(greeting(provider.url, methods={"say_hello": {"async": True}}))
    assert stub.SayHello(ann()) is None
    assert RpcContext.get_context().get_future().result(5).message == "Hello, Ann"


def test_a_stream_after_the_provider_is_gone(greeting: Greeting, closed_port: str) -> None:
    """A stream to a closed port raises gRPC's UNAVAILABLE."""
    with pytest.raises(grpc.RpcError) as caught:
        next(stub_of(greeting(closed_port)).SpellHello(ann()))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE


def test_a_streaming_method_cannot_be_asynchronous(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Async on a streaming method is an error of the stub's making too, at the setting's line."""
    consumer = greeting(provider.url, methods={"SpellHello": {"async": True}})
    with pytest.raises(ConfigError, match="a streaming method cannot have"):
        stub_of(consumer)
