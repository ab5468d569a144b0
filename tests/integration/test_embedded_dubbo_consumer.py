"""A Consumer against embedded dubbo providers: a user's tests with no JVM."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from callahead.config.policy import SslPolicy
from callahead.consumer import (
    CallTimeout,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    Consumer,
    LimitExceeded,
    NoProviderAvailable,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcContext,
)
from callahead.consumer.interface.java import java_method
from callahead.consumer.testing import EmbeddedProvider, ProviderCall, ProviderProcess

FOO = "com.alibaba.foo.FooService"


@pytest.fixture
def provider() -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider(protocol="dubbo") as made:
        made.serve(FOO, find_foo=lambda name, delay: f"{name} {delay}")
        yield made


def reference(url: str, **more: Any) -> dict[str, Any]:
    types = {"findFoo": {"parameter_types": ["java.lang.String", "int"]}}
    made = {"interface": FOO, "protocol": "dubbo", "url": url, "timeout": 5000, "retries": 0, "methods": types, **more}
    return {"references": {"foo": made}}


@pytest.fixture
def consumer(provider: EmbeddedProvider) -> Iterator[Consumer]:
    with Consumer(reference(provider.url)) as made:
        yield made


def test_a_typed_call_is_answered(provider: EmbeddedProvider, consumer: Consumer) -> None:
    """Arguments, value, and the deadline that the provider sees."""
    assert consumer.reference("foo").find_foo("7", 3) == "7 3"
    [call] = provider.calls
    assert call.request == ("7", 3)
    assert call.timeout == pytest.approx(5, abs=0.2)


def test_a_call_without_types_is_generic(provider: EmbeddedProvider) -> None:
    """Where nothing is known of a method, the same function answers."""
    with Consumer(reference(provider.url, methods={"findFoo": {}})) as consumer:
        assert consumer.reference("foo").findFoo("7", 3) == "7 3"
    assert provider.calls[0].metadata["generic"] == "true"


class OverloadService(Protocol):
    """A name with two overloads, one of which the stub has under a name of its own."""

    def of(self, value: str) -> str: ...
    @java_method("of")
    def of_any(self, value: object) -> str: ...


@pytest.mark.parametrize("first", ["of", "of_any"])
def test_an_overload_under_its_own_name_is_a_method_of_its_own(provider: EmbeddedProvider, first: str) -> None:
    """Whichever is used first, each has its own types, and the settings that the file has for it."""
    provider.serve(FOO, {"of(java.lang.String)": "text", "of(java.lang.Object)": "any"})
    settings = {"stub": f"{__name__}:OverloadService", "methods": {"ofAny": {"async": True}}}
    with Consumer(reference(provider.url, **settings)) as consumer:
        foo = consumer.reference("foo")
        getattr(foo, first).sync("x")
        assert (foo.of.sync("x"), foo.of_any.sync("x"), foo.of("x")) == ("text", "any", "text")
        assert foo.of_any("x") is None
        assert RpcContext.get_context().get_future().result(5) == "any"
        assert {name: counts.calls for name, counts in consumer.counts()["foo"].items()} == {
            "of": 2 + (first == "of"),
            "of_any": 2 + (first == "of_any"),
        }


def test_attachments_travel_both_ways(provider: EmbeddedProvider, consumer: Consumer) -> None:
    """Of one call only, as its context says."""

    def find_foo(name: str, delay: int, call: ProviderCall) -> None:
        call.response_attachments["reply"] = call.attachments.get("trace", "none")

    provider.serve(FOO, find_foo=find_foo)
    context = RpcContext.get_context()
    context.attachments["trace"] = "t-1"
    consumer.reference("foo").findFoo("7", 3)
    assert context.response_attachments["reply"] == "t-1"
    consumer.reference("foo").findFoo("7", 3)
    assert context.response_attachments["reply"] == "none"


def test_failures_are_told_apart(provider: EmbeddedProvider, consumer: Consumer) -> None:
    """A Java exception with its cause, an exhausted pool, a hang, and a method that is not there."""
    foo = consumer.reference("foo")
    cause = RemoteError("below", type_name="java.io.IOException")
    error = RemoteError("no foo", type_name="com.x.NoFoo", details={"fields": {"code": 5}})
    error.__cause__ = cause
    provider.script("findFoo", error=error, times=1)
    with pytest.raises(RemoteError) as caught:
        foo.findFoo("7", 3)
    assert (caught.value.type_name, caught.value.details["fields"]) == ("com.x.NoFoo", {"code": 5})
    assert isinstance(caught.value.__cause__, RemoteError)
    assert caught.value.__cause__.type_name == "java.io.IOException"
    provider.script("findFoo", error=(100, "full"), times=1)
    with pytest.raises(LimitExceeded, match="full"):
        foo.findFoo("7", 3)
    provider.script("findFoo", hang=True, times=1)
    with pytest.raises(CallTimeout):
        foo.findFoo.with_options(timeout=50)("7", 3)
    other = Consumer(reference(provider.url, methods={"findBar": {"parameter_types": []}}))
    with other, pytest.raises(RemoteProtocolError, match="findBar"):
        other.reference("foo").findBar()


def test_calls_without_an_answer_arrive(provider: EmbeddedProvider) -> None:
    """``return: false`` is a one-way request."""
    methods = {"findFoo": {"parameter_types": ["java.lang.String", "int"], "async": True, "return": False}}
    with Consumer(reference(provider.url, methods=methods)) as consumer:
        for number in range(100):
            assert consumer.reference("foo").findFoo("7", number) is None
        provider.wait_for_calls("findFoo", 100)
    assert sorted(call.request[1] for call in provider.calls) == list(range(100))


def test_a_call_without_an_answer_runs_though_its_caller_has_gone() -> None:
    """As with Dubbo's own providers: nobody waits for it in any case."""
    begun, free = threading.Event(), threading.Event()

    def find_foo(name: str, delay: int) -> str:
        begun.set()
        free.wait(20)
        return f"{name} {delay}"

    methods = {"findFoo": {"parameter_types": ["java.lang.String", "int"], "return": False, "sent": True}}
    with EmbeddedProvider(protocol="dubbo", threads=1) as provider:
        provider.serve(FOO, find_foo=find_foo)
        with Consumer(reference(provider.url, methods=methods)) as consumer:
            for number in range(3):
                consumer.reference("foo").findFoo("7", number)
            assert begun.wait(20)
        provider.wait_for_calls("findFoo", 3)
        free.set()
        assert sorted(call.request[1] for call in ended(provider, 3)) == [0, 1, 2]


def ended(provider: EmbeddedProvider, count: int) -> list[ProviderCall]:
    """The calls that ran to their end, once there are so many."""
    ends = time.monotonic() + 20
    while len(found := [call for call in provider.calls if call.outcome == "OK"]) < count:
        assert time.monotonic() < ends, [call.outcome for call in provider.calls]
        time.sleep(0.01)
    return found


def test_group_version_and_token_are_met(provider: EmbeddedProvider) -> None:
    """As a reference and an address say them."""
    provider.serve(FOO, group="blue", version="2.0.0", token="secret", find_foo="blue")
    with Consumer(reference(provider.url + "?token=secret", group="blue", version="2.0.0")) as consumer:
        assert consumer.reference("foo").findFoo("7", 3) == "blue"
    without = Consumer(reference(provider.url, group="blue", version="2.0.0"))
    with without, pytest.raises(Rejected, match="Invalid token!") as caught:
        without.reference("foo").findFoo("7", 3)
    assert (caught.value.is_remote, caught.value.not_sent, caught.value.in_doubt) == (True, False, False)
    assert not provider.calls_of("findFoo")[1:]


def test_a_provider_that_has_withdrawn_the_service_is_passed_over(provider: EmbeddedProvider) -> None:
    """As Dubbo 2.7 does while it stops: it has not run the method, so another one is asked, each time."""
    provider.serve(FOO, group="blue", find_foo="blue")
    with EmbeddedProvider(protocol="dubbo") as withdrawn:
        withdrawn.serve(FOO, find_foo="of no group")
        settings = {"url": [withdrawn.url, provider.url], "group": "blue", "loadbalance": "roundrobin"}
        with Consumer(reference(**{**settings, "retries": 1})) as consumer:
            futures = [consumer.reference("foo").findFoo.future("7", 3) for _ in range(4)]
            assert [future.result(5) for future in futures] == ["blue"] * 4
            assert sorted(future.attempts for future in futures) == [1, 1, 2, 2]
        with Consumer(reference(withdrawn.url, group="blue")) as consumer:
            with pytest.raises(NoProviderAvailable, match="Not found exported service: blue/") as caught:
                consumer.reference("foo").findFoo("7", 3)
            assert (caught.value.is_remote, caught.value.not_sent, caught.value.in_doubt) == (True, False, False)


def test_a_provider_that_does_not_have_the_service_yet_is_passed_over(provider: EmbeddedProvider) -> None:
    """As Dubbo 3.3 while it starts, whose port is open by then; where nobody else is known its own error is told."""
    with EmbeddedProvider(protocol="dubbo") as starting:
        settings = {"url": [starting.url, provider.url], "loadbalance": "roundrobin"}
        with Consumer(reference(**{**settings, "retries": 1})) as consumer:
            futures = []
            for _ in range(2):
                futures.append(consumer.reference("foo").findFoo.future("7", 3))
                assert futures[-1].result(5) == "7 3"
            assert sorted(future.attempts for future in futures) == [1, 2]
            found = {one.name: one.unhealthy_until for one in consumer._pipelines["foo"].directory.providers}
            assert found[starting.url] > 0 == found[provider.url]
        with Consumer(reference(starting.url, retries=1)) as consumer:
            with pytest.raises(RemoteProtocolError, match="does the provider have this service") as caught:
                consumer.reference("foo").findFoo("7", 3)
            assert caught.value.not_run
            assert caught.value.attempt == 1


def test_a_killed_provider_fails_its_calls_and_comes_back(provider: EmbeddedProvider, consumer: Consumer) -> None:
    """The call in flight is in doubt, the next one not sent, and after the restart all is well."""
    foo = consumer.reference("foo")
    provider.script("findFoo", hang=True, times=1)
    future = foo.findFoo.future("7", 3)
    provider.wait_for_calls("findFoo", 1)
    provider.kill()
    error = future.exception(5)
    assert isinstance(error, ConnectionLost)
    assert error.in_doubt
    with pytest.raises(ConnectFailed) as refused:
        foo.findFoo("7", 3)
    assert refused.value.not_sent
    provider.restart()
    assert until_answered(foo) == "7 3"


def until_answered(foo: Any) -> Any:
    """Call until the backoff of the connection is over."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return foo.findFoo("7", 3)
        except ConnectFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def test_a_stopping_provider_answers_what_runs(provider: EmbeddedProvider, consumer: Consumer) -> None:
    """Nothing that was sent before the stop is lost."""
    provider.script("findFoo", delay=100)
    futures = [consumer.reference("foo").findFoo.future("7", number) for number in range(50)]
    provider.wait_for_calls("findFoo", 50)
    provider.stop()
    assert [future.result(5) for future in futures] == [f"7 {number}" for number in range(50)]


def test_tls_is_spoken_by_both(certificates: Path) -> None:
    """The policy of the provider and the ``ssl`` of the reference fit."""
    policy = SslPolicy(cert=str(certificates / "server.pem"), key=str(certificates / "server.key"))
    with EmbeddedProvider(protocol="dubbo", ssl=policy) as provider:
        provider.serve(FOO, find_foo=lambda name, delay: name * delay)
        config = reference(provider.url, ssl={"ca": str(certificates / "ca.pem")})
        with Consumer(config) as consumer:
            assert consumer.reference("foo").findFoo("x", 300_000) == "x" * 300_000


def test_a_provider_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Built by a function there, as over tri."""
    (tmp_path / "dubbo_builder.py").write_text(
        "from callahead.consumer.testing import EmbeddedProvider\n"
        "def build():\n"
        "    provider = EmbeddedProvider(protocol='dubbo')\n"
        f"    provider.serve({FOO!r}, find_foo='there')\n"
        "    return provider\n"
    )
    with ProviderProcess("dubbo_builder:build", path=[str(tmp_path)]) as process:
        assert process.url.startswith("dubbo://127.0.0.1:")
        with Consumer(reference(process.url)) as consumer:
            assert consumer.reference("foo").findFoo("7", 3) == "there"


@pytest.mark.parametrize("key", ["module", "proto"])
def test_protobuf_types_are_refused_over_dubbo(key: str, tmp_path: Path) -> None:
    """A setting that the protocol cannot honour is an error at its line, not silence."""
    (tmp_path / "foo.proto").write_text('syntax = "proto3";', "utf-8")
    path = tmp_path / "consumer.yml"
    value = "callahead.conf.foo_pb2" if key == "module" else "foo.proto"
    path.write_text(
        "references:\n"
        "  foo:\n"
        "    interface: com.alibaba.foo.FooService\n"
        "    url: dubbo://127.0.0.1:1\n"
        f"    {key}: {value}\n",
        "utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        Consumer.from_file(path)
    assert str(caught.value) == (
        f'{path}:5: references.foo.{key}: only protocol "tri" honours it, and this reference has "dubbo" '
        f"(describe the Java interface by stub, parameter_types or generic; the protocol is set at {path}:4)"
    )
