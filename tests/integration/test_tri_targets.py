"""Addresses of gRPC that are more than host and port: ``url: dns:///host:port`` and ``xds:///name``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from callahead.config.errors import ConfigError
from callahead.consumer import Consumer, NoProviderAvailable, RpcError, TransportError
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


@pytest.mark.parametrize("loadbalance", ["random", "roundrobin"])
def test_a_name_is_one_provider(port: int, loadbalance: str, carrier: str) -> None:
    """Calls and streams go there; the record names the target."""
    url = f"dns:///localhost:{port}"
    with consumer(url, loadbalance=loadbalance, timeout=10_000, carrier=carrier) as one:
        foo = one.reference("foo")
        assert foo.find_foo(foo_id=1).name == "a foo"
        assert foo.find_foo.future(foo_id=2).result(20).foo_id == 2
        assert [answer.foo_id for answer in foo.list_foos(foo_ids=[1, 2])] == [1, 2]
        assert [seen.provider for seen in one.providers("foo").providers] == [f"tri://{url}"]


def test_a_name_that_cannot_be_resolved_fails_the_call_alone(carrier: str) -> None:
    """Nothing was sent, and the error names the target; the consumer goes on."""
    url = "dns:///nowhere.invalid:1"
    with consumer(url, timeout=3000, retries=0, carrier=carrier) as one, pytest.raises(RpcError) as failure:
        one.reference("foo").find_foo(foo_id=1)
    assert not isinstance(failure.value, NoProviderAvailable)
    assert failure.value.endpoint == "tri://dns:///nowhere.invalid:1"


def test_xds_without_a_bootstrap_file_fails_the_call_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, in some words that name the target and gRPC's own variable; nobody waits for the end of the call."""
    for name in ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with consumer("xds:///foo", timeout=20_000, retries=0) as one, pytest.raises(TransportError) as failure:
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
    """Before any call."""
    with (
        consumer(url, carrier="http2") as one,
        pytest.raises(ConfigError, match=re.escape(f"references.foo.url: {said}")),
    ):
        one.reference("foo")
