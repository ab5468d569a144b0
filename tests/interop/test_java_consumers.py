"""Real Java consumers, of Dubbo 2.7 and 3.3, call an EmbeddedProvider, and find there what a Java provider has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from callahead.consumer import RemoteError
from callahead.consumer.testing import EmbeddedProvider, ProviderCall
from tests.interop.provider import TOKEN, VERSIONS, build
from tests.interop.record_frames import OUTPUT, Consumer, FrameProxy
from tests.interop.services import Foo, Node, Person
from tests.interop.wires import java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

BUSINESS = "org.callahead.interop.BusinessException"
RPC = "org.apache.dubbo.rpc.RpcException"
RECORDED = {(one["dubbo"][:3], one["name"]): one["result"] for one in json.loads(OUTPUT.read_text())}
AS_OF_JAVA = (
    *("value", "object", "null", "void", "void-arguments", "emoji", "nested", "cycle", "async", "echo", "generic"),
    *("overload-two", "overload-array", "token", "group-version"),
    *("exception-declared", "exception-undeclared", "exception-nested", "exception-rpc"),
)


def declared(code: int, message: str) -> None:
    """A checked exception with a field."""
    raise RemoteError(message, type_name=BUSINESS, details={"message": message, "fields": {"code": code}})


def undeclared(message: str) -> None:
    """One of the JDK's."""
    raise RemoteError(message, type_name="java.lang.IllegalStateException")


def nested(message: str) -> None:
    """One with a cause, which Java reads as well."""
    cause = RemoteError("below", type_name="java.lang.IllegalArgumentException")
    raise RemoteError(message, type_name="java.lang.IllegalStateException") from cause


def rpc(code: int, message: str) -> None:
    """Dubbo's own."""
    raise RemoteError(message, type_name=RPC, details={"message": message, "fields": {"code": code}})


def make_ring(size: int) -> Node:
    """Nodes that point at each other and share a list."""
    nodes = [Node(str(number)) for number in range(size)]
    for number, node in enumerate(nodes):
        node.next, node.peers = nodes[(number + 1) % size], nodes
    return nodes[0]


def echo_after(text: str, delay_ms: int, call: ProviderCall) -> str:
    """Takes its time."""
    call.wait(delay_ms / 1000)
    return text


def reply(key: str, value: str, call: ProviderCall) -> str:
    """Answers with an attachment."""
    call.response_attachments[key] = value
    return value


def echo_person(person: Person) -> Person:
    """An object with a superclass, an enum, lists and maps, decoded to what is bound and encoded again."""
    assert isinstance(person, Person)
    return person


def find_foo(id: str | None, delay_ms: int) -> Foo | None:
    """An object, or null."""
    return None if id is None else Foo(id, f"foo-{id}", delay_ms)


SERVED: dict[str, dict[str, Any]] = {
    "EchoService": {"echo": lambda text: text, "echo_after": echo_after},
    "FooService": {"find_foo": find_foo},
    "TypesService": {"echo_person": echo_person, "make_ring": make_ring, "echo_long_list": lambda value: value},
    "OverloadService": {
        "of(java.lang.String,int)": "of(java.lang.String,int)",
        "of(java.lang.String[])": "of(java.lang.String[])",
        "of": "another",
    },
    "VoidService": {"run": None, "run_after": None},
    "ExceptionService": {"declared": declared, "undeclared": undeclared, "nested": nested, "rpc": rpc},
    "CounterService": {"touch_key": None},
    "AttachmentService": {"seen": lambda call: {"x-trace": call.attachments["x-trace"]}, "reply": reply},
}


class Met:
    """A Java consumer, the provider that it calls, and the proxy between them that keeps the frames.

    Dubbo makes 127.0.0.1 of a URL the machine's own address, where the proxy listens and an embedded provider does not.
    """

    def __init__(self, version: str, provider: EmbeddedProvider, proxy: FrameProxy, consumer: Consumer) -> None:
        self.version = version
        self.provider = provider
        self.proxy = proxy
        self.call = consumer.call


@pytest.fixture(scope="module", params=VERSIONS)
def met(request: pytest.FixtureRequest, java: None, bound: None) -> Iterator[Met]:
    """A consumer of each version, started once."""
    build()
    with EmbeddedProvider(protocol="dubbo") as provider:
        for service, functions in SERVED.items():
            provider.serve(java_name(service), functions, stub=f"tests.interop.services:{service}")
        provider.serve(java_name("TokenService"), secret="open", token=TOKEN)
        provider.serve(java_name("VariantService"), who_am_i="blue/2.0.0", group="blue", version="2.0.0")
        with FrameProxy(int(provider.address.rpartition(":")[2])) as proxy:
            consumer = Consumer(request.param, proxy.port)
            try:
                consumer.call("value")  # the provider's thread for functions is there before the first test
                yield Met(request.param, provider, proxy, consumer)
            finally:
                consumer.close()


@pytest.mark.parametrize("name", AS_OF_JAVA)
def test_it_finds_what_a_java_provider_answers(met: Met, name: str) -> None:
    """Values, objects, overloads, groups, tokens and exceptions are those of the recording, in which both are Java."""
    assert met.call(name) == RECORDED[met.version, name]


def test_items_are_of_the_declared_type(met: Met) -> None:
    """A small int of Python is an Integer by itself, which Java does not cast to the Long of its List<Long>."""
    assert met.call("longs") == "5"


def test_attachments_go_both_ways(met: Met) -> None:
    """The function sees the consumer's, the consumer the function's; 2.7 shows its callers none, of Java's either."""
    assert met.call("attachments") == "{x-trace=t-1}"
    assert met.call("attachments-back") == ("t-1 null" if met.version == "2.7" else "t-1 t-1")


def test_a_one_way_call_arrives(met: Met) -> None:
    """And no answer goes back."""
    met.proxy.take()
    assert met.call("one-way") == "null"
    assert met.provider.calls_of("touch_key")[-1].request == ("vector",)
    assert [frame["from"] for frame in met.proxy.take()] == ["consumer"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("token-missing", "Invalid token! Forbid invoke remote service interface org.callahead.interop.TokenService"),
        ("unknown-method", 'org.callahead.interop.EchoService has no method "noSuchMethod"'),
        ("unknown-service", 'no service "org.callahead.interop.dubbo.Stranger" is served'),
        ("unserializable", 'has no method "unserializable"'),
    ],
)
def test_it_is_told_why_it_is_refused(met: Met, name: str, text: str) -> None:
    """As an RpcException with the provider's words."""
    answer = met.call(name)
    assert answer.startswith(f"{RPC}: ")
    assert text in answer


def test_its_heartbeats_are_answered(met: Met) -> None:
    """2.5 s of silence with a heartbeat each second leave the connection as it is."""
    assert met.call("value") == "hello"
    met.proxy.take()
    assert met.call("idle") == "null"
    frames = met.proxy.take()
    beats = [frame["hex"][8:24] for frame in frames if frame["hex"].startswith("dabbe2")]
    answers = [frame["hex"][8:24] for frame in frames if frame["hex"].startswith("dabb2214")]
    assert len(beats) >= 1
    assert beats == answers
    assert met.call("value") == "hello"
