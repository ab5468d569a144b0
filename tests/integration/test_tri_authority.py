"""Whom requests say that they are for, in ``:authority`` and by TLS, alike over both carriers."""

from __future__ import annotations

import os
import queue
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hpack
import pytest
from support.http2_frames import GREETING, reset
from support.http2_peer import Line
from support.tri_peers import Peer

from callahead.consumer import Consumer, RpcError
from callahead.consumer.wire.http2 import frames

CARRIERS = ("grpcio", "http2")
Greeting = Callable[..., Consumer]
SOON = 10.0


class Addressed(NamedTuple):
    """Whom a request was for.

    Attributes:
        server_name: As TLS said before, None for nothing.
        authority: As its headers say.
    """

    server_name: str | None
    authority: str


class Reader:
    """Notes of each connection whom its first request is for."""

    def __init__(self, certificates: Path | None) -> None:
        self._context = None if certificates is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self._context is not None:
            self._context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            self._context.set_alpn_protocols(["h2"])
            self._context.sni_callback = lambda secured, name, _: setattr(secured, "asked_for", name)
        self.seen: queue.SimpleQueue[Addressed] = queue.SimpleQueue()

    def serve(self, connection: socket.socket) -> None:
        secured = connection if self._context is None else self._context.wrap_socket(connection, server_side=True)
        with secured:
            line = Line(secured, GREETING)
            frame = line.next(frames.HEADERS)
            sent = dict(hpack.Decoder().decode(frame.payload))
            self.seen.put(Addressed(getattr(secured, "asked_for", None), sent[":authority"]))
            line.send(reset(frame.stream, frames.INTERNAL_ERROR))
            line.wait_closed()


def addressed(
    greeting: Greeting, url: str, listener: socket.socket, certificates: Path | None, **more: str
) -> Addressed:
    """Make one call there, and tell whom it was for."""
    reader = Reader(certificates)
    ssl_settings = {} if certificates is None else {"ssl": {"ca": str(certificates / "ca.pem"), **more}}
    with Peer(reader.serve, listener):
        consumer = greeting(url, **ssl_settings)
        with pytest.raises(RpcError):
            consumer.reference("greeter").say_hello(name="Ann")
        consumer.close()
        return reader.seen.get(timeout=SOON)


@pytest.fixture
def four() -> socket.socket:
    """A port of 127.0.0.1."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("tri://127.0.0.1:PORT", "127.0.0.1:PORT"),
        ("tri://LocalHost:PORT", "LocalHost:PORT"),
        ("dns:///LocalHost:PORT", "LocalHost:PORT"),
    ],
)
def test_a_request_is_for_the_host_as_it_is_written(
    greeting: Greeting, four: socket.socket, url: str, authority: str
) -> None:
    """With its port."""
    port = str(four.getsockname()[1])
    found = addressed(greeting, url.replace("PORT", port), four, None)
    assert found == (None, authority.replace("PORT", port))


@pytest.mark.parametrize("url", ["tri://[0:0::1]:PORT", "dns:///[0:0::1]:PORT"])
def test_an_ipv6_address_stands_in_brackets(greeting: Greeting, url: str) -> None:
    """As it is written, too."""
    six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    port = str(six.getsockname()[1])
    assert addressed(greeting, url.replace("PORT", port), six, None) == (None, f"[0:0::1]:{port}")


def unix(place: str) -> socket.socket:
    """Listen at a Unix socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    return listener


def test_a_unix_socket_is_localhost(greeting: Greeting, socket_folder: Path) -> None:
    """Whatever its path, which many servers do not take for a host."""
    assert addressed(greeting, f"unix://{socket_folder}/s", unix(f"{socket_folder}/s"), None) == (None, "localhost")
    name = f"callahead-authority-{os.getpid()}"
    assert addressed(greeting, f"unix-abstract:{name}", unix(f"\0{name}"), None) == (None, "localhost")


def test_an_address_is_no_server_name(greeting: Greeting, four: socket.socket, certificates: Path) -> None:
    """TLS asks for none where the host is an address; the certificate has to be for that."""
    port = four.getsockname()[1]
    assert addressed(greeting, f"tri://127.0.0.1:{port}", four, certificates) == (None, f"127.0.0.1:{port}")


def test_the_server_name_is_for_both(greeting: Greeting, four: socket.socket, certificates: Path) -> None:
    """TLS asks for it, the certificate has to be for it, and so are the requests."""
    url = f"tri://localhost:{four.getsockname()[1]}"
    found = addressed(greeting, url, four, certificates, server_name="foo.internal")
    assert found == ("foo.internal", "foo.internal")


def test_the_server_name_of_a_unix_socket(greeting: Greeting, socket_folder: Path, certificates: Path) -> None:
    """Likewise."""
    place = f"{socket_folder}/s"
    found = addressed(greeting, f"unix://{place}", unix(place), certificates, server_name="foo.internal")
    assert found == ("foo.internal", "foo.internal")
