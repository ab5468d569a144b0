"""Bringing one connection about: from a host name to an open socket, TLS included, without blocking."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from ..trouble import Trouble
from .handshake import first_bytes, too_slow, why_failed
from .io_thread import IoThread
from .poller import READ, WRITE
from .resolve import Address, resolve


class Dial:
    """One attempt to connect, address after address; lives on the I/O thread and ends once, in one of three ways.

    Args:
        address: Host and port.
        tls: The context and the name to expect in the peer's certificate, or None for plain TCP.
        thread: Serves the socket meanwhile.
        opened: Called with the socket, which is non-blocking and served by nobody.
        failed: Called with what is wrong.

    `abandon` is the third way.

    Attributes:
        stage: What it is at, and what may be wrong if that does not end.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls: tuple[ssl.SSLContext, str] | None,
        thread: IoThread,
        opened: Callable[[socket.socket], None],
        failed: Callable[[Trouble], None],
    ) -> None:
        self._address = address
        self._tls = tls
        self._thread = thread
        self._opened = opened
        self._failed = failed
        self._left: list[Address] = []
        self._socket: socket.socket | None = None
        self._shaking_hands = False
        self._answer = b""
        self._over = False
        self.stage = Trouble("looking the host up")

    def start(self) -> None:
        """Begin with the host's addresses."""
        thread = self._thread
        name = f"callahead-{thread.protocol}-dns"
        resolve(self._address, lambda found: thread.post(self._resolved, found), thread_name=name)

    def _resolved(self, found: list[Address] | OSError) -> None:
        if self._over:
            return
        if isinstance(found, OSError):
            self._fail(Trouble(f"{self._address[0]} cannot be looked up: {found.strerror or found}"))
            return
        self._left = found
        self._next("the host has no address")

    def _next(self, problem: str) -> None:
        if not self._left:
            self._fail(Trouble(problem))
            return
        family, address = self._left.pop(0)
        self.stage = Trouble("connecting")
        try:
            code = self._connect(family, address)
        except OSError as error:  # no descriptor is left, or the system does not know the family
            self._drop()
            self._next(f"no socket: {error.strerror or error}")
            return
        if code:
            self._drop()
            self._next(os.strerror(code))

    def _connect(self, family: int, address: Any) -> int:
        """Begin to connect; returns the system's number of what is wrong, 0 for nothing."""
        self._socket = opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread.serve(opened.fileno(), self)
        code = opened.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            return code
        self._watch(WRITE)
        return 0

    def on_ready(self, events: int) -> None:
        """Go on; see `Handler.on_ready`."""
        del events
        if self._shaking_hands:
            self._shake_hands()
            return
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._drop()
            self._next(os.strerror(code))
        elif self._tls is None:
            self._open()
        else:
            self._begin_tls(*self._tls)

    def _begin_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        assert self._socket is not None
        self._thread.forget(self._socket.fileno())
        self.stage = too_slow("shaking hands by TLS")
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=server_name, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            self._fail(why_failed(error, b""))
            return
        self._thread.serve(self._socket.fileno(), self)
        self._shaking_hands = True
        self._shake_hands()

    def _shake_hands(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        self._answer = self._answer or first_bytes(self._socket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except OSError as error:
            self._fail(why_failed(error, self._answer))
        else:
            self._open()

    def _open(self) -> None:
        opened, self._socket = self._socket, None
        assert opened is not None
        self._over = True
        self._thread.forget(opened.fileno())
        self._opened(opened)

    def _fail(self, trouble: Trouble) -> None:
        self.abandon()
        self._failed(trouble)

    def abandon(self) -> None:
        """Give up, and tell nobody."""
        self._over = True
        self._drop()

    def _watch(self, events: int) -> None:
        assert self._socket is not None
        assert self._thread.poller is not None
        self._thread.poller.watch(self._socket.fileno(), events)

    def _drop(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()
