"""How kazoo gets its threads and connections."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from select import POLLIN, POLLOUT, poll
from ssl import SSLSocket, create_default_context
from threading import Thread, current_thread
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler

from callahead.config.policy import SslPolicy

_CONNECT_S = 2.0
# The names of a hundred thousand providers have some 70 MB; the first bytes of HTTP, SSH or TLS, read as the size of a
# message, are more than this.
_MOST_BYTES = 256 * 1024 * 1024
_TAKEN_BYTES = 64 * 1024
_NOTHING = memoryview(b"")
# How long a server may take to greet at first, and twice as long at each attempt after one that did not: one that is
# just starting takes connections that it will never answer, and kazoo alone would wait for as long as a session lasts.
_GREETING_S = 1.5


class _BoundedSocket(socket.socket):
    """Plain TCP, which reads no message of any size, since kazoo asks for all that a peer has announced.

    What has come is taken as a whole: kazoo asks for the size of each answer, and then for the answer, and waits before
    each, which for the ten thousand answers of a large application is most of the work.
    """

    _come = _NOTHING

    def pending(self) -> int:
        """Say how many bytes have been taken and not been asked for, as a socket over TLS does."""
        return len(self._come)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive up to *buflen* bytes; raises `OSError` where that is too much."""
        _require_bearable(buflen)
        if not self._come:
            self._come = memoryview(super().recv(max(buflen, _TAKEN_BYTES), flags))
        found, rest = bytes(self._come[:buflen]), self._come[buflen:]
        self._come = rest or _NOTHING  # an empty view would keep all that it is a part of
        return found


class _BoundedSslSocket(SSLSocket):
    """TLS, likewise; it has taken whole records already."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive up to *buflen* bytes; raises `OSError` where that is too much."""
        _require_bearable(buflen)
        return super().recv(buflen, flags)


def _require_bearable(size: int) -> None:
    if size > _MOST_BYTES:
        raise OSError(f"a message of {size} bytes is announced, and may have {_MOST_BYTES}")


def _ready(reads: Sequence[socket.socket], writes: Sequence[socket.socket], timeout_s: float) -> set[int]:
    """Wait, and give the numbers of those that can be read from or written to, or have ended."""
    waiting = poll()
    for each in reads:
        waiting.register(each, POLLIN)
    for each in writes:
        waiting.register(each, POLLOUT)
    return {number for number, _ in waiting.poll(timeout_s * 1000)}


# What may hold bytes of which the system knows nothing any more.
_HOLDING = (_BoundedSocket, _BoundedSslSocket)


class Handler(SequentialThreadingHandler):  # type: ignore[misc]
    """kazoo's own, with threads that have a name and raise nothing, and connections that can be cut.

    Args:
        name: Of the threads.
        ssl: How TLS is spoken; None for plain TCP.
    """

    def __init__(self, name: str, ssl: SslPolicy | None) -> None:
        super().__init__()
        self._ssl = ssl
        self._thread_name = name
        self._threads: list[Thread] = []
        self._sockets: list[socket.socket] = []
        self._why = "it cannot be reached: none of its names resolves"
        self._greeting_s = _GREETING_S
        self.has_failed = False
        self.is_refused = False
        self.connection: Any = None

    @property
    def has_ended(self) -> bool:
        """Whether kazoo gave the session up: none of its threads ends while it has not."""
        return not all(thread.is_alive() for thread in self._threads)

    @property
    def trouble(self) -> str:
        """Why there is no session, as far as the last attempt to connect tells; "" where none has failed."""
        return self._why if self.has_failed else ""

    def sleep_func(self, seconds: float) -> None:
        """Sleep; kazoo does so after it has tried every server in vain."""
        self.has_failed = True
        time.sleep(seconds)

    def spawn(self, func: Callable[..., None], *args: Any, **kwargs: Any) -> Thread:
        """Run *func* on a thread of ours."""

        def run() -> None:
            # Bytes that make no sense end kazoo's thread by whatever error they cause.
            try:
                func(*args, **kwargs)
            except Exception:
                self.has_failed = True

        thread = Thread(target=run, name=self._thread_name, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect to a server, and note why that did not succeed."""
        kwargs["timeout"] = min(kwargs["timeout"], _CONNECT_S)
        self.is_refused = False
        try:
            connection = super().create_connection(*args, **kwargs)
            self.connection = _bounded(connection, self._ssl, kwargs["hostname"])
        except Exception as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._why = f"it cannot be reached: {text[0].lower()}{text[1:]}"
            raise
        self._why = "it was reached, but does not answer as a ZooKeeper server does"
        self.is_refused = True
        return self.connection

    def select(self, *args: Any, **_kwargs: Any) -> Any:
        """Wait for one of some sockets to read from, or for one to write to, as kazoo's own does.

        Differs: it makes nothing for each wait, of which there are five to a request; it does not wait for what has
        been taken from the system already, of which that knows nothing; and for a greeting it waits less long.
        """
        reads, writes, _, timeout_s = args
        held = [each for each in reads if isinstance(each, _HOLDING) and each.pending()]
        ready = _ready(reads, writes, 0.0 if held else self._patience(timeout_s))
        if self.is_refused and not held and not ready:
            self._greeting_s *= 2
        found = [each for each in reads if each in held or each.fileno() in ready]
        return found, [each for each in writes if each.fileno() in ready], []

    def _patience(self, timeout_s: float) -> float:
        return min(timeout_s, self._greeting_s) if self.is_refused else timeout_s

    def succeed(self) -> None:
        """Note that the servers have answered."""
        self.has_failed = self.is_refused = False
        self._greeting_s = _GREETING_S
        self._why = "the connection was lost"

    def create_socket_pair(self) -> Sequence[socket.socket]:
        """Make the pair by which kazoo's thread is woken, to be closed with the rest."""
        pair: Sequence[socket.socket] = super().create_socket_pair()
        self._sockets += pair
        return pair

    def cut(self) -> None:
        """Let whoever waits on the connection see its end."""
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait for the threads."""
        for thread in self._threads:
            if thread is not current_thread():
                thread.join()

    def close_sockets(self) -> None:
        """Close what kazoo leaves open."""
        for each in (*self._sockets, self.connection):
            if each is not None:
                each.close()


def _bounded(connection: socket.socket, ssl: SslPolicy | None, host: str) -> _BoundedSocket | _BoundedSslSocket:
    return _BoundedSocket(fileno=connection.detach()) if ssl is None else _secured(connection, ssl, host)


def _secured(connection: socket.socket, settings: SslPolicy, host: str) -> _BoundedSslSocket:
    """Speak TLS on *connection*; kazoo itself would trust the system's certificates, too, and look at no name.

    The files are read for each connection, so that renewed ones are taken.
    """
    try:
        context = create_default_context(cafile=settings.ca)
        context.sslsocket_class = _BoundedSslSocket
        if settings.cert is not None:
            context.load_cert_chain(settings.cert, settings.key)
        found = context.wrap_socket(connection, server_hostname=settings.server_name or host)
        assert isinstance(found, _BoundedSslSocket)
        return found
    except BaseException:
        connection.close()
        raise
