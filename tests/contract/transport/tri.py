"""The `tri` transport in the contract suite."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, ClassVar

import grpc
from support import tri_peers
from support.tracer import Tracer
from support.tri_peers import Peer

from callahead.consumer.transport.api import Transport, TransportParts
from callahead.consumer.transport.tri import TriTransport
from callahead.consumer.transport.tri.channels import open_channel

from .embedded import EmbeddedKind

INTERFACE = "helloworld.Greeter"
MODULE = "support.protos.helloworld_pb2"


class TriKind(EmbeddedKind):
    """`TriTransport` over sockets of this machine."""

    name = protocol = "tri"
    # Not "tells every refusal": grpcio tells the state of a channel, and not when it came about.
    can = frozenset({"wire", "waits", "tells of cancel", "limits requests", "limits answers", "limits its queue"})
    reference: ClassVar[Mapping[str, Any]] = {"interface": INTERFACE, "module": MODULE}
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

    def says_nothing(self) -> str:
        """Read on and on."""
        return self.opened(Peer(tri_peers.mute)).url

    def reads_nothing(self) -> str:
        """Accept, and be silent."""
        return self.opened(Peer(lambda _: None)).url


def wrapped(address: str, options: Any, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """Open a channel within another; an `OpenChannel`."""
    return grpc.intercept_channel(open_channel(address, options, credentials), Tracer())


class WrappedTriKind(TriKind):
    """`TriTransport` over channels that a tracer has wrapped."""

    name = "wrapped tri"

    def transport(self, parts: TransportParts) -> Transport:
        """Make one."""
        return TriTransport(parts, wrapped)


def _rubbish(connection: socket.socket) -> None:
    connection.sendall(bytes(range(256)) * 64)
    tri_peers.mute(connection)
