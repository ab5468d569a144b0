"""All connections of a protocol over TCP: one per address and kind, shared by the references that want the same."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from callahead.config.policy import ReferencePolicy, SslPolicy

from ...call.provider import Provider
from ..api import ConnectionCounts, Providers, TransportParts
from ..bound import Bound, BoundT, Shared, SharedConnections
from ..certificates import client_context
from .destination import LOCAL, Destination, Tls, place_of
from .io_thread import IoThread

Address = tuple[str, int]

_OWN = itertools.count(1)


class Pooled(Shared, Protocol):
    """A connection as its pool sees it."""

    def serve(self, provider: Provider) -> None:
        """Note that *provider* is asked by it."""

    def counts(self) -> ConnectionCounts:
        """Say what happened on it."""

    def after_fork(self) -> None:
        """Close this process' copy of the parent's socket."""


SettingsT = TypeVar("SettingsT", bound=Hashable)
PooledT = TypeVar("PooledT", bound=Pooled)
MadeT_co = TypeVar("MadeT_co", bound=Pooled, covariant=True)


class ConnectionKind(Protocol[SettingsT, MadeT_co]):
    """What a protocol brings to its pool.

    Attributes:
        protocol: Its name, for the thread and the log.
        alpn: To what the provider has to agree by TLS, "" for nothing.
    """

    protocol: str
    alpn: str

    def settings(self, policy: ReferencePolicy, own: int) -> SettingsT:
        """Give the settings of a reference's connections; *own* is 0, or the number of one that it does not share."""

    def open(self, destination: Destination, settings: SettingsT, thread: IoThread, parts: TransportParts) -> MadeT_co:
        """Make a connection, which connects at its first call."""


class Pool(Generic[SettingsT, PooledT]):
    """The connections of one kind and their one I/O thread; all methods may be called from any thread.

    Args:
        parts: What the transport may use.
        kind: Makes them.
    """

    def __init__(self, parts: TransportParts, kind: ConnectionKind[SettingsT, PooledT]) -> None:
        self._parts = parts
        self._kind = kind
        self._shared: SharedConnections[tuple[Address, SettingsT, SslPolicy | None], PooledT] = SharedConnections()
        self._settings: dict[str, tuple[SettingsT, ...]] = {}
        self._contexts: dict[SslPolicy, ssl.SSLContext] = {}
        self._thread = IoThread(parts.clock, kind.protocol)

    def prepare(self, policy: ReferencePolicy) -> None:
        """Make what the connections of a reference need.

        Raises:
            ConfigError: A file of ``ssl`` cannot be used.
        """
        owned = [next(_OWN) for _ in range(policy.connections)] or [0]
        self._settings[policy.id] = tuple(self._kind.settings(policy, own) for own in owned)
        if policy.ssl is not None and policy.ssl not in self._contexts:
            context = client_context(policy, policy.ssl)
            if self._kind.alpn:
                context.set_alpn_protocols([self._kind.alpn])
            self._contexts[policy.ssl] = context

    def connections(self, provider: Provider, policy: ReferencePolicy) -> tuple[PooledT, ...]:
        """Return the connections that a reference uses in turn towards *provider*; none once closed."""
        found = [self._connection(provider, policy.ssl, settings) for settings in self._settings[policy.id]]
        return tuple(connection for connection in found if connection is not None)

    def _connection(self, provider: Provider, tls: SslPolicy | None, settings: SettingsT) -> PooledT | None:
        address = place_of(provider.endpoint)
        connection = self._shared.get((address, settings, tls), provider, lambda: self._made(address, settings, tls))
        if connection is not None:
            connection.serve(provider)
        return connection

    def _made(self, address: Address, settings: SettingsT, tls: SslPolicy | None) -> PooledT:
        destination = Destination(*address, None if tls is None else self._tls(tls, address))
        return self._kind.open(destination, settings, self._thread, self._parts)

    def _tls(self, tls: SslPolicy, address: Address) -> Tls:
        host, port = address
        return Tls(self._contexts[tls], tls.server_name or (host if port else LOCAL), self._kind.alpn)

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
