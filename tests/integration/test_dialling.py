"""Hosts of several addresses, some of which accept a connection and are no good, dialled by a real I/O thread."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from support.places import Place, black_hole, refusing
from support.tri_peers import Peer, mute

from callahead.consumer.transport.tcp.connecting import Connecting
from callahead.consumer.transport.tcp.destination import Destination, Tls
from callahead.consumer.transport.tcp.io_thread import IoThread
from callahead.consumer.transport.tcp.resolve import Found
from callahead.consumer.transport.trouble import Trouble

SOON = 10.0
Dialled = Callable[..., socket.socket | Trouble]


@pytest.fixture
def dialled(certificates: Path) -> Iterator[Dialled]:
    """Dial a host of some addresses by TLS; gives the open socket, or what is wrong."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.set_alpn_protocols(["h2"])
    tls = Tls(context, "foo.internal", "h2")
    thread = IoThread(time.monotonic, "test")
    ends: queue.SimpleQueue[socket.socket | Trouble] = queue.SimpleQueue()

    def dial(*places: Place, timeout: float = SOON) -> socket.socket | Trouble:
        def resolve(address: tuple[str, int], found: Found) -> None:
            del address
            found([(socket.AF_INET, place) for place in places])

        connecting = Connecting(
            Destination("shop.test", 1, tls), timeout, thread, time.monotonic, Random(1), ends.put, ends.put, resolve
        )
        thread.post(lambda _: connecting.begin(), None)
        return ends.get(timeout=SOON)

    yield dial
    thread.close()


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[Place]:
    """A port at which *serve* has each connection."""
    with Peer(serve) as peer:
        yield "127.0.0.1", int(peer.url.rpartition(":")[2])


def by_tls(certificates: Path, *protocols: str, name: str = "server") -> Callable[[socket.socket], None]:
    """Shake hands by TLS, and wait for the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    context.set_alpn_protocols(protocols)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            mute(secured)

    return serve


def port_of(end: socket.socket | Trouble) -> int:
    """Where a socket goes, which is closed."""
    assert isinstance(end, socket.socket), end
    with end:
        return end.getpeername()[1]


def bad_peers(certificates: Path) -> dict[str, Callable[[socket.socket], None]]:
    """Peers that accept a connection and are no good."""
    return {
        "mute": mute,
        "closes": lambda connection: connection.shutdown(socket.SHUT_RDWR),
        "speaks no TLS": lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "another's certificate": by_tls(certificates, "h2", name="stranger"),
        "speaks no HTTP/2": by_tls(certificates, "http/1.1"),
    }


@pytest.mark.parametrize("kind", ["mute", "closes", "speaks no TLS", "another's certificate", "speaks no HTTP/2"])
def test_an_address_that_accepts_and_is_no_good_is_passed_over(dialled: Dialled, certificates: Path, kind: str) -> None:
    """Only one whose TLS handshake has succeeded is the one; a mute one holds the next up for a quarter of a second."""
    with listening(bad_peers(certificates)[kind]) as bad, listening(by_tls(certificates, "h2")) as good:
        assert port_of(dialled(bad, good)) == good[1]


def test_each_address_says_what_is_wrong_with_it(dialled: Dialled, certificates: Path) -> None:
    """The reasons and the settings of all of them, in one error."""
    peers = bad_peers(certificates)
    with listening(peers["speaks no HTTP/2"]) as other, listening(peers["speaks no TLS"]) as plain, refusing() as bad:
        trouble = dialled(other, plain, bad)
    assert isinstance(trouble, Trouble)
    assert "it agreed to no ALPN protocol h2" in trouble.text
    assert "it answers like HTTP/1" in trouble.text
    assert f"Connection refused ({bad[0]}:{bad[1]})" in trouble.text
    assert set(trouble.about) == {"ssl", "protocol", "urls"}


def test_the_connect_timeout_bounds_all_addresses(dialled: Dialled) -> None:
    """However many there are; the error says what each was at."""
    with listening(mute) as silent, black_hole() as hole, refusing() as bad:
        trouble = dialled(silent, hole, bad, timeout=1.0)
    assert isinstance(trouble, Trouble)
    assert trouble.text.startswith("not within 1000 ms (connect_timeout), shaking hands by TLS")
    for text in (f"connecting ({hole[0]}:{hole[1]})", f"Connection refused ({bad[0]}:{bad[1]})"):
        assert text in trouble.text
