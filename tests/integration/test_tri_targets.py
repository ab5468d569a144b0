"""Addresses of gRPC that are more than host and port: ``url: dns:///host:port`` and ``xds:///name``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from callahead.config.errors import ConfigError
from callahead.consumer import ConnectFailed, Consumer, NoProviderAvailable, RpcError, TransportError
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")


@pytest.fixture
def port() -> Iterator[int]:
    with EmbeddedProvider() as provider:
        provider.serve(
            "com.alibaba.foo.FooService",
            module="callahead.conf.foo_pb2",
            findFoo=lambda request: {"foo_id": request.foo_id, "name": "a foo"},
            listFoos=lambda request: [{"foo_id": one} for one in request.foo_ids],
        )
        yield int(provider.url.rpartition(":")[2])


def consumer(url: str, **more: object) -> Consumer:
    foo = {"interface": "com.alibaba.foo.FooService", "module": "callahead.conf.foo_pb2", "url": url, **more}
    return Consumer({"references": {"foo": foo}})


def call_by_name(port: int, **settings: object) -> None:
    """Call and read a stream by ``dns:///``."""
    url = f"dns:///localhost:{port}"
    with consumer(url, timeout=10_000, **settings) as one:
        foo = one.reference("foo")
        assert foo.find_foo(foo_id=1).name == "a foo"
        assert foo.find_foo.future(foo_id=2).result(20).foo_id == 2
        assert [answer.foo_id for answer in foo.list_foos(foo_ids=[1, 2])] == [1, 2]
        assert [seen.provider for seen in one.providers("foo").providers] == [f"tri://{url}"]


def test_a_name_is_one_provider(port: int, carrier: str) -> None:
    """Calls and streams go there; the record names the target."""
    call_by_name(port, carrier=carrier)


@pytest.mark.grpcio
def test_the_addresses_of_a_name_take_turns(port: int, carrier: str) -> None:
    """Where gRPC is asked for that, which for one address changes nothing."""
    call_by_name(port, carrier=carrier, loadbalance="roundrobin")


def test_a_name_that_cannot_be_resolved_fails_the_call_alone(carrier: str) -> None:
    """Nothing was sent, and the error names the target; the consumer goes on."""
    url = "dns:///nowhere.invalid:1"
    with consumer(url, timeout=3000, retries=0, carrier=carrier) as one, pytest.raises(RpcError) as failure:
        one.reference("foo").find_foo(foo_id=1)
    assert not isinstance(failure.value, NoProviderAvailable)
    assert failure.value.endpoint == "tri://dns:///nowhere.invalid:1"


@pytest.mark.parametrize("host", ["foo..internal", f"{'a' * 70}.internal", "b\u00fccher..internal", "\u00fc" * 70])
def test_a_host_that_is_no_name_fails_the_call(carrier: str, host: str) -> None:
    """At once, and not sent: a label is empty, or longer than the 63 bytes of DNS."""
    with consumer(f"tri://{host}:1", timeout=20_000, retries=0, carrier=carrier) as one:
        with pytest.raises(ConnectFailed) as failure:
            one.reference("foo").find_foo(foo_id=1)
    assert failure.value.not_sent
    if carrier == "http2":
        assert failure.value.message == f"no connection: {host} cannot be looked up: it is no host name"


def test_xds_without_a_bootstrap_file_fails_the_call_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, in some words that name the target and gRPC's own variable; nobody waits for the end of the call."""
    for name in ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with (
        consumer("xds:///foo", timeout=20_000, retries=0, carrier="grpcio") as one,
        pytest.raises(TransportError) as failure,
    ):
        one.reference("foo").find_foo(foo_id=1)
    assert failure.value.endpoint == "tri://xds:///foo"
    assert "GRPC_XDS_BOOTSTRAP" in failure.value.message
    assert len(str(failure.value)) < 500


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("xds:///foo", "xds:/// is for carrier: grpcio alone (carrier, "),
        ("dns:///foo:99999", "dns:/// is not followed by host:port (such as dns:///foo:50051)"),
        ("dns:///foo:0", "dns:/// is not followed by host:port"),
        ("dns:///::1:50051", "dns:/// is not followed by host:port"),
        ("dns:///:50051", "dns:/// is not followed by host:port"),
    ],
)
def test_what_http2_cannot_resolve_is_told_with_the_reference(url: str, said: str) -> None:
    """Before any call, by default, too."""
    with (
        consumer(url) as one,
        pytest.raises(ConfigError, match=re.escape(f"references.foo.url: {said}")),
    ):
        one.reference("foo")


def test_addresses_of_a_name_take_no_turns_over_http2() -> None:
    """Whoever asks for that hears where it was, and which carrier and which registry would do it."""
    said = "dns:/// take turns by carrier: grpcio alone (loadbalance: roundrobin, <mapping>; carrier, built-in)"
    with consumer("dns:///localhost:1", loadbalance="roundrobin") as one:
        with pytest.raises(ConfigError, match=re.escape(said)):
            one.reference("foo")
