"""An HTTP proxy on this machine, which makes ways by CONNECT and notes what it is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

from .tri_peers import Peer

_HEAD_END: Final = b"\r\n\r\n"
_CHUNK: Final = 65_536

Answer = Callable[[socket.socket], None]
"""Says something to the client in place of making a way."""


def saying(*said: bytes) -> Answer:
    """Say just that, and end the connection."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"".join(said))
        connection.shutdown(socket.SHUT_RDWR)

    return answer


class ConnectProxy(Peer):
    """Connects clients to whom they ask for.

    Args:
        hosts: Where names lead to that only the proxy knows, each a port of this machine.
        answer: What it does in place of that.
        accepted_with: What it says where it makes a way.

    Attributes:
        asked: The head of each request, as lines.
        address: ``host:port``.
    """

    def __init__(
        self,
        hosts: Mapping[str, int] | None = None,
        answer: Answer | None = None,
        accepted_with: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
    ) -> None:
        self.asked: list[list[str]] = []
        self._hosts = dict(hosts or {})
        self._answer = answer
        self._accepted_with = accepted_with
        super().__init__(self._connect)
        self.address = self.url.partition("://")[2]

    def _connect(self, connection: socket.socket) -> None:
        head = b""
        while _HEAD_END not in head:
            head += connection.recv(_CHUNK)
        self.asked.append(head.decode().splitlines())
        if self._answer is not None:
            self._answer(connection)
            return
        name, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection(("127.0.0.1", self._hosts.get(name, int(port)))) as server:
            connection.sendall(self._accepted_with)
            back = threading.Thread(target=_pump, args=(server, connection), name="connect-proxy")
            back.start()
            _pump(connection, server)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
