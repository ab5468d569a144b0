"""Scripted peers that speak the dubbo protocol, or break it, on real sockets."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from callahead.consumer.codec.dubbo import RequestBody, decode_request, encode_response, encode_text_body
from callahead.consumer.codec.hessian2 import Limits
from callahead.consumer.wire import (
    OK,
    BadRequest,
    Event,
    FrameReader,
    Heartbeat,
    Request,
    heartbeat_answer_frame,
    response_frame,
)

INTERFACE = "com.alibaba.foo.FooService"
_LIMITS = Limits(bytes=1 << 30, elements=1 << 24)
TYPES: dict[str, Any] = {"parameter_types": ["java.lang.Object"]}
METHODS: dict[str, Any] = {
    "echo": {},
    "ahead": {"async": True},
    "aheadSent": {"async": True, "sent": True},
    "tell": {"return": False},
    "tellSent": {"return": False, "sent": True},
}


def wait_until(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Return what *condition* gives once it is true."""
    until = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {timeout} s"
        time.sleep(0.002)
    return value


class Link:
    """One accepted connection; read by the thread that serves it, written by any."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()
        self.heartbeats = 0
        self._reader = FrameReader(64 * 1024 * 1024)
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()

    def read(self, size: int = 65536) -> bytes:
        """Return the next bytes, b"" at the end of the connection."""
        try:
            data = self.socket.recv(size)
        except OSError:
            return b""
        self.received += data
        return data

    def events(self) -> Iterator[Event]:
        """Yield what comes, to the end of the connection."""
        while True:
            while self._events:
                yield self._events.popleft()
            data = self.read()
            if not data:
                return
            self._events.extend(self._reader.feed(data))

    def requests(self) -> Iterator[Request]:
        """Yield the calls that come; heartbeats are answered."""
        for event in self.events():
            if isinstance(event, Heartbeat):
                self.heartbeats += 1
                self.send(heartbeat_answer_frame(event.id))
            elif isinstance(event, Request):
                yield event
            else:
                assert not isinstance(event, BadRequest), event

    def next_request(self) -> Request:
        """Return the next call."""
        return next(self.requests())

    def send(self, data: bytes) -> None:
        """Write *data*; a consumer that has gone is no error here."""
        with self._lock, contextlib.suppress(OSError):
            self.socket.sendall(data)

    def answer(self, request: Request, value: Any) -> None:
        """Answer a call with *value*."""
        self.send(answer_frame(request, value))

    def refuse(self, request: Request, status: int, text: str) -> None:
        """Answer a call with a status."""
        self.send(response_frame(request.id, encode_text_body(text), status))

    def hang_up(self) -> None:
        """Close the connection with FIN."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close the connection with RST."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()

    def wait_closed(self) -> None:
        """Read to the end of the connection."""
        while self.read():
            pass


Serve = Callable[[Link], None]


def body_of(request: Request) -> RequestBody:
    """Read the body of a call."""
    return decode_request(request.body, limits=_LIMITS)


def argument(request: Request) -> Any:
    """Return the one argument of a call."""
    return body_of(request).args[0]


def answer_frame(request: Request, value: Any, status: int = OK) -> bytes:
    """Make the answer to a call."""
    return response_frame(request.id, encode_response(value, limits=_LIMITS), status)


def echo(link: Link) -> None:
    """Answer every call that wants an answer with its argument."""
    for request in link.requests():
        if request.two_way:
            link.answer(request, argument(request))


def mute(link: Link) -> None:
    """Read what comes, and never say a word."""
    link.wait_closed()


def deaf(link: Link) -> None:
    """Read nothing; the connection stays open until the peer is closed."""


class DubboPeer:
    """Listens on 127.0.0.1 and gives each connection to *serve*, on a thread of its own.

    Args:
        serve: Takes a `Link`; what it leaves open stays open until the peer is closed. Without one, each call is put
            into ``calls`` as ``(link, request)``.
        tls: Server side of TLS.
        port: 0 for any.
        receive_buffer: Bytes that the system takes for a peer that does not read; 0 for the system's own idea.
    """

    def __init__(
        self, serve: Serve | None = None, *, tls: ssl.SSLContext | None = None, port: int = 0, receive_buffer: int = 0
    ) -> None:
        self.serve: Serve = self._hand_over if serve is None else serve
        self.calls: queue.Queue[tuple[Link, Request]] = queue.Queue()
        self.links: list[Link] = []
        self._tls = tls
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="peer-accept")]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """For a configuration."""
        return f"dubbo://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        """As an error shows it."""
        return f"127.0.0.1:{self.port}"

    def _hand_over(self, link: Link) -> None:
        for request in link.requests():
            self.calls.put((link, request))

    def next_call(self, timeout: float = 20.0) -> tuple[Link, Request]:
        """Return the call that has waited longest."""
        return self.calls.get(timeout=timeout)

    def link(self, count: int = 1, timeout: float = 20.0) -> Link:
        """Return the connection number *count*, once it is there."""
        wait_until(lambda: len(self.links) >= count, timeout)
        return self.links[count - 1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection,), name="peer")
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        link = Link(connection)
        self.links.append(link)
        with contextlib.suppress(OSError):
            self.serve(link)

    def close(self) -> None:
        """Stop listening and close what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(5)
        self._listener.close()
        until = time.monotonic() + 5
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < until:
            for link in list(self.links):
                link.hang_up()
            for thread in list(self._threads):
                thread.join(0.05)
        for link in self.links:
            with contextlib.suppress(OSError):
                link.socket.close()
        alive = [thread for thread in self._threads if thread.is_alive()]
        assert not alive, alive

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def foo_config(*urls: str, methods: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Configure the one reference ``foo`` to *urls*, whose methods take one value of any type."""
    return {
        "references": {
            "foo": {
                "interface": INTERFACE,
                "protocol": "dubbo",
                **({"url": list(urls)} if urls else {}),
                "timeout": 5000,
                "retries": 0,
                "methods": {
                    name: {
                        "parameter_types": ["java.lang.Object"],
                        **METHODS.get(name, {}),
                        **(methods or {}).get(name, {}),
                    }
                    for name in (*METHODS, *((methods or {}).keys() - METHODS.keys()))
                },
                **settings,
            }
        }
    }


def connections_of(consumer: Any) -> list[Any]:
    """List the open `Connection` objects of a consumer."""
    return list(consumer._transports["dubbo"]._pool._shared.open())


def io_threads() -> list[threading.Thread]:
    """List the I/O threads of all consumers of this process."""
    return [thread for thread in threading.enumerate() if thread.name == "callahead-dubbo-io"]
