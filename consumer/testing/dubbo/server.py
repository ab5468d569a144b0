"""A server of the dubbo protocol: from requests to functions, and from what they give to answers."""

from __future__ import annotations

import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...codec.dubbo import decode_request
from ...errors import RpcError, SerializationError
from ...wire import (
    BadRequest,
    Event,
    Heartbeat,
    Request,
    heartbeat_answer_frame,
    read_only_frame,
    response_frame,
)
from ..mistake import wrong
from ..port import HOST
from ..provider_call import RUNNING, ProviderCall
from ..workers import Workers
from .answer import Reply, error_answer, text_answer, value_answer
from .exchange import Exchange, takes_attachments
from .service import DubboService, find_service
from .sockets import READ, AcceptedConnection, SocketThread

_log = logging.getLogger("callahead.testing")
_BAD_REQUEST = 40
_BACKLOG = 1024
_ACCEPT_PAUSE_S = 0.01
_END_S = 1.0
Services = Callable[[], Mapping[tuple[str, str, str], DubboService]]


class DubboServer:
    """Listens on one port until it is stopped.

    One thread has all sockets; functions run on *workers*, and a call that a script delays or hangs takes no thread.

    Args:
        port: Of 127.0.0.1.
        services: Gives what is served at the time.
        workers: Run the functions; the caller stops them after the server.
        tls: Serve over TLS.
        note: Is told of every call that begins.

    Raises:
        ConfigError: The port is taken.
    """

    def __init__(
        self,
        port: int,
        services: Services,
        workers: Workers,
        tls: ssl.SSLContext | None,
        note: Callable[[ProviderCall], None],
    ) -> None:
        self._services = services
        self._workers = workers
        self._tls = tls
        self._note = note
        self._listener = _listening(port)
        self._connections: set[AcceptedConnection] = set()
        self._changed = threading.Condition()
        self._running: set[Exchange] = set()
        self._stopping = False
        self._thread = SocketThread(f"EmbeddedProvider-{port}-sockets")
        self._thread.watch(self._listener, READ, lambda _: self._accept())
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Ask clients for no more calls, wait for those that run and that somebody waits for, and close.

        Returns:
            False if the thread still runs, which it should not.
        """
        deadline = time.monotonic() + timeout
        self._thread.post(self._announce)
        with self._changed:
            while (wait := min(self._awaited(), deadline - time.monotonic())) > 0:
                self._changed.wait(wait)
        self._thread.post(self._finish)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self.kill(_END_S)

    def kill(self, timeout: float) -> bool:
        """Reset every connection at once; returns as `stop` does."""
        self._thread.post(self._reset)
        return self._thread.join(timeout)

    def _awaited(self) -> float:
        """Seconds for which some client may still wait for a call that can end; 0 where none does. Locked."""
        times = [
            math.inf if (left := one.call.time_remaining) is None else left
            for one in self._running
            if not one.step.hang
        ]
        return max(times, default=0.0)

    # The socket thread

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:  # no file descriptor is left; there may be one soon
            _log.error("an embedded provider cannot accept a connection: %s", error)
            time.sleep(_ACCEPT_PAUSE_S)
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = f"ipv4:{address[0]}:{address[1]}"
        try:
            connection = AcceptedConnection(self._thread, sock, peer, self._tls, self._on_event, self._on_close)
        except OSError:  # the client has gone, and TLS notices at once
            sock.close()
            return
        self._connections.add(connection)

    def _announce(self) -> None:
        self._stop_listening()
        for connection in list(self._connections):
            connection.send(read_only_frame(0))

    def _finish(self) -> None:
        self._stopping = True
        for connection in list(self._connections):
            connection.finish()
        self._end_if_empty()

    def _reset(self) -> None:
        self._stop_listening()
        for connection in list(self._connections):
            connection.close(reset=True)
        self._thread.end()

    def _stop_listening(self) -> None:
        if self._listener.fileno() >= 0:
            self._thread.watch(self._listener, 0, lambda _: None)
            self._listener.close()

    def _on_close(self, connection: AcceptedConnection) -> None:
        self._connections.discard(connection)
        with self._changed:
            # A one-way call has nobody who waits for it in any case, so it runs though its caller has gone.
            lost = [one for one in self._running if one.connection is connection and one.two_way]
            self._running.difference_update(lost)
            self._changed.notify_all()
        for one in lost:
            one.give_up()
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if self._stopping and not self._connections:
            self._thread.end()

    def _on_event(self, connection: AcceptedConnection, event: Event) -> None:
        if isinstance(event, Request):
            self._begin(connection, event)
        elif isinstance(event, Heartbeat):
            if event.two_way:
                connection.send(heartbeat_answer_frame(event.id))
        elif isinstance(event, BadRequest) and event.two_way:
            _send(connection, event.id, _undecodable(event.error))

    def _begin(self, connection: AcceptedConnection, event: Request) -> None:
        try:
            request = decode_request(event.body)
        except SerializationError as error:
            refused: Reply = _undecodable(error)
        else:
            attachments: dict[str, Any] | None = {} if takes_attachments(request.protocol) else None
            try:
                target = find_service(self._services(), request).target(request, connection.peer)
            except RpcError as error:
                refused = error_answer(error, attachments)
            else:
                if target.overload is not None:
                    self._enter(Exchange(connection, event, request, target))
                    return
                refused = value_answer(target.args[0], attachments)
        if event.two_way:
            _send(connection, event.id, refused)

    def _enter(self, one: Exchange) -> None:
        with self._changed:
            self._running.add(one)
        self._note(one.call)
        if one.step.hang:
            return
        if one.step.delay_s:
            one.timer = self._workers.later(one.step.delay_s, lambda: self._run(one))
        else:
            self._workers.submit(self._run, one)

    # Workers

    def _run(self, one: Exchange) -> None:
        if one.call.outcome != RUNNING:
            return
        answer = one.answer()
        one.call.end(answer.outcome)
        if one.two_way:
            _send(one.connection, one.id, answer)
        with self._changed:
            self._running.discard(one)
            self._changed.notify_all()


def _undecodable(error: RpcError) -> Reply:
    return text_answer(_BAD_REQUEST, f"Fail to decode request due to: {error.message}")


def _send(connection: AcceptedConnection, request_id: int, answer: Reply) -> None:
    connection.send(response_frame(request_id, answer.body, answer.status))


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # `Port` holds it, too
        listener.setblocking(False)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise wrong(f"cannot listen on {HOST}:{port}: {error.strerror}") from error
    return listener
