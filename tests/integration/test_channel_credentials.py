"""Call credentials of a stub's call, over both carriers: plugins that answer at once, late, wrongly, never."""

from __future__ import annotations

import contextvars
import logging
import queue
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.dubbo_peer import wait_until
from support.echoing import serve_echoing_greeter
from support.sockets import sockets_to

from callahead.config.policy import SslPolicy
from callahead.consumer import (
    Consumer,
    ConsumerClosed,
    LimitExceeded,
    Rejected,
    RpcContext,
    TransportError,
    call_credentials,
)
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry

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


class Asked:
    """A plugin that answers when the test does."""

    def __init__(self) -> None:
        self._answers: queue.Queue[Any] = queue.Queue()

    def __call__(self, context: Any, answer: Any) -> None:
        """Keep what is to be called with the answer."""
        self._answers.put(answer)

    def wait(self) -> Any:
        """Wait until it was asked, and give what is to be called with the answer."""
        return self._answers.get(timeout=SOON)


@pytest.fixture
def tls(certificates: Path) -> Iterator[EmbeddedProvider]:
    """A greeter that speaks TLS."""
    ssl = SslPolicy(cert=str(certificates / "server.pem"), key=str(certificates / "server.key"))
    with EmbeddedProvider(ssl=ssl) as provider:
        serve_echoing_greeter(provider)
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
    plugin = Asked()
    future = shop.stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=call_credentials(plugin))
    answer = plugin.wait()
    assert not future.done()
    threading.Thread(target=answer, args=([("x-late", "1")], None)).start()
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
    plugin = Asked()
    future = shop.stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=call_credentials(plugin))
    answer = plugin.wait()
    assert future.cancel()
    assert future.code() is grpc.StatusCode.CANCELLED
    answer([("x-late", "1")], None)
    shop.greet()
    assert shop.provider.count() == 1


def test_a_stream_is_dropped_while_its_plugin_is_silent(shop: Shop) -> None:
    """An answer that comes after that sends nothing."""
    plugin = Asked()
    stream = shop.stub.SpellHello(pb.HelloRequest(name="Ann"), credentials=call_credentials(plugin))
    answer = plugin.wait()
    del stream
    answer([("x-late", "1")], None)
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


def of_grpcio(*pairs: tuple[str, Any]) -> grpc.CallCredentials:
    """Credentials that grpcio has made of all that it makes them of: a token, a plugin and others, such as ours."""
    token, plugin = grpc.access_token_call_credentials("t"), grpc.metadata_call_credentials(saying(("x-who", "ann")))
    return grpc.composite_call_credentials(token, plugin, call_credentials(saying(*pairs)))


@pytest.mark.parametrize("call", CALLS)
def test_credentials_that_grpcio_has_made(shop: Shop, carrier: str, call: str) -> None:
    """Only gRPC core can ask them, so it carries the call, and no other one."""
    assert CALLS[call](shop.stub, credentials=of_grpcio(("x-ours", "1")), metadata=[("x-own", "2")])
    assert shop.seen("authorization", "x-who", "x-ours", "x-own") == ["Bearer t", "ann", "1", "2"]
    assert shop.seen("user-agent")[0].startswith("grpc-python")
    assert CALLS[call](shop.stub, credentials=call_credentials("t"))
    assert shop.seen("user-agent")[0].startswith("grpc-python" if carrier == "grpcio" else "callahead")


@pytest.mark.parametrize("call", CALLS)
def test_a_plugin_that_fails_at_grpcio(shop: Shop, call: str) -> None:
    """Its call fails as ever, in every kind of call."""

    def fail(context: Any, answer: Any) -> None:
        answer(None, ValueError("no token"))

    with pytest.raises(grpc.RpcError) as caught:
        CALLS[call](shop.stub, credentials=grpc.metadata_call_credentials(fail))
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "Getting metadata from plugin failed with error: no token"
    assert shop.provider.count() == 0


@pytest.mark.parametrize("call", CALLS)
def test_a_silent_plugin_at_grpcio(shop: Shop, call: str) -> None:
    """The call's own time ends the wait for it."""
    with pytest.raises(grpc.RpcError) as caught:
        CALLS[call](shop.stub, credentials=grpc.metadata_call_credentials(silent), timeout=0.2)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_by_grpcio_runs_through_the_chain(
    greeting: Callable[..., Consumer], tls: EmbeddedProvider, certificates: Path
) -> None:
    """It is tried again and counted as any other, and its credentials are asked for each attempt."""
    tls.script("SayHello", error="UNAVAILABLE", times=1)
    consumer = greeting(tls.url, ssl={"ca": str(certificates / "ca.pem")}, retries=1, idempotent=True)
    tokens = iter("ab")
    made = grpc.metadata_call_credentials(lambda context, answer: answer([("x-token", next(tokens))], None))
    shop = Shop(pb_grpc.GreeterStub(consumer.channel("greeter")), tls, consumer)
    assert shop.greet(credentials=made).message == "Ann"
    assert [call.metadata["x-token"] for call in tls.calls] == ["a", "b"]
    shop.greet()
    counts = consumer.counts()["greeter"]["SayHello"]
    assert (counts.calls, counts.attempts) == (2, 3)


def test_a_call_by_grpcio_takes_the_place_of_another(
    greeting: Callable[..., Consumer], tls: EmbeddedProvider, certificates: Path
) -> None:
    """The limit of a method is one for all its calls; a cancelled one gives its place back."""
    methods = {"SayHello": {"actives": 1}}
    ssl = {"ca": str(certificates / "ca.pem")}
    stub = pb_grpc.GreeterStub(greeting(tls.url, ssl=ssl, methods=methods).channel("greeter"))
    tls.script("SayHello", hang=True, times=1)
    held = stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=of_grpcio())
    tls.wait_for_calls("SayHello", 1)
    with pytest.raises(LimitExceeded, match="actives"):
        stub.SayHello(pb.HelloRequest(name="Ann"))
    assert held.cancel()
    assert held.code() is grpc.StatusCode.CANCELLED
    next_one = partial(stub.SayHello.future, pb.HelloRequest(name="Ann"), credentials=of_grpcio())
    wait_until(lambda: next_one().exception(SOON) is None)


@pytest.mark.parametrize("mode", [{"async": True}, {"async": "lazy"}, {"sent": True}, {"return": False}])
def test_a_call_by_grpcio_obeys_the_configuration(
    greeting: Callable[..., Consumer], tls: EmbeddedProvider, certificates: Path, mode: dict[str, Any]
) -> None:
    """What a stub's plain call gives is what the method's settings say."""
    consumer = greeting(tls.url, ssl={"ca": str(certificates / "ca.pem")}, methods={"SayHello": mode})
    given = Shop(pb_grpc.GreeterStub(consumer.channel("greeter")), tls, consumer).greet(credentials=of_grpcio())
    if mode.get("async") is True:
        assert given is None
        given = RpcContext.get_context().get_future().result(SOON)
    tls.wait_for_calls("SayHello", 1)
    assert given is None if mode == {"return": False} else given.message == "Ann"
    assert tls.calls[0].metadata["x-who"] == "ann"


class Passing(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """What `grpc.intercept_channel` is given; with it, grpcio asks the channel anew for every call."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)


def test_a_call_by_grpcio_from_within_an_interceptor(shop: Shop) -> None:
    """It has the credentials that the stub was called with."""
    stub = pb_grpc.GreeterStub(grpc.intercept_channel(shop.consumer.channel("greeter"), Passing()))
    for _ in range(2):
        stub.SayHello(pb.HelloRequest(name="Ann"), credentials=of_grpcio())
        assert shop.seen("authorization", "x-who") == ["Bearer t", "ann"]
    assert sockets_to(shop.provider.url) == 1


def test_calls_by_grpcio_share_one_connection(shop: Shop, carrier: str) -> None:
    """Those of all stubs, in every kind of call; it is opened by the first of them, and closed with the consumer."""
    shop.greet(credentials=call_credentials("t"))
    assert sockets_to(shop.provider.url) == 1
    for call in CALLS.values():
        stub = pb_grpc.GreeterStub(shop.consumer.channel("greeter"))
        assert call(stub, credentials=of_grpcio())
    assert sockets_to(shop.provider.url) == (1 if carrier == "grpcio" else 2)
    pending = stub.SayHello.future(pb.HelloRequest(name="Ann"), credentials=grpc.metadata_call_credentials(silent))
    shop.consumer.close(timeout=0)
    assert isinstance(pending.exception(SOON), ConsumerClosed)
    wait_until(lambda: sockets_to(shop.provider.url) == 0)
    wait_until(lambda: not any(re.search("callahead-(tri|timer)|channel_spin", name) for name in thread_names()))


def thread_names() -> list[str]:
    """Names of all threads of this process."""
    return [thread.name for thread in threading.enumerate()]


def test_a_provider_that_leaves_is_left_by_grpcio_too(
    consume: Callable[..., Consumer], tls: EmbeddedProvider, certificates: Path
) -> None:
    """Its connections end with its last call, whoever carried that, and it is connected anew when it comes back."""
    reference = {"interface": "helloworld.Greeter", "registry": "main", "check": False, "timeout": 10000}
    reference["ssl"] = {"ca": str(certificates / "ca.pem")}
    with MemoryRegistry.named("credentials") as space:
        space.publish("helloworld.Greeter", [tls.url])
        consumer = consume(
            {"registries": {"main": {"address": "memory://credentials"}}, "references": {"greeter": reference}}
        )
        shop = Shop(pb_grpc.GreeterStub(consumer.channel("greeter")), tls, consumer)
        for _ in range(2):
            shop.greet()
            shop.greet(credentials=of_grpcio())
            space.publish("helloworld.Greeter", [])
            wait_until(lambda: sockets_to(tls.url) == 0)
            space.publish("helloworld.Greeter", [tls.url])
            wait_until(lambda: consumer.providers("greeter"))


def test_the_log_tells_once_that_grpcio_carries_calls(
    shop: Shop, carrier: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the place of the setting that says otherwise."""
    with caplog.at_level(logging.INFO, "callahead.consumer.tri"):
        for _ in range(2):
            shop.greet(credentials=of_grpcio())
    told = [record.getMessage() for record in caplog.records if "credentials" in record.getMessage()]
    assert len(told) == (carrier == "http2")
    assert all(re.search(r"^greeter: .*consumer0\.yml:\d+\)$", text) for text in told)


@pytest.mark.parametrize("part", [3, b"token", grpc.access_token_call_credentials("t")])
def test_what_is_no_part_of_credentials(part: Any) -> None:
    """Is said when they are made."""
    with pytest.raises(TypeError, match=type(part).__name__):
        call_credentials(part)


def test_credentials_of_nothing() -> None:
    """Are a mistake."""
    with pytest.raises(TypeError, match="need a plugin"):
        call_credentials()
