"""What HTTP proxies answer that make no way to a provider, as HTTP/2 of our own tells of it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from support.connect_proxy import Answer, ConnectProxy, saying
from support.places import refusing
from support.tri_peers import SETTINGS, mute

from callahead.consumer import ConnectFailed, Consumer, RpcError

Greeting = Callable[..., Consumer]
ProxyEnvironment = Callable[..., None]


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def failing(consumer: Consumer) -> RpcError:
    with pytest.raises(RpcError) as caught:
        consumer.reference("greeter").say_hello(name="Ann")
    return caught.value


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (saying(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "answers 403 Forbidden"),
        (saying(b"HTTP/1.1 502 \xff\x1b[2J\r\n\r\n"), "answers 502 \N{REPLACEMENT CHARACTER}?[2J"),
        (saying(b"HTTP/1.1 500\r\nContent-Length: 5\r\n\r\nhello"), "answers 500"),
        (saying(b"HTTP/1.1 100 Continue\r\n\r\n"), "answers 100 Continue"),
        (
            saying(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"),
            "answers 407 Proxy Authentication Required; it does not take the user and password that are written there",
        ),
        (saying(b"HTTP/1.1 200"), "closed the connection without an answer"),
        (saying(b""), "closed the connection without an answer"),
        (saying(b"HTTP/1.1 xyz\r\n\r\n"), r"answers b'HTTP/1.1 xyz\r\n\r\n', and not as an HTTP proxy does"),
        (saying(b"220 smtp ready\r\n"), r"answers b'220 smtp ready\r\n', and not as an HTTP proxy does"),
        (saying(SETTINGS), "answers like HTTP/2, as gRPC does, and not as an HTTP proxy does"),
        (saying(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10_000), "a header that has no end within 16384 bytes"),
    ],
)  # fmt: skip
def test_a_proxy_that_makes_no_way(
    greeting: Greeting, proxy_environment: ProxyEnvironment, answer: Answer, said: str
) -> None:
    """Nothing was sent; the error names the proxy, who names it, and what it says, without the password."""
    with ConnectProxy(answer=answer) as proxy:
        proxy_environment(grpc_proxy=f"http://user:secret@{proxy.address}")
        error = failing(greeting("tri://foo.internal:50051"))
    assert isinstance(error, ConnectFailed)
    assert (error.not_sent, error.in_doubt, error.endpoint) == (True, False, "tri://foo.internal:50051")
    assert error.message.startswith(f"no connection: the proxy {proxy.address} (grpc_proxy) ")
    assert said in error.message
    assert "secret" not in str(error)
    assert len(error.message) < 300


def test_a_proxy_that_says_nothing(greeting: Greeting, proxy_environment: ProxyEnvironment) -> None:
    """It has as long as a connection may take."""
    with ConnectProxy(answer=mute) as proxy:
        proxy_environment(grpc_proxy=f"http://{proxy.address}")
        error = failing(greeting("tri://foo.internal:50051", connect_timeout=300))
    assert isinstance(error, ConnectFailed)
    assert error.message == (
        "no connection: not within 300 ms (connect_timeout), "
        f"waiting for the proxy {proxy.address} (grpc_proxy) to connect"
    )


def test_a_proxy_that_is_not_there(greeting: Greeting, proxy_environment: ProxyEnvironment) -> None:
    """The error says that it is the proxy which is not reached."""
    with refusing() as (host, port):
        proxy_environment(grpc_proxy=f"http://{host}:{port}")
        error = failing(greeting("tri://foo.internal:50051"))
        assert error.message == f"no connection: Connection refused, at the proxy {host}:{port} (grpc_proxy)"
        proxy_environment(grpc_proxy="http://proxy.invalid:3128")
        error = failing(greeting("tri://foo.internal:50051"))
    assert error.message.startswith("no connection: the proxy proxy.invalid:3128 (grpc_proxy) cannot be looked up: ")


def test_the_first_word_of_the_provider_may_come_with_the_answer(
    greeting: Greeting, proxy_environment: ProxyEnvironment
) -> None:
    """Not a byte behind the end of the answer is lost; that end may come in pieces."""
    said = [b"HTTP/1.1 200 OK\r\nVia: x\r", b"\n\r", b"\n" + SETTINGS]
    heard: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in said:
            connection.sendall(piece)
        heard.append(connection.recv(65_536))
        connection.shutdown(socket.SHUT_RDWR)

    with ConnectProxy(answer=answer) as proxy:
        proxy_environment(grpc_proxy=f"http://{proxy.address}")
        error = failing(greeting("tri://foo.internal:50051"))
    assert heard[0].startswith(b"PRI * HTTP/2.0")
    assert not isinstance(error, ConnectFailed), "the provider's greeting was read"
