"""What a stub's call says beyond its request, in each kind of call of `Consumer.channel`."""

from __future__ import annotations

import contextlib
import inspect
import math
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.tracer import Tracer
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, Consumer, LocalProtocolError, Rejected, RpcContext
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
BIG = pb.HelloRequest(name="x" * 20_000)


def stub_of(consumer: Consumer) -> Any:
    """Make the generated stub."""
    return pb_grpc.GreeterStub(consumer.channel("greeter"))


def ann() -> Any:
    """A request."""
    return pb.HelloRequest(name="Ann")


CALLS: dict[str, Callable[..., Any]] = {
    "unary": lambda stub, request, **more: stub.SayHello(request, **more),
    "unary with_call": lambda stub, request, **more: stub.SayHello.with_call(request, **more),
    "unary future": lambda stub, request, **more: stub.SayHello.future(request, **more).result(),
    "unary stream": lambda stub, request, **more: list(stub.SpellHello(request, **more)),
    "stream unary": lambda stub, request, **more: stub.GatherHellos(iter([request]), **more),
    "stream unary with_call": lambda stub, request, **more: stub.GatherHellos.with_call(iter([request]), **more),
    "stream unary future": lambda stub, request, **more: stub.GatherHellos.future(iter([request]), **more).result(),
    "stream stream": lambda stub, request, **more: list(stub.ChatHello(iter([request]), **more)),
}


class Counted:
    """Stands before a provider, and counts what a client sends to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.count = 0

    def serve(self, client: socket.socket) -> None:
        """Carry what comes to the provider, and what that answers back."""
        with socket.create_connection(("127.0.0.1", self._port)) as provider:
            back = threading.Thread(target=self._carry, args=(provider, client, 0))
            back.start()
            self._carry(client, provider, 1)
            with contextlib.suppress(OSError):
                provider.shutdown(socket.SHUT_RDWR)
            back.join()

    def _carry(self, source: socket.socket, target: socket.socket, weight: int) -> None:
        with contextlib.suppress(OSError):  # whichever side goes first
            while data := source.recv(65536):
                self.count += weight * len(data)
                target.sendall(data)


@pytest.fixture
def counted(provider: EmbeddedProvider) -> Iterator[tuple[str, Counted]]:
    """A URL of *provider*, and what is counted of the bytes that go there."""
    provider.script("SpellHello", error=("NOT_FOUND", "too many letters"))
    counting = Counted(int(provider.url.rpartition(":")[2]))
    with Peer(counting.serve) as peer:
        yield peer.url, counting


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("call", CALLS)
def test_requests_are_compressed(
    greeting: Greeting, counted: tuple[str, Counted], call: str, compression: grpc.Compression
) -> None:
    """In every kind of call, those among them whose compression grpcio itself forgets."""
    url, counting = counted
    with contextlib.suppress(grpc.RpcError):  # an answer per letter would be too many
        CALLS[call](stub_of(greeting(url)), BIG, compression=compression, timeout=5)
    assert 0 < counting.count < 2_000


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_answers_are_compressed(
    greeting: Greeting, raw_server: Callable[..., str], compression: grpc.Compression
) -> None:
    """By a server that does so where the client says that it reads them."""
    options = (("grpc.default_compression_algorithm", compression),)
    stub = stub_of(greeting(raw_server(lambda request, _: request, options=options)))
    assert stub.SayHello(BIG).message == BIG.name
    assert stub.SayHello(BIG, compression=compression).message == BIG.name


def test_a_request_that_is_waited_for_is_compressed(greeting: Greeting, counted: tuple[str, Counted]) -> None:
    """With ``sent``, where a unary call is a client stream to grpcio."""
    url, counting = counted
    stub = stub_of(greeting(url, methods={"SayHello": {"async": True, "sent": True}}))
    stub.SayHello(BIG, compression=grpc.Compression.Gzip)
    RpcContext.get_context().get_future().result(5)
    assert 0 < counting.count < 2_000


CALLABLES: dict[str, type] = {
    "unary_unary": grpc.UnaryUnaryMultiCallable,
    "unary_stream": grpc.UnaryStreamMultiCallable,
    "stream_unary": grpc.StreamUnaryMultiCallable,
    "stream_stream": grpc.StreamStreamMultiCallable,
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_callables_are_grpcs_own_kind(greeting: Greeting, closed_port: str, kind: str) -> None:
    """Google's api-core asks for their class; their parameters have grpcio's names and order."""
    made = getattr(greeting(closed_port).channel("greeter"), kind)("/helloworld.Greeter/Any")
    assert isinstance(made, CALLABLES[kind])
    for view in {"__call__", "with_call", "future"} & vars(CALLABLES[kind]).keys():
        ours, theirs = (inspect.signature(getattr(owner, view)) for owner in (type(made), CALLABLES[kind]))
        assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.grpcio
def test_arguments_by_position_and_by_name(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """As grpcio takes them."""
    stub = stub_of(greeting(provider.url))
    more = (5, [("x-tenant", "a")], None, True, grpc.Compression.Gzip)
    assert stub.GatherHellos(iter([ann()]), *more).message == "Ann"
    assert stub.GatherHellos.future(request_iterator=iter([ann()]), timeout=5).result().message == "Ann"
    assert [reply.message for reply in stub.ChatHello(request_iterator=iter([ann()]), wait_for_ready=True)] == ["Ann"]
    assert len(list(stub.SpellHello(ann(), *more))) == 3
    assert {call.attachments.get("x-tenant") for call in provider.calls} == {"a", None}


@pytest.mark.parametrize("seconds", [-1, 0, -math.inf])
@pytest.mark.parametrize("call", CALLS)
def test_a_time_that_has_passed(greeting: Greeting, provider: EmbeddedProvider, call: str, seconds: float) -> None:
    """Ends the call as grpcio ends it, and nothing is sent."""
    with pytest.raises(grpc.RpcError) as caught:
        CALLS[call](stub_of(greeting(provider.url)), ann(), timeout=seconds)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    if call.startswith("unary") and call != "unary stream":
        assert isinstance(caught.value, CallTimeout)
        assert caught.value.not_sent
    assert provider.count() == 0


@pytest.mark.parametrize("call", CALLS)
def test_no_bound(greeting: Greeting, provider: EmbeddedProvider, call: str) -> None:
    """Infinity is none, and the provider is told of none."""
    CALLS[call](stub_of(greeting(provider.url)), ann(), timeout=math.inf)
    assert [call.timeout for call in provider.calls] == [None]


def test_no_bound_where_sent_is_waited_for(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Such a call is carried in another way."""
    stub_of(greeting(provider.url, sent=True)).SayHello.future(ann(), timeout=math.inf).result()
    assert [call.timeout for call in provider.calls] == [None]


@pytest.mark.parametrize("call", CALLS)
def test_a_time_that_is_no_number(greeting: Greeting, provider: EmbeddedProvider, call: str) -> None:
    """Is refused here."""
    with pytest.raises(LocalProtocolError, match="no number of seconds") as caught:
        CALLS[call](stub_of(greeting(provider.url)), ann(), timeout=math.nan)
    assert caught.value.not_sent
    assert provider.count() == 0


@pytest.mark.parametrize("call", CALLS)
def test_call_credentials_need_tls(greeting: Greeting, provider: EmbeddedProvider, call: str) -> None:
    """On a plain connection they are refused here, with grpcio's status, and nobody else is blamed."""
    credentials = grpc.access_token_call_credentials("t")
    with pytest.raises(Rejected, match="over TLS alone") as caught:
        CALLS[call](stub_of(greeting(provider.url)), ann(), credentials=credentials)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert (caught.value.is_remote, caught.value.not_sent) == (False, True)
    assert provider.count() == 0


@pytest.mark.parametrize("pair", [("Upper", "a"), ("x-text", "Zürich"), ("x-text", "\ud800"), ("x-bin", "\ud800")])
@pytest.mark.parametrize("call", CALLS)
def test_metadata_that_cannot_travel(
    greeting: Greeting, provider: EmbeddedProvider, call: str, pair: tuple[str, str]
) -> None:
    """Are refused here; grpcio says INTERNAL, or breaks into the call."""
    with pytest.raises(LocalProtocolError) as caught:
        CALLS[call](stub_of(greeting(provider.url)), ann(), metadata=[pair])
    assert caught.value.not_sent
    assert provider.count() == 0


@pytest.mark.parametrize("call", CALLS)
def test_an_attachment_without_utf8(greeting: Greeting, provider: EmbeddedProvider, call: str) -> None:
    """A lone surrogate is refused in every kind of call."""
    consumer = greeting(provider.url)
    RpcContext.get_context().attachments["city"] = "\ud800"
    with pytest.raises(LocalProtocolError, match='the value of "city" is no text') as caught:
        CALLS[call](stub_of(consumer), ann())
    assert caught.value.not_sent
    assert provider.count() == 0


@pytest.mark.parametrize("settings", [{"async": True}, {"return": False}], ids=["async", "no return"])
def test_within_grpcs_interceptors_a_plain_call_waits(
    greeting: Greeting, provider: EmbeddedProvider, settings: dict[str, bool]
) -> None:
    """As `Consumer.channel` says: grpcio makes it of ``with_call``; ``future`` is as ever."""
    channel = greeting(provider.url, methods={"SayHello": settings}).channel("greeter")
    stub = pb_grpc.GreeterStub(grpc.intercept_channel(channel, Tracer()))
    assert stub.SayHello(ann()).message == "Hello, Ann"
    assert stub.SayHello.future(ann()).result(5).message == "Hello, Ann"
    assert pb_grpc.GreeterStub(channel).SayHello(ann()) is None
