"""The connections of `dubbo`, as their pool makes them."""

from __future__ import annotations

from callahead.config.policy import ReferencePolicy

from ..api import TransportParts
from ..request_limit import Room
from ..tcp import pool
from ..tcp.destination import Destination
from ..tcp.io_thread import IoThread
from .connection import Connection
from .settings import ConnectionSettings

Pool = pool.Pool[ConnectionSettings, Connection]


class DubboKind:
    """Makes connections of Dubbo's protocol; a `ConnectionKind`."""

    protocol = "dubbo"
    alpn = ""

    def settings(self, policy: ReferencePolicy, own: int) -> ConnectionSettings:
        """Take what the reference says of connections; see `ConnectionKind.settings`."""
        return ConnectionSettings(
            connect_timeout=policy.connect_timeout_ms / 1000,
            heartbeat=policy.transport.heartbeat_ms / 1000,
            room=Room.of(policy),
            max_body_bytes=policy.max_response_bytes,
            max_body_setting=f"max_response_bytes ({policy.origin('max_response_bytes')})",
            own=own,
        )

    def open(
        self, destination: Destination, settings: ConnectionSettings, thread: IoThread, parts: TransportParts
    ) -> Connection:
        """Make one; see `ConnectionKind.open`."""
        return Connection(destination, settings, thread, parts.clock, parts.random, parts.callbacks)
