"""An embedded provider over the dubbo protocol: what it serves, its scripts, its records, its end."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from raw_dubbo_client import RawClient, outcome
from support.dubbo_bodies import request_body

from callahead.config.policy import SslPolicy
from callahead.consumer.codec.dubbo import EXCEPTION, INVOKE, NULL, VALUE, make_throwable
from callahead.consumer.codec.hessian2 import JavaObject, java_array, java_type
from callahead.consumer.errors import LimitExceeded, RemoteError
from callahead.consumer.interface.java.signature import INVOKE_SIGNATURE
from callahead.consumer.testing import EmbeddedProvider, ProviderCall
from callahead.consumer.wire import ReadOnly, Response, heartbeat_frame, request_frame

FOO = "com.alibaba.foo.FooService"
ONE = "Ljava/lang/String;"
TWO = "Ljava/lang/String;I"
PLAIN: dict[str, Any] = {}


@java_type("com.alibaba.foo.EmbeddedFoo")
@dataclass
class Foo:
    foo_id: int
    name: str = ""


@java_type("com.alibaba.foo.EmbeddedColour")
class Colour(Enum):
    RED = 1


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider(protocol="dubbo") as made:
        made.serve(FOO, find_foo=lambda name: f"foo {name}")
        yield made


@pytest.fixture
def client(provider: EmbeddedProvider) -> Iterator[RawClient]:
    with RawClient(provider.address) as made:
        yield made


def thrown(answer: Any) -> tuple[str, str | None]:
    kind, error, _ = answer
    assert kind == EXCEPTION
    return error.java_class, error.message


# What it serves


def test_the_url_names_the_protocol(provider: EmbeddedProvider) -> None:
    """It can be given to a reference as it is."""
    assert provider.url == f"dubbo://{provider.address}"


def test_a_function_takes_the_arguments(provider: EmbeddedProvider, client: RawClient) -> None:
    """As positions, decoded; its value is the answer, and a fixed answer needs no function."""
    provider.serve(FOO, both=lambda text, number: {text: number + 1}, fixed=[1, 2], nothing=lambda: None)
    assert client.ask(FOO, "both", TWO, "x", 2) == (VALUE, {"x": 3}, PLAIN)
    assert client.ask(FOO, "fixed", TWO, "x", 2) == (VALUE, [1, 2], PLAIN)
    assert client.ask(FOO, "nothing") == (NULL, None, PLAIN)


def test_an_object_serves_its_public_methods(provider: EmbeddedProvider, client: RawClient) -> None:
    """In Java's spelling or Python's."""

    class Service:
        size = 3

        def find_bar(self, name: str) -> str:
            return f"bar {name}"

        def _hidden(self, name: str) -> str:
            raise AssertionError(name)

    provider.serve("com.alibaba.bar.BarService", Service())
    assert client.ask("com.alibaba.bar.BarService", "findBar", ONE, "x")[1] == "bar x"
    assert client.ask("com.alibaba.bar.BarService", "find_bar", ONE, "x")[1] == "bar x"
    assert client.ask("com.alibaba.bar.BarService", "_hidden", ONE, "x")[0] == 40
    assert client.ask("com.alibaba.bar.BarService", "size")[0] == 40


def test_the_call_is_the_last_argument_where_there_is_room(provider: EmbeddedProvider, client: RawClient) -> None:
    """Attachments come in and go out with it, and the deadline and the client are known."""

    def find_foo(name: str, call: ProviderCall) -> str:
        call.response_attachments.update(call.attachments, count=7)
        return f"{call.interface} {call.method} {call.timeout}"

    provider.serve(FOO, find_foo=find_foo)
    answer = client.ask(FOO, "findFoo", ONE, "x", who="ann", timeout="1500", token="t", path=FOO, group="")
    assert answer == (VALUE, f"{FOO} findFoo 1.5", {"who": "ann", "count": 7})
    [call] = provider.calls
    assert (call.request, call.attachments, call.metadata["token"]) == (("x",), {"who": "ann"}, "t")
    assert call.peer == f"ipv4:127.0.0.1:{client.socket.getsockname()[1]}"


@pytest.mark.parametrize(("sent", "seconds"), [(None, None), ("soon", None), (250, 0.25), ("250", 0.25)])
def test_a_timeout_that_is_none_is_none(client: RawClient, provider: EmbeddedProvider, sent: Any, seconds: Any) -> None:
    """Java sends text; others send numbers, or nothing."""
    client.ask(FOO, "findFoo", ONE, "x", timeout=sent)
    assert provider.calls[0].timeout == seconds


def test_an_old_consumer_gets_no_attachments(provider: EmbeddedProvider, client: RawClient) -> None:
    """One that names its release in the place of the protocol cannot read them."""
    body = request_body(FOO, "findFoo", ONE, ("x",))
    client.send(request_frame(1, body.replace(b"2.0.2", b"2.5.3", 1)))
    assert client.answer().body == b"\x91\x05foo x"


def test_overloads_are_told_apart_by_their_types(provider: EmbeddedProvider, client: RawClient) -> None:
    """An overload goes before a function for all the others; both spellings of types are read."""
    provider.serve(
        FOO,
        {
            "of(java.lang.String)": "text",
            "of(Ljava/lang/String;I)": "two",
            "of(java.util.Map<java.lang.String,int[]>)": "map",
            "of": lambda *args: len(args),
        },
    )
    assert client.ask(FOO, "of", ONE, "x")[1] == "text"
    assert client.ask(FOO, "of", TWO, "x", 1)[1] == "two"
    assert client.ask(FOO, "of", "Ljava/util/Map;", {})[1] == "map"
    assert client.ask(FOO, "of", "III", 1, 2, 3)[1] == 3


def test_group_and_version_choose_the_service(provider: EmbeddedProvider, client: RawClient) -> None:
    """What is served in no such group or version is refused with what is."""
    provider.serve(FOO, group="blue", version="2.0.0", find_foo="blue")
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"
    assert client.ask(FOO, "findFoo", ONE, "x", version="2.0.0", group="blue")[1] == "blue"
    assert client.ask(FOO, "findFoo", ONE, "x", version="2.0.0") == (
        70,
        (
            f"org.apache.dubbo.remoting.RemotingException: Not found exported service: {FOO}:2.0.0 "
            f"in [{FOO}, blue/{FOO}:2.0.0], may be version or group mismatch"
        ),
    )


def test_a_token_is_asked_for(provider: EmbeddedProvider, client: RawClient) -> None:
    """Without it, or with another one, nothing runs; serving more functions keeps it."""
    provider.serve(FOO, token="secret")
    provider.serve(FOO, other=1)
    for given, shown in ({}, "null"), ({"token": "guess"}, "another one"):
        status, text = client.ask(FOO, "other", **given)
        assert status == 70
        assert text.endswith(f"incorrect token is {shown}")
        assert "secret" not in text
    assert invoke(client, "other", None)[0] == 70
    assert client.ask(FOO, "other", token="secret")[1] == 1
    assert provider.count() == 1


def test_what_is_not_served_is_a_bad_request(provider: EmbeddedProvider, client: RawClient) -> None:
    """The text begins as Java's, and says what was meant."""
    begin = "Fail to decode request due to: RpcInvocation [methodName={}, parameterTypes=null]: "
    assert client.ask(FOO, "findFo", ONE, "x") == (
        40,
        begin.format("findFo") + f'{FOO} has no method "findFo" (did you mean "findFoo"?)',
    )
    assert client.ask(FOO, "findFoo", "III", 1, 2, 3) == (
        40,
        begin.format("findFoo") + f'{FOO} serves "findFoo", but not with these 3 arguments',
    )
    assert client.ask("com.alibaba.foo.FooServic", "findFoo", ONE, "x") == (
        40,
        begin.format("findFoo") + f'no service "com.alibaba.foo.FooServic" is served (did you mean "{FOO}"?)',
    )
    assert provider.calls == ()


def test_echo_is_answered_by_every_service(provider: EmbeddedProvider, client: RawClient) -> None:
    """It needs no function and no token, and is no call of the test's; a function of that name goes before."""
    provider.serve(FOO, token="secret")
    assert client.ask(FOO, "$echo", "Ljava/lang/Object;", "ping") == (VALUE, "ping", PLAIN)
    assert client.ask(FOO, "$echo", "Ljava/lang/Object;", None) == (NULL, None, PLAIN)
    assert provider.calls == ()
    provider.serve(FOO, {"$echo": "own"}, token="")
    assert client.ask(FOO, "$echo", "Ljava/lang/Object;", "ping")[1] == "own"


# Generic calls


def invoke(client: RawClient, method: str, types: list[str] | None, *args: Any, generic: str = "true") -> Any:
    erased = None if types is None else java_array("java.lang.String", types)
    arguments = method, erased, java_array("java.lang.Object", args)
    return client.ask(FOO, INVOKE, INVOKE_SIGNATURE.descriptor, *arguments, generic=generic)


def test_a_generic_call_meets_the_same_function(provider: EmbeddedProvider, client: RawClient) -> None:
    """Maps become the objects that the direct call brings, and objects become maps again."""
    got: list[Any] = []

    def find_foo(*args: Any) -> Any:
        got.append(args)
        return [Foo(5, "five"), Colour.RED]

    provider.serve(FOO, find_foo=find_foo)
    stranger = {"class": "com.alibaba.foo.Stranger", "inner": {"class": "com.alibaba.foo.EmbeddedFoo", "fooId": 1}}
    types = ["com.alibaba.foo.EmbeddedFoo", "com.alibaba.foo.EmbeddedColour", "java.lang.Object", "[I"]
    answer = invoke(client, "findFoo", types, {"fooId": 2, "name": "two"}, "RED", stranger, [1])
    assert got == [(Foo(2, "two"), Colour.RED, JavaObject("com.alibaba.foo.Stranger", {"inner": Foo(1)}), [1])]
    assert answer[1] == [{"fooId": 5, "name": "five", "class": "com.alibaba.foo.EmbeddedFoo"}, "RED"]
    assert provider.calls[0].method == "findFoo"


def test_a_generic_call_finds_its_overload(provider: EmbeddedProvider, client: RawClient) -> None:
    """By its types, or without them by the number of its arguments."""
    provider.serve(FOO, {"of(int)": "one", "of(int,int)": "two"})
    assert invoke(client, "of", ["int"], 1)[1] == "one"
    assert invoke(client, "of", None, 1, 2)[1] == "two"


def test_a_generic_call_fails_by_name(provider: EmbeddedProvider, client: RawClient) -> None:
    """An exception is told as GenericException; what cannot be called is a service error."""

    def fail(name: str) -> None:
        raise RemoteError(name, type_name="com.alibaba.foo.NoSuchFoo")

    provider.serve(FOO, find_foo=fail)
    kind, error, _ = invoke(client, "findFoo", None, "x")
    assert (kind, error.java_class) == (EXCEPTION, "org.apache.dubbo.rpc.service.GenericException")
    assert (error["exceptionClass"], error["exceptionMessage"]) == ("com.alibaba.foo.NoSuchFoo", "x")
    assert invoke(client, "findFo", None, "x") == (
        70,
        (
            "org.apache.dubbo.rpc.RpcException: java.lang.NoSuchMethodException: "
            f'{FOO} has no method "findFo" (did you mean "findFoo"?)'
        ),
    )
    assert invoke(client, "findFoo", ["com.alibaba.foo.EmbeddedColour"], "BLUE") == (
        70,
        (
            "org.apache.dubbo.rpc.RpcException: the arguments of $invoke cannot be read: "
            "com.alibaba.foo.EmbeddedColour has no constant 'BLUE'"
        ),
    )
    assert invoke(client, "findFoo", ["int", "int"], 1) == (
        70,
        "org.apache.dubbo.rpc.RpcException: $invoke names 2 types for 1 arguments",
    )
    assert invoke(client, "findFoo", ["1nt"], 1)[0] == 70
    assert invoke(client, "findFoo", None, "x", generic="bean") == (
        70,
        'org.apache.dubbo.rpc.RpcException: generic="bean" is not served by an embedded provider',
    )


# Errors


def test_an_exception_of_a_function_is_a_java_exception(provider: EmbeddedProvider, client: RawClient) -> None:
    """A named class with message, fields and cause; any other is a RuntimeException that says what it was."""

    def fail(name: str, call: ProviderCall) -> None:
        call.response_attachments["seen"] = "yes"
        if name == "key":
            raise KeyError("foo")
        cause = RemoteError("below", type_name="java.io.IOException")
        raise RemoteError("no foo", type_name="com.x.NoFoo", details={"fields": {"code": 5}}) from cause

    provider.serve(FOO, find_foo=fail)
    kind, error, attachments = client.ask(FOO, "findFoo", ONE, "x")
    assert (kind, error.java_class, error.message, error["code"]) == (EXCEPTION, "com.x.NoFoo", "no foo", 5)
    assert (error.cause.java_class, error.cause.message) == ("java.io.IOException", "below")
    assert attachments["seen"] == "yes"
    assert thrown(client.ask(FOO, "findFoo", ONE, "key")) == ("java.lang.RuntimeException", "KeyError: 'foo'")
    assert [call.outcome for call in provider.calls] == ["com.x.NoFoo", "java.lang.RuntimeException"]


def test_an_exception_of_another_provider_passes_through(provider: EmbeddedProvider, client: RawClient) -> None:
    """What a reference raised is sent on as it came."""
    original = make_throwable("com.x.NoFoo", "no foo", fields={"code": 5})
    provider.script("findFoo", error=RemoteError("x", type_name="y.Z", details={"thrown": original}), times=1)
    provider.script("findFoo", error=original, times=1)
    for _ in range(2):
        _, error, _ = client.ask(FOO, "findFoo", ONE, "x")
        assert (error.java_class, error.message, error["code"]) == ("com.x.NoFoo", "no foo", 5)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (100, 100, "scripted"),
        ("31", 31, "scripted"),
        (("SERVER_TIMEOUT", "too slow"), 31, "too slow"),
        (LimitExceeded("full", status="100"), 100, "full"),
    ],
)
def test_a_status_is_a_text(provider: EmbeddedProvider, client: RawClient, error: Any, status: int, text: str) -> None:
    """By number or name, scripted or raised."""
    provider.script("findFoo", error=error)
    assert client.ask(FOO, "findFoo", ONE, "x") == (status, text)


def test_a_handler_may_abort(provider: EmbeddedProvider, client: RawClient) -> None:
    """With a Java class or a status."""

    def find_foo(name: str, call: ProviderCall) -> None:
        call.abort(name, "no")

    provider.serve(FOO, find_foo=find_foo)
    assert thrown(client.ask(FOO, "findFoo", ONE, "com.x.NoFoo")) == ("com.x.NoFoo", "no")
    assert client.ask(FOO, "findFoo", ONE, "SERVICE_ERROR") == (70, "no")
    assert [call.outcome for call in provider.calls] == ["com.x.NoFoo", "SERVICE_ERROR"]


def test_an_answer_without_a_java_form_is_a_bad_response(provider: EmbeddedProvider, client: RawClient) -> None:
    """A value, an attachment or an exception's field; only that call fails."""

    def attach(call: ProviderCall) -> None:
        call.response_attachments["x"] = [1]

    bad = RemoteError("x", type_name="com.x.Y", details={"fields": {"code": object()}})
    provider.serve(FOO, value=lambda: object(), attach=attach, fail=lambda: None)
    provider.script("fail", error=bad)
    for method in ("value", "attach", "fail"):
        status, text = client.ask(FOO, method)
        assert status == 50
        assert text.startswith(f"Failed to send response: the answer of {FOO}.{method}, cause: ")
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


# What a test tells it


def test_a_script_delays_fails_answers_and_ends(provider: EmbeddedProvider, client: RawClient) -> None:
    """As over tri: in order, each for its number of calls."""
    provider.script("findFoo", delay="100ms", times=1)
    provider.script("find_foo", error=("com.x.NoFoo", "no"), times=1)
    provider.script("FooService.findFoo", answer={"id": 1}, times=1)
    began = time.monotonic()
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"
    assert time.monotonic() - began >= 0.1
    assert thrown(client.ask(FOO, "findFoo", ONE, "x")) == ("com.x.NoFoo", "no")
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == {"id": 1}
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


def test_a_hung_call_is_overtaken(provider: EmbeddedProvider, client: RawClient) -> None:
    """Nothing waits behind it, and it is cancelled with its connection."""
    provider.script("findFoo", hang=True, times=1)
    client.call(FOO, "findFoo", ONE, "hung")
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"
    client.socket.close()
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


def test_waiting_calls_take_no_thread(provider: EmbeddedProvider, client: RawClient) -> None:
    """A thousand that hang or wait need the threads of the sockets and of the clock, and no other."""
    provider.script("findFoo", delay="1m", times=500)
    provider.script("findFoo", hang=True)
    for _ in range(1000):
        client.call(FOO, "findFoo", ONE, "x")
    provider.wait_for_calls("findFoo", 1000)
    own = [thread for thread in threading.enumerate() if thread.name.startswith("EmbeddedProvider")]
    assert len(own) == 2
    client.socket.close()
    assert {call.wait_ended(5) for call in provider.calls} == {"CANCELLED"}


def test_delays_run_at_the_same_time(provider: EmbeddedProvider, client: RawClient) -> None:
    """A thousand delays take hardly longer than one."""
    provider.script("findFoo", delay=300)
    began = time.monotonic()
    numbers = {client.call(FOO, "findFoo", ONE, "x") for _ in range(1000)}
    assert {client.answer().id for _ in range(1000)} == numbers
    assert 0.3 <= time.monotonic() - began < 30


def test_calls_run_at_once(provider: EmbeddedProvider, client: RawClient) -> None:
    """Functions that wait for each other all come to their end."""
    together = threading.Barrier(8)
    provider.serve(FOO, meet=lambda: together.wait(5))
    for _ in range(8):
        client.call(FOO, "meet")
    assert sorted(outcome(client.answer())[1] for _ in range(8)) == list(range(8))


def test_one_way_calls_are_counted_and_not_answered(provider: EmbeddedProvider, client: RawClient) -> None:
    """Well, badly, unknown or unreadable: what comes first is the answer to what is asked last."""
    provider.script("findFoo", error="com.x.NoFoo", times=1)
    for _ in range(2):
        client.call(FOO, "findFoo", ONE, "x", two_way=False)
    client.call(FOO, "unknown", two_way=False)
    client.send(request_frame(9, b"junk", two_way=False))
    provider.wait_for_calls("findFoo", 2)
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"
    assert provider.count("findFoo") == 3


def test_functions_may_be_changed_while_it_runs(provider: EmbeddedProvider, client: RawClient) -> None:
    """The next call meets the new one; the others stay."""
    provider.serve(FOO, other=1)
    client.ask(FOO, "findFoo", ONE, "x")
    provider.serve(FOO, findFoo="new")
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "new"
    assert client.ask(FOO, "other")[1] == 1
    assert [call.method for call in provider.calls_of("find_foo")] == ["findFoo", "findFoo"]


# Bad bytes


def test_bad_bytes_end_only_their_connection(provider: EmbeddedProvider, client: RawClient) -> None:
    """Garbage without an end is cut off; a neighbour notices nothing."""
    with RawClient(provider.address) as bad:
        bad.send(b"GET / HTTP/1.1\r\n" * 1000)
        with pytest.raises((EOFError, ConnectionResetError)):
            bad.event()
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (request_frame(5, b"junk"), "Fail to decode request due to: "),
        (request_frame(5, b"\x052.0.2"), "Fail to decode request due to: "),
        (
            b"\xda\xbb\xc6\0" + (5).to_bytes(8, "big") + b"\0\0\0\1x",
            "Fail to decode request due to: the request (status",
        ),
        (
            b"\xda\xbb\xc2\0" + (5).to_bytes(8, "big") + (9_000_000).to_bytes(4, "big") + bytes(9_000_000),
            "Fail to decode request due to: the request has 9000000 bytes, more than the 8388608 that ",
        ),
    ],
    ids=["no hessian", "half a body", "another serialization", "too large"],
)
def test_a_bad_request_is_answered_so(client: RawClient, frame: bytes, text: str) -> None:
    """Status 40 for that id, and the connection goes on."""
    client.send(frame)
    answer = client.answer()
    assert answer.id == 5
    status, said = outcome(answer)
    assert status == 40
    assert said.startswith(text)
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


def test_a_client_may_come_and_go(provider: EmbeddedProvider, client: RawClient) -> None:
    """With half a frame, with calls in flight, with a heartbeat and gone."""
    provider.script("findFoo", delay=20, times=50)
    for number in range(20):
        with RawClient(provider.address) as other:
            other.send(heartbeat_frame(1))
            other.call(FOO, "findFoo", ONE, "x")
            other.send(b"\xda\xbb\xc2\0"[: number % 5])
    provider.clear_script()
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


def test_a_client_that_does_not_read_holds_up_nobody(provider: EmbeddedProvider, client: RawClient) -> None:
    """64 MB of answers wait for it while others are answered, and then it gets all of them."""
    provider.serve(FOO, large=bytes(1_000_000))
    with RawClient(provider.address) as slow:
        for _ in range(64):
            slow.call(FOO, "large")
        assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"
        assert [len(outcome(slow.answer())[1]) for _ in range(64)] == [1_000_000] * 64


# Its life


def test_stop_lets_running_calls_end(provider: EmbeddedProvider, client: RawClient) -> None:
    """The read-only event first, then the answers, then the end."""
    provider.script("findFoo", delay=200)
    client.call(FOO, "findFoo", ONE, "x")
    provider.wait_for_calls("findFoo", 1)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(provider.stop)
        assert client.event() == ReadOnly(0)
        assert outcome(client.answer())[1] == "foo x"
        with pytest.raises(EOFError):
            client.event()
        stopping.result(5)
    assert provider.calls[0].outcome == "OK"


def test_stop_writes_what_a_slow_client_has_not_read(provider: EmbeddedProvider, client: RawClient) -> None:
    """Answers of 14 MB, more than the kernel holds and less than stops the reading, arrive whole, and then the end."""
    provider.serve(FOO, large=bytes(1_000_000))
    for _ in range(14):
        client.call(FOO, "large")
    provider.wait_for_calls("large", 14)
    assert {call.wait_ended(5) for call in provider.calls} == {"OK"}
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(provider.stop)
        with pytest.raises(ConnectionRefusedError):
            until_refused(provider.address)
        events = [client.event() for _ in range(15)]
        with pytest.raises(EOFError):
            client.event()
        stopping.result(5)
    assert sum(isinstance(event, Response) and len(event.body) > 1_000_000 for event in events) == 14


def until_refused(address: str) -> None:
    """Connect until nobody listens any more: the provider has begun to stop."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionResetError):  # it came just before the listener went
            RawClient(address).socket.close()


def test_stop_waits_for_nobody_who_has_gone() -> None:
    """Hung calls, and calls whose client's deadline is over, end as cancelled at once."""
    with EmbeddedProvider(protocol="dubbo", stop_timeout=60) as provider:
        provider.serve(FOO, find_foo=1)
        provider.script("findFoo", hang=True, times=1)
        provider.script("findFoo", delay="1m", times=1)
        with RawClient(provider.address) as client:
            client.call(FOO, "findFoo", ONE, "x")
            client.call(FOO, "findFoo", ONE, "x", timeout="1")
            provider.wait_for_calls("findFoo", 2)
            began = time.monotonic()
            provider.stop()
            assert time.monotonic() - began < 30  # of the minute that it would wait
            assert client.event() == ReadOnly(0)
    assert [call.outcome for call in provider.calls] == ["CANCELLED", "CANCELLED"]


def test_stop_waits_no_longer_than_it_was_told() -> None:
    """A call that takes too long is cut off."""
    with EmbeddedProvider(protocol="dubbo", stop_timeout=0.2) as provider:
        provider.serve(FOO, find_foo=1)
        provider.script("findFoo", delay="1m")
        with RawClient(provider.address) as client:
            client.call(FOO, "findFoo", ONE, "x")
            provider.wait_for_calls("findFoo", 1)
            began = time.monotonic()
            provider.stop()
            assert 0.2 <= time.monotonic() - began < 30


def test_kill_drops_connections_and_restart_takes_the_same_port(provider: EmbeddedProvider, client: RawClient) -> None:
    """Running calls end as cancelled, connections are reset, new ones refused until it is back with its scripts."""
    url = provider.url
    provider.script("findFoo", hang=True, times=1)
    provider.script("findFoo", answer="back", times=1)
    client.call(FOO, "findFoo", ONE, "x")
    provider.wait_for_calls("findFoo", 1)
    provider.kill()
    with pytest.raises(ConnectionResetError):
        client.event()
    assert provider.calls[0].outcome == "CANCELLED"
    with pytest.raises(ConnectionRefusedError):
        RawClient(provider.address)
    provider.restart()
    assert provider.url == url
    with RawClient(provider.address) as again:
        assert again.ask(FOO, "findFoo", ONE, "x")[1] == "back"
    assert provider.count("findFoo") == 2


def test_a_handler_that_waits_wakes_when_its_client_goes(provider: EmbeddedProvider, client: RawClient) -> None:
    """A function may sleep without holding up a stop."""
    provider.serve(FOO, find_foo=lambda name, call: call.wait(60))
    client.call(FOO, "findFoo", ONE, "x")
    provider.wait_for_calls("findFoo", 1)
    began = time.monotonic()
    client.socket.close()
    assert provider.calls[0].wait_ended(5) == "CANCELLED"
    provider.kill()
    assert time.monotonic() - began < 30


def test_two_providers_are_two_ports(provider: EmbeddedProvider, client: RawClient) -> None:
    """Each with services of its own."""
    with EmbeddedProvider(protocol="dubbo") as other:
        other.serve(FOO, find_foo="other")
        with RawClient(other.address) as asking:
            assert asking.ask(FOO, "findFoo", ONE, "x")[1] == "other"
    assert client.ask(FOO, "findFoo", ONE, "x")[1] == "foo x"


# TLS


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_and_mutual_tls(certificates: Path, mutual: bool) -> None:
    """With an authority of its own, the provider only talks to clients which that has signed."""
    policy = SslPolicy(
        cert=str(certificates / "server.pem"),
        key=str(certificates / "server.key"),
        ca=str(certificates / "ca.pem") if mutual else None,
    )
    anonymous = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    known = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    known.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    with EmbeddedProvider(protocol="dubbo", ssl=policy) as provider:
        provider.serve(FOO, find_foo=lambda size: bytes(size))
        assert ask_over_tls(provider, known) == 1_000_000
        if mutual:
            with pytest.raises((ssl.SSLError, ConnectionResetError, EOFError)):
                ask_over_tls(provider, anonymous)
        else:
            assert ask_over_tls(provider, anonymous) == 1_000_000
        with RawClient(provider.address) as plain:
            plain.send(heartbeat_frame(1))
            with pytest.raises((EOFError, ConnectionResetError)):
                plain.event()
        assert ask_over_tls(provider, known) == 1_000_000


def ask_over_tls(provider: EmbeddedProvider, context: ssl.SSLContext) -> int:
    with RawClient(provider.address) as client:
        client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
        return len(client.ask(FOO, "findFoo", "I", 1_000_000)[1])
