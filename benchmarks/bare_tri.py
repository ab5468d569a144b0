"""The least that any client of gRPC has to do: one thread that writes and reads the bytes of calls on a bare socket.

What it takes nobody can take less of, whatever the language; and where it is no quicker than others, the server is what
they all wait for. It knows no error, no deadline and no thread but its own.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from callahead.consumer.wire.http2.frames import (
    ACK,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    HEAD,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    PING,
    PREFACE,
    SETTINGS,
    SETTINGS_ACK,
    frame,
    ping_frame,
    settings_frame,
    window_update_frame,
)
from callahead.consumer.wire.http2.grpc import PREFIX
from callahead.consumer.wire.http2.hpack import encode_fields

from .loops import Loop
from .servers import Tls

_READ_BYTES: Final = 64 * 1024


class BareClient:
    """One connection, on which the same request is sent again and again.

    Args:
        port: Of the server, on 127.0.0.1.
        path: Of the method.
        argument: Its message.
        tls: What the server shows; None for plain.
    """

    def __init__(self, port: int, path: str, argument: bytes, tls: Tls | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            context = ssl.create_default_context(cafile=str(tls.certificate))
            context.set_alpn_protocols(["h2"])
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._block = encode_fields(
            (
                (b":method", b"POST"),
                (b":scheme", b"http" if tls is None else b"https"),
                (b":path", path.encode()),
                (b":authority", b"127.0.0.1"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
            )
        )
        self._message = PREFIX.pack(False, len(argument)) + argument
        self._stream = -1
        self._held = b""
        hello = PREFACE + settings_frame({INITIAL_WINDOW_SIZE: LARGEST_WINDOW})
        self._owed = [hello, window_update_frame(0, LARGEST_WINDOW - DEFAULT_WINDOW)]

    def send(self, calls: int = 1) -> None:
        """Begin *calls* calls by one system call, with what the server has asked for before them."""
        frames = self._owed
        for _ in range(calls):
            self._stream += 2
            frames.append(frame(HEADERS, END_HEADERS, self._stream, self._block))
            frames.append(frame(DATA, END_STREAM, self._stream, self._message))
        self._socket.sendall(b"".join(frames))
        frames.clear()

    def receive(self) -> int:
        """Wait for some bytes of the server, and tell how many calls they end."""
        data = self._held + self._socket.recv(_READ_BYTES)
        at = ended = 0
        while len(data) - at >= FRAME_BYTES:
            word, flags, _ = HEAD.unpack_from(data, at)
            end = at + FRAME_BYTES + (word >> 8)
            if end > len(data):
                break
            kind = word & 0xFF
            if kind == HEADERS:
                ended += flags & END_STREAM
            elif kind in (PING, SETTINGS) and not flags & ACK:
                content = data[at + FRAME_BYTES : end]
                self._owed.append(ping_frame(content, ack=True) if kind == PING else SETTINGS_ACK)
            at = end
        self._held = data[at:]
        return ended

    def call(self) -> None:
        """Make one call, and wait for its end."""
        self.send()
        while not self.receive():
            pass

    def windowed(self, limit: int) -> Loop:
        """Keep up to *limit* calls in flight."""

        def loop(calls: int) -> None:
            begun = min(limit, calls)
            self.send(begun)
            ended = 0
            while ended < calls:
                came = self.receive()
                ended += came
                more = min(came, calls - begun)
                begun += more
                if more:
                    self.send(more)

        return loop

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
