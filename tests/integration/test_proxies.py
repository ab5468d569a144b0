"""Calls through an HTTP proxy that the environment names, as both carriers of tri obey it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.connect_proxy import ConnectProxy, saying

from callahead.config.policy import SslPolicy
from callahead.consumer import Consumer, TransportError
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")
Greeting = Callable[..., Consumer]
ProxyEnvironment = Callable[..., None]


def port_of(provider: EmbeddedProvider) -> int:
    return int(provider.url.rpartition(":")[2])


def greet(consumer: Consumer) -> str:
    return consumer.reference("greeter").say_hello(name="Ann").message


@pytest.fixture
def proxy(provider: EmbeddedProvider) -> Iterator[ConnectProxy]:
    """A proxy that knows a name of the greeter."""
    with ConnectProxy({"foo.internal": port_of(provider)}) as proxy:
        yield proxy


def test_a_call_through_a_proxy(greeting: Greeting, proxy_environment: ProxyEnvironment, proxy: ConnectProxy) -> None:
    """The proxy looks the name up, and is told user and password."""
    proxy_environment(grpc_proxy=f"http://us%40er:pass@{proxy.address}", http_proxy="http://127.0.0.1:9")
    assert greet(greeting("tri://foo.internal:50051")) == "Hello, Ann"
    (asked,) = proxy.asked
    assert [line for line in asked if not line.startswith("User-Agent")] == [
        "CONNECT foo.internal:50051 HTTP/1.1",
        "Host: foo.internal:50051",
        "Proxy-Authorization: Basic dXNAZXI6cGFzcw==",
        "",
    ]


def test_tls_is_spoken_with_the_provider(
    greeting: Greeting,
    proxy_environment: ProxyEnvironment,
    certificates: Path,
    make_provider: Callable[..., EmbeddedProvider],
) -> None:
    """Through the proxy, which sees nothing of it: the certificate is that of the provider's name."""
    provider = make_provider(ssl=SslPolicy(cert=str(certificates / "server.pem"), key=str(certificates / "server.key")))
    with ConnectProxy({"foo.internal": port_of(provider)}) as proxy:
        proxy_environment(https_proxy=f"http://{proxy.address}")
        consumer = greeting("tri://foo.internal:50051", ssl={"ca": str(certificates / "ca.pem")})
        assert greet(consumer) == "Hello, Ann"
        assert proxy.asked[0][0] == "CONNECT foo.internal:50051 HTTP/1.1"


def test_addresses_of_this_machine_go_through_it_too(
    greeting: Greeting, proxy_environment: ProxyEnvironment, proxy: ConnectProxy, provider: EmbeddedProvider
) -> None:
    """As gRPC has it; whoever does not want that says so by ``no_proxy``."""
    proxy_environment(http_proxy=f"http://{proxy.address}")
    assert greet(greeting(provider.url)) == "Hello, Ann"
    assert len(proxy.asked) == 1
    proxy_environment(http_proxy=f"http://{proxy.address}", no_proxy="127.0.0.0/8")
    assert greet(greeting(provider.url)) == "Hello, Ann"
    assert len(proxy.asked) == 1


def test_a_reference_that_obeys_no_proxy(
    greeting: Greeting, proxy_environment: ProxyEnvironment, proxy: ConnectProxy, provider: EmbeddedProvider
) -> None:
    """By a setting of its own, whatever the environment says."""
    proxy_environment(http_proxy=f"http://{proxy.address}")
    assert greet(greeting(provider.url, http_proxy=False)) == "Hello, Ann"
    assert proxy.asked == []


@pytest.mark.parametrize("said", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 204 Yes\r\nVia: a proxy\r\nX: y\r\n\r\n"])
def test_a_proxy_says_yes_in_many_ways(
    greeting: Greeting, proxy_environment: ProxyEnvironment, provider: EmbeddedProvider, said: bytes
) -> None:
    """Each status of success is one, and headers say nothing more."""
    with ConnectProxy(accepted_with=said) as proxy:
        proxy_environment(http_proxy=f"http://{proxy.address}")
        assert greet(greeting(provider.url)) == "Hello, Ann"


def test_a_proxy_that_refuses_fails_the_call(greeting: Greeting, proxy_environment: ProxyEnvironment) -> None:
    """The error says how, and not the password."""
    with ConnectProxy(answer=saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as proxy:
        proxy_environment(grpc_proxy=f"http://user:secret@{proxy.address}")
        with pytest.raises(TransportError, match="403") as caught:
            greet(greeting("tri://foo.internal:50051"))
    assert "secret" not in str(caught.value)
