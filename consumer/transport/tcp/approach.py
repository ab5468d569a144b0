"""One address on its way to an open connection: TCP, then a proxy, then TLS, without blocking."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Final

from ..trouble import Trouble
from .destination import Destination, Tls, in_ascii
from .handshake import disagreed, first_bytes, too_slow, why_failed
from .io_thread import IoThread
from .poller import READ, WRITE
from .resolve import Address
from .tunnel import Tunnel

_UNDER_WAY: Final = (0, errno.EINPROGRESS)


class Approach:
    """Connects to one address; lives on the I/O thread and ends once, in one of three ways.

    Args:
        address: Of the peer, or of the proxy that makes the way there.
        destination: The peer.
        thread: Serves the socket meanwhile.
        opened: Called with this and the socket, which is non-blocking and served by nobody.
        failed: Called with this and what is wrong.

    `abandon` is the third way.

    Attributes:
        stage: What it is at, and what may be wrong if that does not end.
    """

    def __init__(
        self,
        address: Address,
        destination: Destination,
        thread: IoThread,
        opened: Callable[[Approach, socket.socket], None],
        failed: Callable[[Approach, Trouble], None],
    ) -> None:
        self.address = address
        self.stage = Trouble("connecting" if destination.proxy is None else f"connecting to {destination.proxy.name}")
        self._destination = destination
        self._tunnel: Tunnel | None = None
        self._thread = thread
        self._opened = opened
        self._failed = failed
        self._socket: socket.socket | None = None
        self._next = self._connected
        self._answer = b""

    def start(self) -> None:
        """Begin to connect; `failed` may be called before this returns.

        Raises:
            OSError: There is no socket to be had: no descriptor is left, or the system does not know the family.
        """
        family, address = self.address
        self._socket = opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setblocking(False)
        if family != socket.AF_UNIX:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            code = opened.connect_ex(address)
        except OSError as error:  # an address that does not fit its family
            self._not_connected(error.strerror or str(error))
            return
        if code in _UNDER_WAY:
            self._thread.serve(opened.fileno(), self)
            self._watch(WRITE)
        else:
            self._not_connected(_why(code, self.address))

    def _not_connected(self, text: str) -> None:
        proxy = self._destination.proxy
        self._fail(Trouble(text if proxy is None else f"{text}, at {proxy.name}"))

    def on_ready(self, events: int) -> None:
        """Go on; see `Handler.on_ready`."""
        del events
        self._next()

    def _connected(self) -> None:
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        proxy = self._destination.proxy
        if code:
            self._not_connected(_why(code, self.address))
        elif proxy is None:
            self._begin()
        else:
            self.stage = Trouble(f"waiting for {proxy.name} to connect")
            self._tunnel = Tunnel(proxy, in_ascii(self._destination.name))
            self._next = self._pass_proxy
            self._pass_proxy()

    def _pass_proxy(self) -> None:
        assert self._tunnel is not None
        assert self._socket is not None
        told = self._tunnel.advance(self._socket)
        if isinstance(told, Trouble):
            self._fail(told)
        elif told:
            self._watch(told)
        else:
            self._begin()

    def _begin(self) -> None:
        """Begin to speak with the peer itself."""
        tls = self._destination.tls
        if tls is None:
            self._open()
        else:
            self._begin_tls(tls)

    def _begin_tls(self, tls: Tls) -> None:
        assert self._socket is not None
        self._thread.forget(self._socket.fileno())
        self.stage = too_slow("shaking hands by TLS")
        try:
            self._socket = tls.context.wrap_socket(
                self._socket, server_hostname=tls.server_name, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:
            self._fail(why_failed(error, b""))
            return
        self._thread.serve(self._socket.fileno(), self)
        self._next = self._shake_hands
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
            self._agree(self._socket)

    def _agree(self, opened: ssl.SSLSocket) -> None:
        tls = self._destination.tls
        assert tls is not None
        if tls.speaks and opened.selected_alpn_protocol() != tls.speaks:
            self._fail(disagreed(tls.speaks))
        else:
            self._open()

    def _open(self) -> None:
        opened, self._socket = self._socket, None
        assert opened is not None
        self._thread.forget(opened.fileno())
        self._opened(self, opened)

    def _fail(self, trouble: Trouble) -> None:
        self.abandon()
        self._failed(self, trouble)

    def abandon(self) -> None:
        """Give up, and tell nobody."""
        opened, self._socket = self._socket, None
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()

    def _watch(self, events: int) -> None:
        assert self._socket is not None
        assert self._thread.poller is not None
        self._thread.poller.watch(self._socket.fileno(), events)


def _why(code: int, address: Address) -> str:
    """Say what the system's *code* means for *address*."""
    family, where = address
    if family == socket.AF_UNIX and code == errno.EAGAIN:
        return "its queue of connections is full"
    if family == socket.AF_UNIX and code == errno.ECONNREFUSED and os.path.isfile(where):
        return "it is a file, and no socket"
    return os.strerror(code)
