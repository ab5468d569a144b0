"""A server of HTTP/2 on a real socket, frame by frame, that does what a test says and no server would."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from callahead.consumer.wire.http2 import frames
from callahead.consumer.wire.http2.frames import PREFACE

from .http2_frames import GREETING, HEAD, OK, data, headers, message
from .tri_peers import Peer

FIELD_NAME = b"\n\x05"


class Frame(NamedTuple):
    """One frame of the client."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends(self) -> bool:
        """It is the last of its stream's request."""
        return self.kind in (frames.DATA, frames.HEADERS) and bool(self.flags & frames.END_STREAM)


class Line:
    """One connection of the client, as the server has it.

    Attributes:
        read: All frames so far.
    """

    def __init__(self, connection: socket.socket, greeting: bytes) -> None:
        self._connection = connection
        self._held = b""
        self.read: list[Frame] = []
        self.send(greeting)
        assert self._take(len(PREFACE)) == PREFACE

    def send(self, *said: bytes) -> None:
        """Say just that."""
        self._connection.sendall(b"".join(said))

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            more = self._connection.recv(65_536)
            if not more:
                raise ConnectionError
            self._held += more
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def next(self, *kinds: int) -> Frame:
        """Wait for the next frame, of one of *kinds* where there are any."""
        while True:
            word, flags, stream = frames.HEAD.unpack(self._take(frames.FRAME_BYTES))
            frame = Frame(word & 0xFF, flags, stream, self._take(word >> 8))
            self.read.append(frame)
            if not kinds or frame.kind in kinds:
                return frame

    def request(self) -> int:
        """Wait for the end of a request, and return its stream."""
        while not (frame := self.next()).ends:
            continue
        return frame.stream

    def requests(self) -> Iterator[int]:
        """Give the streams of requests as these end, until the client hangs up."""
        try:
            while True:
                yield self.request()
        except OSError:
            return

    def answer(self, stream: int, text: str = "hello") -> None:
        """Answer with a `HelloReply`."""
        self.send(headers(stream, *HEAD), data(stream, message(reply(text))), headers(stream, *OK, ends=True))

    def wait_for(self, seconds: float) -> None:
        """Read what comes within *seconds*."""
        self._connection.settimeout(seconds)
        try:
            while True:
                self.next()
        except TimeoutError:
            self._connection.settimeout(None)

    def hang_up(self) -> None:
        """Close the connection, behind what was said."""
        self._connection.shutdown(socket.SHUT_RDWR)

    def wait_closed(self) -> None:
        """Read on until the client hangs up."""
        for _ in self.requests():
            continue


def reply(text: str) -> bytes:
    """A `HelloReply` of less than 128 bytes as bytes."""
    return b"\n" + bytes([len(text)]) + text.encode()


def http2_peer(serve: Callable[[Line], None], greeting: bytes = GREETING) -> Peer:
    """Listen, and give each connection that the client has greeted to *serve*."""
    return Peer(lambda connection: serve(Line(connection, greeting)))


def answering(line: Line) -> None:
    """Answer every request."""
    for stream in line.requests():
        line.answer(stream)
