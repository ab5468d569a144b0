"""Connections before the first call, over real protocols."""

from __future__ import annotations

from typing import Any

import pytest

from callahead.consumer import ConnectFailed, Consumer
from callahead.consumer.testing import EmbeddedProvider

BAR = {"interface": "com.alibaba.bar.BarService", "module": "callahead.conf.bar_pb2", "lazy": False}
TRI = {**BAR, "carrier": "grpcio"}
HTTP2 = {**BAR, "carrier": "http2"}
STOCK = {
    "interface": "a.Stock",
    "protocol": "dubbo",
    "lazy": False,
    "methods": {"put": {"parameter_types": ["long"]}},
}


def test_a_dubbo_connection_is_open_before_the_first_call() -> None:
    """The provider has seen it, and no call."""
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve("a.Stock", put=None)
        with Consumer({"references": {"stock": {**STOCK, "url": provider.url}}}) as consumer:
            consumer.reference("stock")
            [counts] = consumer.connections()
            assert (counts.is_open, counts.connects) == (True, 1)
            assert provider.calls == ()
            consumer.reference("stock").put(1)  # its answer comes behind that to the heartbeat
            [counts] = consumer.connections()
            assert (counts.connects, counts.bad_events, counts.unknown_answers) == (1, 0, 0)


@pytest.mark.parametrize("bar", [TRI, HTTP2], ids=["grpcio", "http2"])
def test_a_tri_connection_comes_about_before_the_first_call(bar: dict[str, Any]) -> None:
    """No method was called for it."""
    with EmbeddedProvider() as provider:
        provider.serve(BAR["interface"], module=BAR["module"], touch={})
        with Consumer({"references": {"bar": {**bar, "url": provider.url}}}) as consumer:
            consumer.reference("bar")
            assert provider.calls == ()
            assert [counts.endpoint for counts in consumer.connections()] == [provider.url]


@pytest.mark.parametrize(("settings", "scheme"), [(TRI, "tri"), (HTTP2, "tri"), (STOCK, "dubbo")])
def test_nobody_there_is_an_error_with_the_reason(closed_port: str, settings: dict[str, Any], scheme: str) -> None:
    """The system's own words are in it."""
    url = closed_port.replace("tri://", f"{scheme}://")
    with Consumer({"references": {"one": {**settings, "url": url}}}) as consumer:
        with pytest.raises(ConnectFailed, match=r"no provider can be reached .*[Cc]onnection refused"):
            consumer.reference("one")


@pytest.mark.parametrize(("settings", "scheme"), [(TRI, "tri"), (HTTP2, "tri"), (STOCK, "dubbo")])
def test_nobody_there_is_no_error_where_it_is_not_checked(
    closed_port: str, settings: dict[str, Any], scheme: str
) -> None:
    """The reference is there, and its calls fail as ever."""
    url = closed_port.replace("tri://", f"{scheme}://")
    with Consumer({"references": {"one": {**settings, "check": False, "url": url}}}) as consumer:
        assert consumer.reference("one") is not None
