"""The `tri` transport in the contract suite."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Self

import grpc
from support import tri_peers
from support.tracer import Tracer
from support.tri_peers import Peer

from callahead.consumer.transport.api import Transport, TransportParts
from callahead.consumer.transport.tri import TriTransport
from callahead.consumer.transport.tri.channels import open_channel

from .embedded import SOME, EmbeddedKind

INTERFACE = "helloworld.Greeter"
MODULE = "support.protos.helloworld_pb2"


class TriKind(EmbeddedKind):
    """`TriTransport` by grpcio."""

    name = protocol = "tri"
    # Not "ends while it writes": gRPC's core ends no call whose bytes it is writing, and the watchdog has to.
    # Not "tells every refusal": grpcio tells the state of a channel, and not when it came about.
    can = frozenset(
        {*EmbeddedKind.can, "tells of cancel", "limits requests", "limits answers", "limits its queue"},
    )
    reference: ClassVar[Mapping[str, Any]] = {"interface": INTERFACE, "module": MODULE, "carrier": "grpcio"}
    method = "SayHello"
    serving: ClassVar[Mapping[str, Any]] = {"interface": INTERFACE, "module": MODULE}

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""
        return TriTransport(parts)

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Make the request message, by its one field."""
        return ({"name": text},)

    def asked_text(self, request: Any) -> str:
        """Read the request's one field."""
        name: str = request.name
        return name

    def text_of(self, value: Any) -> str:
        """Read the answer's one field."""
        message: str = value.message
        return message

    def hangs_up_at_once(self) -> str:
        """Close what is accepted."""
        return self.opened(Peer(tri_peers.hang_up)).url

    def answers_rubbish(self) -> str:
        """Answer each request with what is no HTTP/2."""
        return self.opened(Peer(tri_peers.after_request(_rubbish))).url

    def ends_without_an_answer(self) -> str:
        """End each call by the status alone."""
        return self.opened(_Unanswering()).url

    def goes_in_the_midst(self) -> str:
        """Read some of the frames."""
        return self.opened(Peer(_some)).url

    def says_nothing(self) -> str:
        """Read on and on."""
        return self.opened(Peer(tri_peers.mute)).url

    def reads_nothing(self) -> str:
        """Take the connection and none of what comes over it."""
        return self.opened(Peer(tri_peers.stop_reading)).url


class Http2Kind(TriKind):
    """`TriTransport` over HTTP/2 of our own."""

    name = "http2"
    can = frozenset({*TriKind.can, "ends while it writes", "tells every refusal", "tells sent later"})
    reference: ClassVar[Mapping[str, Any]] = {**TriKind.reference, "carrier": "http2"}


def wrapped(address: str, options: Any, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """Open a channel within another; an `OpenChannel`."""
    return grpc.intercept_channel(open_channel(address, options, credentials), Tracer())


class WrappedTriKind(TriKind):
    """`TriTransport` over channels that a tracer has wrapped."""

    name = "wrapped tri"

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""
        return TriTransport(parts, wrapped)


class _Unanswering(grpc.GenericRpcHandler):
    """A server that takes every method for one that streams its answers, and has none."""

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(1), handlers=[self])
        self.url = f"tri://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def service(self, handler_call_details: Any) -> Any:
        """Have no answer."""
        del handler_call_details
        return grpc.unary_stream_rpc_method_handler(lambda *_: iter(()))


def _some(connection: socket.socket) -> None:
    connection.sendall(tri_peers.SETTINGS)
    left = SOME
    while left > 0:
        left -= len(connection.recv(SOME))
    tri_peers.reset(connection)


def _rubbish(connection: socket.socket) -> None:
    connection.sendall(bytes(range(256)) * 64)
    tri_peers.mute(connection)
