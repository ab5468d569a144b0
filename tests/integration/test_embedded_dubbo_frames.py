"""What real Java consumers sent, answered by an embedded provider as the real Java providers answered it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from raw_dubbo_client import RawClient, outcome

from callahead.consumer.codec.dubbo import EXCEPTION, decode_response
from callahead.consumer.codec.hessian2 import Int, JavaObject, JavaThrowable, TypedList, TypedMap, loads
from callahead.consumer.errors import RemoteError
from callahead.consumer.testing import EmbeddedProvider, ProviderCall
from callahead.consumer.wire import OK, Event, FrameReader, HeartbeatAnswer, ReadOnly, Request, Response

EXCHANGES = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "dubbo_frames.json").read_text())
RELEASES = ("2.7.23", "3.3.6")
INTEROP = "org.callahead.interop"
SAME_BYTES = (
    "value", "object", "null", "void", "void-arguments", "emoji", "nested", "cycle", "overload-two", "overload-array",
    "async", "attachments", "token", "group-version", "echo",
)  # fmt: skip


def find_foo(foo_id: str | None, delay_ms: int) -> Any:
    if foo_id is None:
        return None
    return JavaObject("com.alibaba.foo.Foo", {"delayMs": Int(delay_ms), "name": f"foo-{foo_id}", "id": foo_id})


def make_ring(count: int, call: ProviderCall) -> Any:
    """Each release of hessian-lite has its own way to write an ArrayList."""
    peers: list[Any] = [] if "timeout" in call.metadata else TypedList()
    nodes = [JavaObject(f"{INTEROP}.Node", {"peers": peers, "next": None, "name": str(i)}) for i in range(count)]
    for one, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        one.fields["next"] = following
    peers += nodes
    return nodes[0]


def seen(call: ProviderCall) -> Any:
    """Java's provider sees the length of the request, and its consumer's application, as attachments, too."""
    call.response_attachments["reply-x-trace"] = call.attachments["x-trace"]
    added = {
        "input": str(FRAME_LENGTHS[call.metadata.get("timeout")]),
        "remote.application": call.metadata["remote.application"],
    }
    return TypedMap({**added, **call.attachments}, "java.util.TreeMap")


# By the timeout, which only the newer consumer sends.
FRAME_LENGTHS = {None: 246, "10000": 260}


def declared(code: int, message: str) -> None:
    raise business_error(code, message, {"where": "provider", "why": "asked for"})


def business_error(code: int, message: str, details: dict[str, str]) -> RemoteError:
    fields = {"code": Int(code), "details": TypedMap(details, "java.util.LinkedHashMap")}
    return RemoteError(message, type_name=f"{INTEROP}.BusinessException", details={"fields": fields})


def undeclared(message: str) -> None:
    raise RemoteError(message, type_name="java.lang.IllegalStateException")


def nested(message: str) -> None:
    cause = RemoteError(f"cause of {message}", type_name="java.lang.IllegalArgumentException")
    cause.__cause__ = business_error(7, f"root of {message}", {})
    raise RemoteError(message, type_name="java.lang.IllegalStateException") from cause


def unserializable() -> object:
    return object()


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider(protocol="dubbo") as made:
        made.serve("com.alibaba.foo.FooService", find_foo=find_foo)
        made.serve(f"{INTEROP}.EchoService", echo=lambda text: text, echo_after=lambda text, delay_ms: text)
        made.serve(f"{INTEROP}.VoidService", run=None, run_after=lambda text, delay_ms: None)
        made.serve(f"{INTEROP}.TypesService", echo_person=lambda person: person, make_ring=make_ring)
        made.serve(
            f"{INTEROP}.OverloadService",
            {
                "of(java.lang.String,int)": "of(java.lang.String,int)",
                "of([Ljava/lang/String;)": "of(java.lang.String[])",
            },
        )
        made.serve(f"{INTEROP}.CounterService", touch_key=None)
        made.serve(f"{INTEROP}.AttachmentService", seen=seen)
        made.serve(f"{INTEROP}.TokenService", token="s3same", secret="open")
        for group, version in (("", ""), ("", "2.0.0"), ("blue", ""), ("blue", "2.0.0")):
            made.serve(f"{INTEROP}.VariantService", group=group, version=version, who_am_i=f"{group}/{version}")
        made.serve(
            f"{INTEROP}.ExceptionService",
            declared=declared,
            undeclared=undeclared,
            nested=nested,
            unserializable=unserializable,
        )
        yield made


def frames_of(name: str, release: str, side: str) -> list[bytes]:
    [exchange] = [each for each in EXCHANGES if (each["name"], each["dubbo"]) == (name, release)]
    return [bytes.fromhex(frame["hex"]) for frame in exchange["frames"] if frame["from"] == side]


def event_of(frame: bytes) -> Event:
    [event] = FrameReader().feed(frame)
    return event


def answers(provider: EmbeddedProvider, name: str, release: str) -> tuple[Response, Response]:
    """Give what Java's provider and what the embedded one answered to the first request of an exchange."""
    with RawClient(provider.address) as client:
        client.send(frames_of(name, release, "consumer")[0])
        answer = client.answer()
    recorded = event_of(frames_of(name, release, "provider")[0])
    assert isinstance(recorded, Response)
    return recorded, answer


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", SAME_BYTES)
def test_an_answer_has_the_bytes_of_java(provider: EmbeddedProvider, name: str, release: str) -> None:
    """The same id, status, body: values, circles, classes and attachments."""
    recorded, answer = answers(provider, name, release)

    assert recorded == answer


@pytest.mark.parametrize("release", RELEASES)
def test_a_generic_call_answers_the_map_of_java(provider: EmbeddedProvider, release: str) -> None:
    """Fields and class as a map; a map has no order that counts."""
    recorded, answer = answers(provider, "generic", release)

    assert outcome(recorded) == outcome(answer)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["exception-declared", "exception-undeclared", "exception-nested"])
def test_an_exception_is_that_of_java_but_for_its_stack(provider: EmbeddedProvider, name: str, release: str) -> None:
    """Status, kind, attachments, and of the exception and each cause the class, the fields and the message."""
    recorded, answer = answers(provider, name, release)

    assert (recorded.id, recorded.status) == (answer.id, answer.status)
    assert thrown_of(recorded) == thrown_of(answer)


def thrown_of(answer: Response) -> list[Any]:
    kind, thrown, attachments = decode_response(answer.body)
    assert kind == EXCEPTION
    chain: list[Any] = [attachments]
    while isinstance(thrown, JavaThrowable):
        own = {name: value for name, value in thrown.fields.items() if name not in ("stackTrace", "cause")}
        chain.append((thrown.java_class, own))
        thrown = thrown.cause
    return chain


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unknown-service", "Fail to decode request due to: "),
        ("unknown-method", "Fail to decode request due to: "),
        (
            "token-missing",
            (
                "org.apache.dubbo.rpc.RpcException: Invalid token! Forbid invoke remote service interface "
                "org.callahead.interop.TokenService method secret() from consumer "
            ),
        ),
        ("unserializable", "Failed to send response: "),
    ],
)
def test_a_refusal_has_the_status_of_java(provider: EmbeddedProvider, name: str, text: str, release: str) -> None:
    """Status 40, 70 or 50, each with a text that begins as Java's does."""
    recorded, answer = answers(provider, name, release)

    assert (recorded.id, recorded.status) == (answer.id, answer.status)
    assert loads(recorded.body).startswith(text)
    assert loads(answer.body).startswith(text)


@pytest.mark.parametrize("release", RELEASES)
def test_an_exhausted_pool_can_be_scripted(provider: EmbeddedProvider, release: str) -> None:
    """Java refuses with status 100 what finds no thread; so does a script, and only that call."""
    frames = frames_of("pool-exhausted", release, "consumer")
    provider.script("echoAfter", delay="50ms", times=1)
    provider.script("echoAfter", error=(100, "Thread pool is EXHAUSTED!"), times=1)

    with RawClient(provider.address) as client:
        for frame in frames:
            client.send(frame)
        refused, answered = client.answer(), client.answer()

    recorded = [event_of(frame) for frame in frames_of("pool-exhausted", release, "provider")]
    assert [(one.id, one.status) for one in recorded if isinstance(one, Response)] == [
        (refused.id, refused.status),
        (answered.id, answered.status),
    ]
    assert answered == recorded[1]


@pytest.mark.parametrize("release", RELEASES)
def test_a_one_way_request_is_run_and_not_answered(provider: EmbeddedProvider, release: str) -> None:
    """The answer to what is asked next is the first thing that comes."""
    with RawClient(provider.address) as client:
        client.send(frames_of("one-way", release, "consumer")[0])
        client.send(frames_of("void", release, "consumer")[0])
        answer = client.answer()

    provider.wait_for_calls("touchKey", 1)
    assert answer == event_of(frames_of("void", release, "provider")[0])
    assert provider.calls_of("touchKey")[-1].request == ("vector",)


@pytest.mark.parametrize("release", RELEASES)
def test_heartbeats_are_answered_as_by_java(provider: EmbeddedProvider, release: str) -> None:
    """Each with its id."""
    with RawClient(provider.address) as client:
        for frame in frames_of("idle", release, "consumer"):
            client.send(frame)
        answered = [client.event() for _ in frames_of("idle", release, "provider")]

    assert answered == [event_of(frame) for frame in frames_of("idle", release, "provider")]
    assert isinstance(answered[0], HeartbeatAnswer)


def test_a_stopping_provider_says_so_as_java() -> None:
    """The event of a stop, with the id that 2.7 gives it, and then the end."""
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve(f"{INTEROP}.VoidService", run=None)
        with RawClient(provider.address) as client:
            client.send(frames_of("void", "2.7.23", "consumer")[0])
            client.answer()
            provider.stop()
            event = client.event()
            with pytest.raises(EOFError):
                client.event()

    assert event == ReadOnly(0)
    assert frames_of("readonly", "2.7.23", "provider")[0] == bytes.fromhex("dabba2000000000000000000000000020152")


def test_all_recorded_requests_at_once(provider: EmbeddedProvider) -> None:
    """Every request of both releases in one write, on one connection: each two-way one gets one answer."""
    frames = [
        bytes.fromhex(frame["hex"]) for each in EXCHANGES for frame in each["frames"] if frame["from"] == "consumer"
    ]
    requests = [event for frame in frames if isinstance(event := event_of(frame), Request)]
    wanted = sorted(request.id for request in requests if request.two_way)

    with RawClient(provider.address) as client:
        client.send(b"".join(frames))
        heartbeats = len(frames) - len(requests)
        events = [client.event() for _ in range(len(wanted) + heartbeats)]

    answered = [event for event in events if isinstance(event, Response)]
    assert sorted(one.id for one in answered) == wanted
    assert sum(one.status == OK for one in answered) > len(answered) / 2
