"""Addresses that gRPC resolves by itself: ``url: dns:///host:port`` and ``xds:///name``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callahead.consumer import Consumer, NoProviderAvailable, RpcError, TransportError
from callahead.consumer.testing import EmbeddedProvider


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
def test_a_name_is_one_provider_that_grpc_resolves(port: int, loadbalance: str) -> None:
    """Calls and streams go there; the record names the target."""
    url = f"dns:///localhost:{port}"
    with consumer(url, loadbalance=loadbalance, timeout=10_000) as one:
        foo = one.reference("foo")
        assert foo.find_foo(foo_id=1).name == "a foo"
        assert foo.find_foo.future(foo_id=2).result(20).foo_id == 2
        assert [answer.foo_id for answer in foo.list_foos(foo_ids=[1, 2])] == [1, 2]
        assert [seen.provider for seen in one.providers("foo").providers] == [f"tri://{url}"]


def test_a_name_that_cannot_be_resolved_fails_the_call_alone(port: int) -> None:
    """Nothing was sent, and the error names the target; the consumer goes on."""
    del port
    with consumer("dns:///nowhere.invalid:1", timeout=3000, retries=0) as one, pytest.raises(RpcError) as failure:
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
