"""A TCP proxy that does to what passes through it what a test asks for."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

UP: Final = "up"
"""From the client to the server."""
DOWN: Final = "down"
"""From the server to the client."""
_CHUNK: Final = 65536
_END_S: Final = 5.0


class Cut(Exception):
    """Raised by a `Way`: both sides of this connection are reset, once *last* has gone on."""

    def __init__(self, last: bytes = b"") -> None:
        super().__init__(last)
        self.last = last


class Way(Protocol):
    """What befalls the bytes of one connection."""

    def carry(self, direction: str, data: bytes) -> bytes:
        """Return what goes on in place of *data*; may wait, and may raise `Cut`."""


class Plain:
    """Hands on what comes."""

    def carry(self, direction: str, data: bytes) -> bytes:
        """Change nothing."""
        del direction
        return data


class Proxy:
    """Listens on 127.0.0.1 and carries each connection to *port*, by a `Way` of its own.

    Args:
        port: Of the server.
        way: Makes the way of the next connection.
    """

    def __init__(self, port: int, way: Callable[[], Way] = Plain) -> None:
        self._to = port
        self._way = way
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._opened = threading.Event()
        self._opened.set()
        self._closed = False
        self._start(self._accept)

    def hold(self) -> None:
        """Carry nothing from now on, and close nothing, as a cable that is pulled out."""
        self._opened.clear()

    def release(self) -> None:
        """Carry again, first what was held."""
        self._opened.set()

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            sockets = list(self._sockets)
        _reset(*sockets)

    def close(self) -> None:
        """Stop listening, and reset what is open."""
        self._closed = True
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(_END_S)
        self.cut()
        for thread in self._threads:
            thread.join(_END_S)
            assert not thread.is_alive(), thread

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:  # here, so that a cut right after the server has accepted finds it
                self._sockets.add(client)
            self._threads = [self._threads[0], *(one for one in self._threads[1:] if one.is_alive())]
            self._start(self._connect, client)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            _reset(client)
            self._forget(client)
            return
        pair = (client, server)
        for one in pair:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets.add(server)
        if self._closed:  # `close` came too early to see it
            _reset(*pair)
        way = self._way()
        down = threading.Thread(target=self._pump, args=(way, DOWN, server, client), name="proxy")
        down.start()
        self._pump(way, UP, client, server)
        down.join()
        self._forget(*pair)

    def _forget(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets.difference_update(sockets)
        for one in sockets:
            one.close()

    def _pump(self, way: Way, direction: str, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._opened.wait()
                if changed := way.carry(direction, data):
                    target.sendall(changed)
            target.shutdown(socket.SHUT_WR)
        except Cut as cut:
            with contextlib.suppress(OSError):
                target.sendall(cut.last)
            _reset(source, target)
        except OSError:
            _reset(source, target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _reset(*sockets: socket.socket) -> None:
    """Reset connections, and wake who waits for them; each is closed by its own thread."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
