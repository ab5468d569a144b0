"""How kazoo gets its threads and connections."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from ssl import SSLSocket, create_default_context
from threading import Thread, current_thread
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler

from callahead.config.policy import SslPolicy

_CONNECT_S = 2.0
# The names of a hundred thousand providers have some 70 MB; the first bytes of HTTP, SSH or TLS, read as the size of a
# message, are more than this.
_MOST_BYTES = 256 * 1024 * 1024


class _Bounded:
    """A socket that reads no message of any size, since kazoo asks for all that a peer has announced."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive up to *buflen* bytes; raises `OSError` where that is too much."""
        if buflen > _MOST_BYTES:
            raise OSError(f"a message of {buflen} bytes is announced, and may have {_MOST_BYTES}")
        found: bytes = super().recv(buflen, flags)  # type: ignore[misc]
        return found


class _BoundedSocket(_Bounded, socket.socket):
    """Over plain TCP."""


class _BoundedSslSocket(_Bounded, SSLSocket):
    """Over TLS."""


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

    def select(self, *args: Any, **kwargs: Any) -> Any:
        """Wait as kazoo does, but not for what TLS has decrypted already, of which the socket knows nothing."""
        pending = [each for each in args[0] if isinstance(each, SSLSocket) and each.pending()]
        if not pending:
            return super().select(*args, **kwargs)
        reads, writes, errors = super().select(args[0], args[1], args[2], 0)
        return [*pending, *(each for each in reads if each not in pending)], writes, errors

    def succeed(self) -> None:
        """Note that the servers have answered."""
        self.has_failed = self.is_refused = False
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


def _bounded(connection: socket.socket, ssl: SslPolicy | None, host: str) -> _Bounded:
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
