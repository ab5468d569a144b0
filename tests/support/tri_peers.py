"""Peers on real sockets that do what no gRPC server would."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
_MOST = (1 << 31) - 1
_WIDE_SETTINGS = b"\0\0\x06\x04\0\0\0\0\0" + struct.pack(">HI", 4, _MOST)
_WIDE_WINDOW = b"\0\0\x04\x08\0\0\0\0\0" + struct.pack(">I", _MOST - 65_535)
_SETTINGS_ACK = b"\0\0\0\x04\x01\0\0\0\0"
_END_OF_REQUEST = b"\0\x01\0\0\0\x01"  # a DATA frame with END_STREAM on stream 1, behind its length


class Peer:
    """Listens on 127.0.0.1 and gives each connection to *serve*, on a thread of its own.

    Args:
        serve: Takes the connection; what it leaves open stays open until the peer is closed.
        listener: Listens elsewhere.
    """

    def __init__(self, serve: Callable[[socket.socket], None], listener: socket.socket | None = None) -> None:
        self._serve = serve
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="peer-accept")]
        self.accepted = threading.Semaphore(0)
        self._threads[0].start()

    @property
    def url(self) -> str:
        """For a configuration, where it listens at a port."""
        return f"tri://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), name="peer")
            self._threads.append(thread)
            thread.start()
            self.accepted.release()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._serve(connection)

    def close(self) -> None:
        """Stop listening and close what is open."""
        for one in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(5)
        for one in (self._listener, *self._connections):
            one.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def mute(connection: socket.socket) -> None:
    """Read what comes, and never say a word."""
    while connection.recv(65536):
        pass


def http1(connection: socket.socket) -> None:
    """Answer as a web server of the last century."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def noise(connection: socket.socket) -> None:
    """Answer with bytes that mean nothing."""
    connection.recv(65536)
    connection.sendall(bytes(range(256)) * 16)
    mute(connection)


def after_request(then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Speak HTTP/2 until the first request is there in full, and go on with *then*."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(SETTINGS)
        data = b""
        while _END_OF_REQUEST not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        then(connection)

    return serve


def stop_reading(connection: socket.socket) -> None:
    """Allow for as many bytes as HTTP/2 can, and read none of them."""
    connection.sendall(_WIDE_SETTINGS + _WIDE_WINDOW + _SETTINGS_ACK)


def hang_up(connection: socket.socket) -> None:
    """Close the connection."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Close the connection with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
