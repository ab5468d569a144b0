"""Providers at Unix sockets of this machine, over both carriers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.http2_peer import reply

from callahead.consumer import ConnectFailed, Consumer

CARRIERS = ("grpcio", "http2")
Greeting = Callable[..., Consumer]
RawServer = Callable[..., str]


def hello(request: bytes, context: Any) -> bytes:
    del request, context
    return reply("hello")


def greet(consumer: Consumer) -> str:
    return consumer.reference("greeter").say_hello(name="Ann").message


@pytest.mark.parametrize("form", ["unix://{folder}/foo.sock", "unix:{folder}/foo.sock", "unix://{folder}/a%20space"])
def test_a_provider_at_a_unix_socket(greeting: Greeting, raw_server: RawServer, socket_folder: Path, form: str) -> None:
    """Named by its path, in either form of gRPC, with the escapes of a URL."""
    url = raw_server(hello, at=form.format(folder=socket_folder))
    consumer = greeting(url)
    assert greet(consumer) == "hello"
    (provider,) = consumer.providers("greeter").providers
    assert provider.provider == f"tri://unix://{socket_folder}/{url.rpartition('/')[2]}"


def test_a_provider_at_an_abstract_socket(greeting: Greeting, raw_server: RawServer) -> None:
    """Which has a name that is in no folder."""
    url = raw_server(hello, at=f"unix-abstract:callahead-test-{os.getpid()}")
    assert greet(greeting(url)) == "hello"


def test_tls_at_a_unix_socket(
    greeting: Greeting, raw_server: RawServer, socket_folder: Path, certificates: Path
) -> None:
    """The certificate's name is for the configuration to say, since a path is none."""
    key, cert = ((certificates / f"server.{kind}").read_bytes() for kind in ("key", "pem"))
    url = raw_server(hello, at=f"unix://{socket_folder}/foo.sock", tls=grpc.ssl_server_credentials([(key, cert)]))
    consumer = greeting(url, ssl={"ca": str(certificates / "ca.pem"), "server_name": "foo.internal"})
    assert greet(consumer) == "hello"


def test_no_proxy_is_asked_for_a_unix_socket(
    greeting: Greeting, raw_server: RawServer, socket_folder: Path, proxy_environment: Callable[..., None]
) -> None:
    """Whatever the environment says."""
    proxy_environment(grpc_proxy="http://127.0.0.1:9")
    assert greet(greeting(raw_server(hello, at=f"unix://{socket_folder}/foo.sock"))) == "hello"


def failing(consumer: Consumer) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as caught:
        greet(consumer)
    assert caught.value.not_sent
    return caught.value


def test_nothing_there(greeting: Greeting, socket_folder: Path, carrier: str) -> None:
    """Not sent, in the system's words."""
    error = failing(greeting(f"unix://{socket_folder}/foo.sock"))
    assert "No such file or directory" in error.message
    assert error.endpoint == f"tri://unix://{socket_folder}/foo.sock"
    if carrier == "http2":
        assert error.message == "no connection: No such file or directory"


def test_a_file_that_is_no_socket(greeting: Greeting, socket_folder: Path, carrier: str) -> None:
    """Where the system says only that nobody listens."""
    (socket_folder / "file").touch()
    error = failing(greeting(f"unix://{socket_folder}/file"))
    if carrier == "http2":
        assert error.message == "no connection: it is a file, and no socket"


def test_a_socket_that_nobody_serves(greeting: Greeting, socket_folder: Path) -> None:
    """As a provider leaves it behind that was killed."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_folder / "foo.sock"))
    assert "Connection refused" in failing(greeting(f"unix://{socket_folder}/foo.sock")).message
