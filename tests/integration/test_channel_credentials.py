"""Call credentials of a stub's call, over both carriers: plugins that answer at once, late, wrongly, never."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest

from callahead.config.policy import SslPolicy
from callahead.consumer import Consumer, LocalProtocolError, Rejected, RpcError, TransportError, call_credentials
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")
SOON = 10.0
WHO = contextvars.ContextVar("WHO", default="nobody")

Plugin = Callable[[Any, Any], None]


class Shop(NamedTuple):
    """A stub over TLS, and what its provider saw."""

    stub: Any
    provider: EmbeddedProvider
    consumer: Consumer

    def greet(self, **options: Any) -> Any:
        """Call so, and wait."""
        return self.stub.SayHello(pb.HelloRequest(name="Ann"), **options)

    def failing(self, *parts: Any, **options: Any) -> Any:
        """The error of a call with those credentials."""
        with pytest.raises(grpc.RpcError) as caught:
            self.greet(credentials=call_credentials(*parts), **options)
        return caught.value

    def seen(self, *keys: str) -> list[Any]:
        """Values of the last call's metadata under *keys*."""
        found = dict(self.provider.calls[-1].metadata)
        return [found.get(key) for key in keys]


@pytest.fixture
def tls(certificates: Path) -> Iterator[EmbeddedProvider]:
    """A greeter that speaks TLS."""
    ssl = SslPolicy(cert=str(certificates / "server.pem"), key=str(certificates / "server.key"))
    with EmbeddedProvider(ssl=ssl) as provider:
        provider.serve(
            "helloworld.Greeter",
            module="helloworld_pb2",
            SayHello=lambda request: {"message": request.name},
            SpellHello=lambda request: ({"message": letter} for letter in request.name),
            GatherHellos=lambda requests: {"message": " ".join(request.name for request in requests)},
            ChatHello=lambda requests: ({"message": request.name} for request in requests),
        )
        yield provider


@pytest.fixture
def shop(greeting: Callable[..., Consumer], tls: EmbeddedProvider, certificates: Path) -> Shop:
    """A stub that speaks to it."""
    consumer = greeting(tls.url, ssl={"ca": str(certificates / "ca.pem")})
    return Shop(pb_grpc.GreeterStub(consumer.channel("greeter")), tls, consumer)


def saying(*pairs: tuple[str, Any]) -> Plugin:
    """A plugin that says just that."""
    return lambda context, answer: answer(pairs, None)


def silent(context: Any, answer: Any) -> None:
    """A plugin that never answers."""


CALLS: dict[str, Callable[..., Any]] = {
    "unary": lambda stub, **options: stub.SayHello(pb.HelloRequest(name="Ann"), **options),
    "with_call": lambda stub, **options: stub.SayHello.with_call(pb.HelloRequest(name="Ann"), **options),
    "future": lambda stub, **options: stub.SayHello.future(pb.HelloRequest(name="Ann"), **options).result(SOON),
    "answers": lambda stub, **options: list(stub.SpellHello(pb.HelloRequest(name="Ann"), **options)),
    "upload": lambda stub, **options: stub.GatherHellos(iter([pb.HelloRequest(name="Ann")]), **options),
    "both": lambda stub, **options: list(stub.ChatHello(iter([pb.HelloRequest(name="Ann")]), **options)),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_a_plugin_says_travels_with_the_call(shop: Shop, call: str) -> None:
    """In every kind of call, behind the call's own metadata; binary values, too."""
    credentials = call_credentials(saying(("x-who", "ann"), ("x-key-bin", b"\xff\x00")))
    assert CALLS[call](shop.stub, credentials=credentials, metadata=[("x-own", "1")])
    assert shop.seen("x-own", "x-who", "x-key-bin") == ["1", "ann", b"\xff\x00"]


def test_a_plugin_hears_of_the_method(shop: Shop) -> None:
    """As gRPC words it: the service as a URL, the method by its name."""
    heard: list[Any] = []

    class Hearing(grpc.AuthMetadataPlugin):
        def __call__(self, context: Any, callback: Any) -> None:
            heard.append((context.service_url, context.method_name))
            callback((), None)

    shop.greet(credentials=call_credentials(Hearing()))
    assert heard == [(f"https://{shop.provider.url.partition('://')[2]}/helloworld.Greeter", "SayHello")]


def test_each_call_is_asked_for_anew(shop: Shop) -> None:
    """A token may have been renewed since the last one."""
    tokens = iter("ab")
    credentials = call_credentials(lambda context, answer: answer([("x-token", next(tokens))], None))
    for token in "ab":
        shop.greet(credentials=credentials)
        assert shop.seen("x-token") == [token]


def test_credentials_of_several_parts(shop: Shop) -> None:
    """A token, a plugin, and what was made before, in that order."""
    made = call_credentials(saying(("x-made", "1")))
    shop.greet(credentials=call_credentials("secret", saying(("x-who", "ann")), made))
    assert shop.seen("authorization", "x-who", "x-made") == ["Bearer secret", "ann", "1"]


def test_a_plugin_answers_on_another_thread(shop: Shop) -> None:
    """Later, while nobody holds a thread for it."""
    answers: list[Any] = []
    asked = threading.Event()

    def ask(context: Any, answer: Any) -> None:
        answers.append(answer)
        asked.set()

    future = shop.stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=call_credentials(ask))
    assert asked.wait(SOON)
    assert not future.done()
    threading.Thread(target=answers[0], args=([("x-late", "1")], None)).start()
    assert future.result(SOON).message == "Ann"
    assert shop.seen("x-late") == ["1"]


@pytest.mark.parametrize("is_raised", [True, False])
def test_a_plugin_that_fails(shop: Shop, carrier: str, is_raised: bool) -> None:
    """The call fails as grpcio lets it, and nothing was sent."""

    def fail(context: Any, answer: Any) -> None:
        if is_raised:
            raise ValueError("no token")
        answer(None, ValueError("no token"))

    error = shop.failing(fail)
    assert isinstance(error, Rejected if carrier == "http2" else TransportError)  # gRPC core does not tell whose it is
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == "Getting metadata from plugin failed with error: no token"
    assert shop.provider.count() == 0


@pytest.mark.parametrize("pair", [("X-Upper", "1"), ("x-text", "a\nb"), (":path", "/")])
def test_a_plugin_that_says_what_cannot_travel(shop: Shop, pair: tuple[str, str]) -> None:
    """The call fails as grpcio lets it."""
    error = shop.failing(saying(pair))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details().startswith("Illegal metadata")
    assert shop.provider.count() == 0


def test_a_plugin_that_answers_twice(shop: Shop) -> None:
    """The first answer counts, and the second is told so."""
    raised = threading.Event()

    def ask(context: Any, answer: Any) -> None:
        answer([("x-who", "first")], None)
        try:
            answer([("x-who", "second")], None)
        except RuntimeError:
            raised.set()

    shop.greet(credentials=call_credentials(ask))
    assert raised.wait(SOON)
    assert shop.seen("x-who") == ["first"]


@pytest.mark.parametrize("call", CALLS)
def test_a_silent_plugin_holds_the_call_for_its_time_alone(shop: Shop, call: str) -> None:
    """It times out, and nothing was sent."""
    with pytest.raises(grpc.RpcError) as caught:
        CALLS[call](shop.stub, credentials=call_credentials(silent), timeout=0.2)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert shop.provider.count() == 0


def test_a_call_is_cancelled_while_its_plugin_is_silent(shop: Shop) -> None:
    """It ends at once, and an answer that comes after that sends nothing."""
    answers: list[Any] = []
    asked = threading.Event()

    def ask(context: Any, answer: Any) -> None:
        answers.append(answer)
        asked.set()

    future = shop.stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=call_credentials(ask))
    assert asked.wait(SOON)
    assert future.cancel()
    assert future.code() is grpc.StatusCode.CANCELLED
    answers[0]([("x-late", "1")], None)
    shop.greet()
    assert shop.provider.count() == 1


def test_a_stream_is_dropped_while_its_plugin_is_silent(shop: Shop) -> None:
    """An answer that comes after that sends nothing."""
    answers: list[Any] = []
    asked = threading.Event()

    def ask(context: Any, answer: Any) -> None:
        answers.append(answer)
        asked.set()

    stream = shop.stub.SpellHello(pb.HelloRequest(name="Ann"), credentials=call_credentials(ask))
    assert asked.wait(SOON)
    del stream
    answers[0]([("x-late", "1")], None)
    shop.greet()
    assert shop.provider.count() == 1


def test_the_consumer_closes_while_a_plugin_is_silent(shop: Shop) -> None:
    """The call ends with it."""
    future = shop.stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=call_credentials(silent))
    shop.consumer.close(timeout=0.1)
    assert future.exception(SOON) is not None


def test_a_plugin_runs_in_a_context(shop: Shop) -> None:
    """That in which its credentials were made, as grpcio's does."""
    seen: list[str] = []

    def ask(context: Any, answer: Any) -> None:
        seen.append(WHO.get())
        answer((), None)

    token = WHO.set("maker")
    credentials = call_credentials(ask)
    WHO.reset(token)
    shop.greet(credentials=credentials)
    assert seen == ["maker"]


@pytest.mark.parametrize("made", [grpc.access_token_call_credentials("t"), grpc.metadata_call_credentials(saying())])
def test_credentials_that_grpcio_has_made(shop: Shop, carrier: str, made: grpc.CallCredentials) -> None:
    """Only gRPC core can ask them: over http2 the call is not sent, and its error says what to do."""
    if carrier == "grpcio":
        assert shop.greet(credentials=made).message == "Ann"
        return
    with pytest.raises(LocalProtocolError, match=r"that grpcio has made is not for .*yml:.*call_credentials") as caught:
        shop.greet(credentials=made)
    assert isinstance(caught.value, RpcError)
    assert caught.value.not_sent


@pytest.mark.parametrize("part", [3, b"token", grpc.access_token_call_credentials("t")])
def test_what_is_no_part_of_credentials(part: Any) -> None:
    """Is said when they are made."""
    with pytest.raises(TypeError, match=type(part).__name__):
        call_credentials(part)


def test_credentials_of_nothing() -> None:
    """Are a mistake."""
    with pytest.raises(TypeError, match="need a plugin"):
        call_credentials()
