"""All connections of HTTP/2 of a consumer: one per address and kind, shared by the references that want the same."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable

from callahead.config.policy import ReferencePolicy, SslPolicy

from ....call.provider import Provider
from ...api import ConnectionCounts, Providers, TransportParts
from ...bound import Bound, BoundT, SharedConnections
from ...certificates import client_context
from ...request_limit import Room
from ...tcp.io_thread import IoThread
from .connection import Connection
from .settings import ConnectionSettings

_OWN = itertools.count(1)
_Key = tuple[tuple[str, int], ConnectionSettings, SslPolicy | None]


class Pool:
    """The connections and their one I/O thread; all methods may be called from any thread.

    Args:
        parts: What the transport may use.
    """

    def __init__(self, parts: TransportParts) -> None:
        self._parts = parts
        self._shared: SharedConnections[_Key, Connection] = SharedConnections()
        self._settings: dict[str, tuple[ConnectionSettings, ...]] = {}
        self._contexts: dict[SslPolicy, ssl.SSLContext] = {}
        self._thread = IoThread(parts.clock, "tri")

    def prepare(self, policy: ReferencePolicy) -> None:
        """Make what the connections of a reference need.

        Raises:
            ConfigError: A file of ``ssl`` cannot be used.
        """
        owned = [next(_OWN) for _ in range(policy.connections)] or [0]
        self._settings[policy.id] = tuple(_settings(policy, own) for own in owned)
        if policy.ssl is not None and policy.ssl not in self._contexts:
            context = client_context(policy, policy.ssl)
            context.set_alpn_protocols(["h2"])
            self._contexts[policy.ssl] = context

    def connections(self, provider: Provider, policy: ReferencePolicy) -> tuple[Connection, ...]:
        """Return the connections that a reference uses in turn towards *provider*; none once closed."""
        found = [self._connection(provider, policy.ssl, settings) for settings in self._settings[policy.id]]
        return tuple(connection for connection in found if connection is not None)

    def _connection(self, provider: Provider, tls: SslPolicy | None, settings: ConnectionSettings) -> Connection | None:
        address = (provider.endpoint.host, provider.endpoint.port)
        return self._shared.get((address, settings, tls), provider, lambda: self._make(address, settings, tls))

    def _make(self, address: tuple[str, int], settings: ConnectionSettings, tls: SslPolicy | None) -> Connection:
        named = None if tls is None else (self._contexts[tls], tls.server_name or address[0])
        parts = self._parts
        return Connection(address, settings, self._thread, parts.clock, parts.random, parts.callbacks, named)

    def bound(self, bind: Callable[[Provider], BoundT], providers: Providers) -> Bound[BoundT]:
        """Make what keeps the work of *bind* for each provider; see `SharedConnections.bound`."""
        return self._shared.bound(bind, providers)

    def counts(self) -> tuple[ConnectionCounts, ...]:
        """Return what happened on each connection."""
        return tuple(connection.counts() for connection in self._shared.open())

    def refresh(self, provider: Provider) -> None:
        """Let *provider* be bound anew; see `SharedConnections.refresh`."""
        self._shared.refresh(provider)

    def release(self, provider: Provider) -> None:
        """Forget *provider*; see `SharedConnections.release`."""
        self._shared.release(provider)

    def close(self) -> None:
        """Close all connections, and end the I/O thread. Idempotent."""
        self._shared.close()
        self._thread.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets; new calls connect anew."""
        self._thread.after_fork()
        for connection in self._shared.after_fork():
            connection.after_fork()

    def __repr__(self) -> str:
        return f"<Pool of {len(self._shared)} connections>"


def _settings(policy: ReferencePolicy, own: int) -> ConnectionSettings:
    return ConnectionSettings(
        connect_timeout=policy.connect_timeout_ms / 1000,
        keepalive=policy.transport.keepalive_ms / 1000,
        keepalive_timeout=policy.transport.keepalive_timeout_ms / 1000,
        room=Room.of(policy),
        max_metadata_bytes=policy.transport.max_metadata_bytes,
        own=own,
    )
