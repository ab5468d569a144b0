"""TLS, plain, gRPC and dubbo, each where another was expected: what the error says, and whether anything was sent."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import tri_peers
from support.tri_peers import Peer

from callahead.config.policy import SslPolicy
from callahead.consumer import CallTimeout, ConnectFailed, ConnectionLost, Consumer, RpcError
from callahead.consumer.testing import EmbeddedProvider

Consume = Callable[..., Consumer]
SERVED: dict[str, dict[str, str]] = {
    "plain": {},
    "tls": {"cert": "server.pem", "key": "server.key"},
    "mutual tls": {"cert": "server.pem", "key": "server.key", "ca": "ca.pem"},
}
OURS: dict[str, dict[str, str]] = {
    "plain": {},
    "tls": {"ca": "ca.pem"},
    "another authority": {"ca": "other_ca.pem"},
    "another certificate": {"ca": "ca.pem", "cert": "stranger.pem", "key": "stranger.key"},
}


def silent_end(connection: socket.socket) -> None:
    """Take what comes and hang up, as a TLS server may that is spoken to in plain."""
    connection.recv(65536)
    tri_peers.hang_up(connection)


def silent_reset(connection: socket.socket) -> None:
    """The same by a TCP reset."""
    connection.recv(65536)
    tri_peers.reset(connection)


def alert(connection: socket.socket) -> None:
    """Complain by a TLS alert."""
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
    tri_peers.hang_up(connection)


SCRIPTED = {"hangs up": silent_end, "resets": silent_reset, "alert": alert, "http1": tri_peers.http1}


def files(folder: Path, names: dict[str, str]) -> dict[str, str]:
    return {key: str(folder / name) for key, name in names.items()}


@contextlib.contextmanager
def serving(peer: str, certificates: Path) -> Iterator[int]:
    """Start *peer*, "tri plain" or a scripted one, and give its port."""
    if peer in SCRIPTED:
        with Peer(SCRIPTED[peer]) as scripted:
            yield int(scripted.url.rpartition(":")[2])
        return
    protocol, _, how = peer.partition(" ")
    ssl = SslPolicy(**files(certificates, SERVED[how])) if SERVED[how] else None
    provider = EmbeddedProvider(protocol=protocol, ssl=ssl)
    if protocol == "tri":
        provider.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=lambda asked: {"message": asked.name})
    else:
        provider.serve("helloworld.Greeter", SayHello=lambda name: name)
    with provider:
        yield int(provider.url.rpartition(":")[2])


def failure(consume: Consume, protocol: str, port: int, ssl: dict[str, str]) -> tuple[RpcError, Consumer]:
    """Call once, as *protocol* has it, which for ``tri`` is a carrier, and give the error."""
    carrier = {} if protocol == "dubbo" else {"carrier": protocol}
    protocol = "tri" if carrier else protocol
    reference: dict[str, Any] = {
        "interface": "helloworld.Greeter",
        "url": f"127.0.0.1:{port}",
        "protocol": protocol,
        **carrier,
    }
    reference |= {"retries": 0, "timeout": 1000, "connect_timeout": 600}
    if protocol == "tri":
        reference["module"] = "helloworld_pb2"
    else:
        reference["methods"] = {"SayHello": {"parameter_types": ["java.lang.String"]}}
    consumer = consume({"references": {"greeter": {**reference, **({"ssl": ssl} if ssl else {})}}})
    method = consumer.reference("greeter").SayHello
    with pytest.raises(RpcError) as caught:
        _ = method(name="Ann") if protocol == "tri" else method("Ann")
    return caught.value, consumer


def place_of(consumer: Consumer, setting: str) -> str:
    """Give ``, FILE:LINE`` of a setting; that of ``ssl.ca`` is the line of ``ca``."""
    lines = Path(consumer.config.source).read_text().splitlines()
    key = setting.rpartition(".")[2]
    return f"{consumer.config.source}:{next(n for n, line in enumerate(lines, 1) if re.match(rf' *{key}:', line))}"


CASES: list[tuple[str, str, str, type[RpcError], str, tuple[str, ...]]] = [
    # TLS to a plain port
    ("grpcio", "tri plain", "tls", ConnectFailed, "the provider does not speak TLS there", ("ssl", "url")),
    ("dubbo", "tri plain", "tls", ConnectFailed, "the provider does not speak TLS there", ("ssl", "url")),
    ("grpcio", "dubbo plain", "tls", ConnectFailed, "may not speak TLS there", ("ssl", "url")),
    ("dubbo", "dubbo plain", "tls", ConnectFailed, "by TLS, which the provider may not speak there", ("ssl", "url")),
    ("dubbo", "http1", "tls", ConnectFailed, "the provider does not speak TLS there", ("ssl", "url")),
    ("http2", "tri plain", "tls", ConnectFailed, "the provider does not speak TLS there", ("ssl", "url")),
    ("http2", "dubbo plain", "tls", ConnectFailed, "by TLS, which the provider may not speak there", ("ssl", "url")),
    # Plain to a TLS port, also one that says nothing
    ("grpcio", "tri tls", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    ("dubbo", "dubbo tls", "plain", RpcError, "TLS", ("url",)),
    ("dubbo", "alert", "plain", ConnectFailed, "it answered with a TLS alert (ssl is not set;", ("url",)),
    ("http2", "tri tls", "plain", ConnectFailed, "TLS", ("url",)),
    ("http2", "alert", "plain", ConnectFailed, "it answered with a TLS alert (ssl is not set;", ("url",)),
    ("http2", "hangs up", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    ("http2", "resets", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    ("grpcio", "alert", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    ("dubbo", "hangs up", "plain", ConnectionLost, "it may speak TLS there, or not dubbo (ssl is not set;", ("url",)),
    ("dubbo", "resets", "plain", ConnectionLost, "it may speak TLS there, or not dubbo (ssl is not set;", ("url",)),
    ("grpcio", "hangs up", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    ("grpcio", "resets", "plain", ConnectFailed, "it may speak TLS there, or not gRPC (ssl is not set;", ("url",)),
    # One protocol in the place of the other
    (
        "dubbo",
        "tri plain",
        "plain",
        ConnectFailed,
        "no dubbo there: it answers like HTTP/2",
        ("protocol", "url"),
    ),
    ("grpcio", "dubbo plain", "plain", RpcError, "gRPC", ("protocol dubbo", "url")),
    (
        "dubbo",
        "tri tls",
        "tls",
        ConnectionLost,
        "or not speak dubbo there (ssl.cert is",
        ("protocol", "url"),
    ),
    ("grpcio", "dubbo tls", "tls", ConnectFailed, "speaks TLS there, but not HTTP/2", ("protocol", "url")),
    ("grpcio", "http1", "plain", ConnectFailed, "the provider answers like HTTP/1", ("protocol", "url")),
    ("dubbo", "http1", "plain", ConnectFailed, "it answers like HTTP/1", ("protocol", "url")),
    ("http2", "dubbo plain", "plain", RpcError, "gRPC", ("protocol tri", "url")),
    ("http2", "dubbo tls", "tls", ConnectFailed, "speaks TLS there, but not HTTP/2", ("protocol", "url")),
    ("http2", "http1", "plain", ConnectFailed, "no HTTP/2 there: it answers like HTTP/1", ("protocol", "url")),
    # Certificates
    ("http2", "tri mutual tls", "tls", ConnectFailed, "it may want a certificate", ("protocol", "url")),
    ("http2", "tri mutual tls", "another certificate", ConnectFailed, "it may want a cert", ("ssl.cert", "url")),
    ("http2", "tri tls", "another authority", ConnectFailed, "CERTIFICATE_VERIFY_FAILED", ("ssl.ca", "url")),
    ("grpcio", "tri mutual tls", "tls", ConnectFailed, "it may want a certificate, or another one", ("ssl", "url")),
    ("dubbo", "dubbo mutual tls", "tls", ConnectFailed, "certificate required", ("ssl", "url")),
    ("grpcio", "tri mutual tls", "another certificate", ConnectFailed, "or another one", ("ssl.cert", "url")),
    ("dubbo", "dubbo mutual tls", "another certificate", ConnectFailed, "unknown ca", ("ssl.cert", "url")),
    ("grpcio", "tri tls", "another authority", ConnectFailed, "certificate is not trusted", ("ssl.ca", "url")),
    ("dubbo", "dubbo tls", "another authority", ConnectFailed, "CERTIFICATE_VERIFY_FAILED", ("ssl.ca", "url")),
]


@pytest.mark.parametrize(("protocol", "peer", "ours", "kind", "text", "settings"), CASES)
def test_a_peer_that_speaks_something_else(
    consume: Consume,
    certificates: Path,
    protocol: str,
    peer: str,
    ours: str,
    kind: type[RpcError],
    text: str,
    settings: tuple[str, ...],
) -> None:
    """The error says what the peer seems to speak, names the line of each setting that decides, and knows the fate."""
    with serving(peer, certificates) as port:
        error, consumer = failure(consume, protocol, port, files(certificates, OURS[ours]))
        consumer.close(0)
    assert isinstance(error, kind)
    assert text in error.message
    for setting in settings:
        assert f", {place_of(consumer, setting.split()[0])}" in error.message.partition(setting.split()[0])[2]
    assert error.not_sent is isinstance(error, ConnectFailed)
    assert error.in_doubt is isinstance(error, ConnectionLost | CallTimeout)


def test_a_silent_end_after_a_word_is_no_matter_of_settings(consume: Consume) -> None:
    """A provider that has spoken dubbo, and then closes the connection, is not suspected of another protocol."""

    def heartbeat_and_end(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\xda\xbb\x22\x14" + bytes(8) + b"\0\0\0\1N")
        tri_peers.hang_up(connection)

    with Peer(heartbeat_and_end) as peer:
        error, _ = failure(consume, "dubbo", int(peer.url.rpartition(":")[2]), {})
    assert isinstance(error, ConnectionLost)
    assert error.message == "the connection broke: the provider closed it"
    assert error.in_doubt
