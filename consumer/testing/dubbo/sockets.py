"""One thread for all sockets of an embedded dubbo provider, and a connection on it."""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ...wire import BrokenStream, Event, FrameReader

_log = logging.getLogger("callahead.testing")
READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_READ_BYTES = 256 * 1024
_MAX_UNWRITTEN = 16 * 1024 * 1024
_RESET = struct.pack("ii", 1, 0)


class SocketThread:
    """Watches sockets, and runs what other threads post; ends with `end`."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = socket.socketpair()
        self._posted: deque[Callable[[], None]] = deque()
        self._awake = False
        self._ended = False
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.watch(self._reader, READ, lambda _: self._drain())
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def post(self, work: Callable[[], None]) -> None:
        """Run *work* on the thread, soon; never once it has ended. From any thread."""
        self._posted.append(work)
        if not self._awake:
            self._awake = True
            with suppress(OSError):
                self._writer.send(b"\0")

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread; False if it still runs."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def watch(self, sock: socket.socket, events: int, on_ready: Callable[[int], None]) -> None:
        """Call *on_ready* with those of *events* that *sock* is ready for; 0 for none. On the thread."""
        known = sock in self._selector.get_map()
        if events and known:
            self._selector.modify(sock, events, on_ready)
        elif events:
            self._selector.register(sock, events, on_ready)
        elif known:
            self._selector.unregister(sock)

    def end(self) -> None:
        """Let the thread end after what it is doing. On the thread."""
        self._ended = True

    def _run(self) -> None:
        while not self._ended:
            for key, events in self._selector.select():
                key.data(events)
            self._awake = False  # before the work is taken: what is posted from here on wakes the thread again
            while self._posted and not self._ended:
                self._posted.popleft()()
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            self._reader.recv(4096)


class AcceptedConnection:
    """A client's connection; all but `send` on the socket thread.

    Args:
        thread: The socket thread.
        sock: Accepted, not blocking.
        peer: The client's address.
        tls: Of the server, or None.
        on_event: Takes this connection and each event that comes.
        on_close: Takes it when it is closed, whoever did it.
    """

    def __init__(
        self,
        thread: SocketThread,
        sock: socket.socket,
        peer: str,
        tls: ssl.SSLContext | None,
        on_event: Callable[[AcceptedConnection, Event], None],
        on_close: Callable[[AcceptedConnection], None],
    ) -> None:
        self.peer = peer
        self._thread = thread
        self._handshaking = tls is not None
        self._socket: socket.socket | None = sock
        if tls is not None:
            self._socket = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._on_event = on_event
        self._on_close = on_close
        self._frames = FrameReader(setting="an embedded provider")
        self._waiting: deque[bytes] = deque()
        self._unwritten = memoryview(b"")
        self._finishing = False
        self._watched = 0
        self._watch(READ)

    def send(self, frame: bytes) -> None:
        """Write *frame* after all before it, or drop it where the connection is gone. From any thread."""
        self._waiting.append(frame)
        self._thread.post(self._flush)

    def finish(self) -> None:
        """Close once everything is written."""
        self._finishing = True
        if self._handshaking:
            self.close()
        else:
            self._flush()

    def close(self, *, reset: bool = False) -> None:
        """Close now, with a TCP reset if wanted; what was not written is lost."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        self._thread.watch(sock, 0, self._on_ready)
        if reset:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()
        self._waiting.clear()
        self._unwritten = memoryview(b"")
        self._on_close(self)

    def _on_ready(self, events: int) -> None:
        try:
            if self._handshaking:
                self._handshake()
            else:
                if events & WRITE:
                    self._flush()
                if events & READ and self._socket is not None:
                    self._read(self._socket)
        except OSError as error:
            _log.debug("%s: %s", self.peer, error)
            self.close()
        except Exception:
            _log.exception("the connection of %s is closed", self.peer)
            self.close()

    def _handshake(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        else:
            self._handshaking = False
            self._flush()

    def _read(self, sock: socket.socket) -> None:
        try:
            # Larger than a TLS record, so that nothing stays decrypted where the selector does not see it.
            self._take(sock.recv(_READ_BYTES))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return

    def _take(self, data: bytes) -> None:
        if not data:
            self.close()
            return
        for event in self._frames.feed(data):
            if isinstance(event, BrokenStream):
                _log.warning("the connection of %s is closed: %s", self.peer, event.error.message)
                self.close()
            if self._socket is not None:
                self._on_event(self, event)

    def _flush(self) -> None:
        if self._socket is None or self._handshaking:
            return
        try:
            while self._unwritten or self._waiting:
                if not self._unwritten:
                    self._unwritten = self._joined()
                self._unwritten = self._unwritten[self._socket.send(self._unwritten) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            # A client that does not read is not read from either, once enough has piled up.
            full = len(self._unwritten) + sum(map(len, self._waiting)) > _MAX_UNWRITTEN
            self._watch(WRITE if full else READ | WRITE)
        except OSError as error:
            _log.debug("%s: %s", self.peer, error)
            self.close()
        else:
            self._written()

    def _joined(self) -> memoryview:
        frames = [self._waiting.popleft() for _ in range(len(self._waiting))]
        return memoryview(b"".join(frames))

    def _written(self) -> None:
        if self._finishing:
            self.close()
        else:
            self._watch(READ)

    def _watch(self, events: int) -> None:
        if events != self._watched and self._socket is not None:
            self._watched = events
            self._thread.watch(self._socket, events, self._on_ready)
