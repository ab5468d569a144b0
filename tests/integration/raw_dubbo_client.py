"""A dubbo consumer of a bare socket, which sends any bytes and shows each event that comes back."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

from support.dubbo_bodies import request_body

from callahead.consumer.codec.dubbo import decode_response
from callahead.consumer.codec.hessian2 import loads
from callahead.consumer.wire import OK, Event, FrameReader, Response, request_frame


class RawClient:
    """A connection to ``host:port``; nothing waits for longer than five seconds."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self._frames = FrameReader()
        self._events: list[Event] = []
        self._ids = iter(range(1, 1_000_000))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, frame: bytes) -> None:
        """Write it."""
        self.socket.sendall(frame)

    def event(self) -> Event:
        """Give the next event; EOFError where the provider closes, ConnectionResetError where it resets."""
        while not self._events:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._events += self._frames.feed(data)
        return self._events.pop(0)

    def answer(self) -> Response:
        """Give the next event, an answer."""
        event = self.event()
        assert isinstance(event, Response), event
        return event

    def call(
        self,
        interface: str,
        method: str,
        descriptor: str = "",
        *args: Any,
        version: str = "",
        two_way: bool = True,
        **attachments: Any,
    ) -> int:
        """Send a request, and give its id."""
        number = next(self._ids)
        body = request_body(interface, method, descriptor, args, attachments, version=version)
        self.send(request_frame(number, body, two_way=two_way))
        return number

    def ask(self, interface: str, method: str, descriptor: str = "", *args: Any, **more: Any) -> Any:
        """Send a request, and read its answer as `outcome` does."""
        number = self.call(interface, method, descriptor, *args, **more)
        answer = self.answer()
        assert answer.id == number
        return outcome(answer)


def outcome(answer: Response) -> Any:
    """Give kind, value and attachments of an answer that is OK, else its status and text."""
    if answer.status == OK:
        return decode_response(answer.body)
    return answer.status, loads(answer.body)
