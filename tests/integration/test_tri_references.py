"""References to a server in its own process, by every source of types, and its streaming methods."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from callahead.config.errors import ConfigError
from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    Consumer,
    ConsumerClosed,
    LimitExceeded,
    RemoteError,
    RpcContext,
    RpcError,
)
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

PROTO = Path(__file__).parents[1] / "support" / "protos" / "helloworld.proto"
Consume = Callable[..., Consumer]


@pytest.mark.parametrize(
    "source",
    [
        {"stub": "helloworld_pb2_grpc:GreeterStub"},
        {"stub": "helloworld_pb2_grpc"},
        {"module": "helloworld_pb2"},
        {"proto": str(PROTO)},
        {},
    ],
    ids=["stub class", "stub module", "module", "proto", "reflection"],
)
def test_each_source_of_types_serves_all_methods(consume: Consume, server: ProviderProcess, source: Any) -> None:
    """Unary and all streaming kinds work whichever way the types were found."""
    reference = {"interface": "helloworld.Greeter", "url": server.url, "timeout": 10000, **source}
    greeter = consume({"references": {"greeter": reference}}).reference("greeter")
    assert greeter.say_hello(name="Ann").message == "Hello, Ann"
    assert greeter.SayHello({"name": "Bob"}).message == "Hello, Bob"
    assert [reply.message for reply in greeter.spell_hello(name="ab")] == ["Hello, a", "Hello, b"]
    assert greeter.gather_hellos([{"name": "a"}, {"name": "b"}]).message == "Hello, a and b"
    assert [reply.message for reply in greeter.chat_hello(iter([{"name": "a"}]))] == ["Hello, a"]


@pytest.mark.parametrize(
    ("interface", "module", "method", "argument"),
    [
        ("grpc.health.v1.Health", "grpc_health.v1.health_pb2", "check", {"service": ""}),
        ("grpc.health.v1.Health", None, "check", {"service": ""}),
    ],
)
def test_a_public_service_by_module_and_by_reflection(
    consume: Consume, server: ProviderProcess, interface: str, module: str | None, method: str, argument: Any
) -> None:
    """GRPC's own health service is called like any other."""
    reference = {"interface": interface, "url": server.url, "timeout": 10000} | ({"module": module} if module else {})
    health = consume({"references": {"health": reference}}).reference("health")
    assert getattr(health, method)(argument).status == 1


def test_reflection_of_a_closed_port(consume: Consume, closed_port: str) -> None:
    """Types that cannot be asked for are an error of the reference, which says why."""
    consumer = consume({"references": {"greeter": {"interface": "helloworld.Greeter", "url": closed_port}}})
    with pytest.raises(ConnectFailed, match="cannot ask the server for the methods") as caught:
        consumer.reference("greeter")
    assert caught.value.not_sent


def test_a_stream_takes_metadata_and_deadline_along(greeting: Consume, provider: EmbeddedProvider) -> None:
    """A server stream carries attachments, those of the call and those of the YAML, and the configured deadline."""
    consumer = greeting(provider.url, timeout=7000, total_timeout=8000, parameters={"x-yaml": "1"})
    RpcContext.get_context().attachments["x-call"] = "2"
    assert [reply.message for reply in consumer.reference("greeter").spell_hello(name="ab")] == ["a", "b"]
    (call,) = provider.calls
    assert call.attachments == {"x-yaml": "1", "x-call": "2"}
    assert call.timeout is not None
    assert 7 < call.timeout <= 8 * 1.02  # gRPC rounds up to what its header can say
    assert dict(RpcContext.get_context().attachments) == {}


def test_a_stream_has_no_deadline_unless_configured(consume: Consume, provider: EmbeddedProvider) -> None:
    """The built-in second does not end a stream."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": provider.url}
    greeter = consume({"references": {"greeter": reference}}).reference("greeter")
    assert len(list(greeter.spell_hello(name="abc"))) == 3
    assert provider.calls[0].timeout is None


def test_cancelling_a_stream_resets_it_at_the_server(greeting: Consume, provider: EmbeddedProvider) -> None:
    """cancel() ends the iteration with CancelledError, and the server sees it."""
    provider.script("SpellHello", hang=True)
    stream = greeting(provider.url).reference("greeter").spell_hello(name="a")
    provider.wait_for_calls("SpellHello", 1)
    timer = threading.Timer(0.1, stream.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        next(stream)
    timer.join()
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


def test_the_errors_of_streams_are_ours(greeting: Consume, provider: EmbeddedProvider) -> None:
    """A stream that fails raises our error with reference, method and provider, for all three kinds."""
    provider.script("*", error=("NOT_FOUND", "no such name"))
    greeter = greeting(provider.url).reference("greeter")
    begin: dict[str, Callable[[], Any]] = {
        "SpellHello": lambda: next(greeter.spell_hello(name="a")),
        "ChatHello": lambda: next(greeter.chat_hello([{"name": "a"}])),
        "GatherHellos": lambda: greeter.gather_hellos([{"name": "a"}]),
    }
    for method, call in begin.items():
        with pytest.raises(RemoteError, match="NOT_FOUND: no such name") as caught:
            call()
        error = caught.value
        assert (error.reference, error.method, error.endpoint) == ("greeter", method, provider.url)
        assert (error.status, error.is_remote, error.attempt) == ("NOT_FOUND", True, 1)


@pytest.mark.parametrize("method", ["spell_hello", "gather_hellos"])
def test_the_deadline_of_a_stream(greeting: Consume, provider: EmbeddedProvider, method: str) -> None:
    """A configured timeout ends a stream as CallTimeout, in doubt."""
    provider.script("*", hang=True)
    greeter = greeting(provider.url, timeout=200).reference("greeter")
    with pytest.raises(CallTimeout, match=r"no answer within 200 ms") as caught:
        next(greeter.spell_hello(name="a")) if method == "spell_hello" else greeter.gather_hellos([{"name": "a"}])
    assert caught.value.in_doubt


def test_a_stream_to_nobody(greeting: Consume, closed_port: str) -> None:
    """A stream that finds no connection fails as not sent."""
    with pytest.raises(ConnectFailed) as caught:
        next(greeting(closed_port).reference("greeter").spell_hello(name="a"))
    assert caught.value.not_sent
    assert caught.value.reference == "greeter"


def test_requests_that_raise_end_the_stream(greeting: Consume, provider: EmbeddedProvider) -> None:
    """An iterable of requests that raises is an error of the call, which ends in bounded time."""

    def requests() -> Iterator[dict[str, str]]:
        yield {"name": "a"}
        raise RuntimeError("no more names")

    greeter = greeting(provider.url).reference("greeter")
    with pytest.raises(RpcError, match="request"):
        greeter.gather_hellos(requests())


def test_requests_that_do_not_fit(greeting: Consume, provider: EmbeddedProvider) -> None:
    """A request in the stream that does not fit the message is an error that names what is wrong with it."""
    greeter = greeting(provider.url).reference("greeter")
    with pytest.raises(RpcError, match="nmae"):
        greeter.gather_hellos([{"nmae": "a"}])


def test_a_stream_of_too_large_an_answer(greeting: Consume, provider: EmbeddedProvider) -> None:
    """The limit of answers holds for streams too, with numbers and the line of the setting."""
    provider.script("SpellHello", answer=[{"message": "x" * 2000}])
    consumer = greeting(provider.url, max_response_bytes=1000)
    with pytest.raises(LimitExceeded) as caught:
        next(consumer.reference("greeter").spell_hello(name="a"))
    line = f"{consumer.config.source}:{_line(consumer, 'max_response_bytes')}"
    assert caught.value.message == (
        f"the answer has 2003 bytes, more than the 1000 that max_response_bytes allows ({line})"
    )


def _line(consumer: Consumer, key: str) -> int:
    lines = Path(consumer.config.source).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if key in line)


@pytest.mark.parametrize("setting", [{"async": True}, {"return": False}, {"sent": True}])
def test_modes_of_streaming_methods_are_config_errors(
    greeting: Consume, provider: EmbeddedProvider, setting: dict[str, bool]
) -> None:
    """A streaming method that is told to be asynchronous, one-way or sent is refused at its line."""
    consumer = greeting(provider.url, methods={"spellHello": setting})
    with pytest.raises(ConfigError) as caught:
        consumer.reference("greeter")
    (key,) = setting
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (consumer.config.source, _line(consumer, f"{key}:"))
    assert "stream" in problem.text


def test_a_stream_after_close(greeting: Consume, provider: EmbeddedProvider) -> None:
    """A closed consumer begins no stream."""
    consumer = greeting(provider.url)
    spell = consumer.reference("greeter").spell_hello
    consumer.close()
    with pytest.raises(ConsumerClosed, match="the consumer is closed"):
        spell(name="a")


def test_the_context_after_a_stream(greeting: Consume, provider: EmbeddedProvider) -> None:
    """A stream leaves a record of its provider, no future, and what the provider sent beside it."""
    list(greeting(provider.url).reference("greeter").spell_hello(name="a"))
    context = RpcContext.get_context()
    last = context.last_call
    assert last is not None
    assert (last.reference, last.method, last.provider) == ("greeter", "SpellHello", provider.url)
    with pytest.raises(LookupError, match="it is a streaming method"):
        context.get_future()
