"""The connections of HTTP/2, as their pool makes them."""

from __future__ import annotations

import os

from callahead.config.policy import ReferencePolicy

from ....wire.http2.settings import Limits
from ...api import TransportParts
from ...request_limit import Room
from ...tcp import pool
from ...tcp.destination import Destination
from ...tcp.io_thread import IoThread
from ...tcp.proxy import proxy_to
from .connection import Connection
from .settings import ConnectionSettings

Pool = pool.Pool[ConnectionSettings, Connection]


class Http2Kind:
    """Makes connections that speak gRPC over HTTP/2; a `ConnectionKind`."""

    protocol = "tri"
    alpn = "h2"

    def settings(self, policy: ReferencePolicy, own: int) -> ConnectionSettings:
        """Take what the reference says of connections; see `ConnectionKind.settings`."""
        return ConnectionSettings(
            connect_timeout=policy.connect_timeout_ms / 1000,
            keepalive=policy.transport.keepalive_ms / 1000,
            keepalive_timeout=policy.transport.keepalive_timeout_ms / 1000,
            room=Room.of(policy),
            limits=Limits(policy.transport.max_metadata_bytes, policy.transport.max_frame_bytes),
            http_proxy=policy.transport.http_proxy,
            own=own,
        )

    def open(
        self, destination: Destination, settings: ConnectionSettings, thread: IoThread, parts: TransportParts
    ) -> Connection:
        """Make one, by way of the proxy that the environment names now; see `ConnectionKind.open`."""
        if settings.http_proxy and destination.port:
            destination = destination._replace(proxy=proxy_to(destination.host, os.environ))
        return Connection(destination, settings, thread, parts.clock, parts.random, parts.callbacks)
