"""All `dubbo` connections of a consumer: one per address and kind, shared by the references that want the same."""

from __future__ import annotations

import itertools
import ssl
import threading

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy, SslPolicy

from ...deadline import Clock
from ...provider import Provider
from ..api import ConnectionCounts
from ..tcp.io_thread import IoThread
from .connection import Connection
from .link import State
from .settings import ConnectionSettings

_OWN = itertools.count(1)
_Key = tuple[tuple[str, int], ConnectionSettings, SslPolicy | None]


class Pool:
    """The connections and their one I/O thread; all methods may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[_Key, Connection] = {}
        self._leaving: list[Connection] = []
        self._settings: dict[str, tuple[ConnectionSettings, ...]] = {}
        self._contexts: dict[SslPolicy, ssl.SSLContext] = {}
        self._closed = False
        self.thread = IoThread(clock)

    def prepare(self, policy: ReferencePolicy) -> None:
        """Make what the connections of a reference need.

        Raises:
            ConfigError: A file of ``ssl`` cannot be used.
        """
        owned = [next(_OWN) for _ in range(policy.connections)] or [0]
        self._settings[policy.id] = tuple(_settings(policy, own) for own in owned)
        if policy.ssl is not None and policy.ssl not in self._contexts:
            self._contexts[policy.ssl] = _context(policy, policy.ssl)

    def connections(self, provider: Provider, policy: ReferencePolicy) -> tuple[Connection, ...]:
        """Return the connections that a reference uses in turn towards *provider*; none once closed."""
        with self._lock:
            if self._closed:
                return ()
            return tuple(self._connection(provider, policy, one) for one in self._settings[policy.id])

    def _connection(self, provider: Provider, policy: ReferencePolicy, settings: ConnectionSettings) -> Connection:
        address = (provider.endpoint.host, provider.endpoint.port)
        key = (address, settings, policy.ssl)
        connection = self._open.get(key)
        if connection is None:
            tls = None
            if policy.ssl is not None:
                tls = (self._contexts[policy.ssl], policy.ssl.server_name or address[0])
            connection = self._open[key] = Connection(address, settings, self.thread, self._clock, tls)
        connection.users.add(provider)
        return connection

    def counts(self) -> tuple[ConnectionCounts, ...]:
        """Return what happened on each connection."""
        with self._lock:
            return tuple(connection.counts() for connection in self._open.values())

    def release(self, provider: Provider) -> None:
        """Drain every connection of which *provider* was the last user."""
        with self._lock:
            unused = [key for key, connection in self._open.items() if connection.users.remove(provider)]
            idle = [self._open.pop(key) for key in unused]
            self._leaving = [one for one in self._leaving if one.state is not State.CLOSED] + idle
        for connection in idle:
            self.thread.post(connection.drain, None)

    def close(self) -> None:
        """Close all connections, and end the I/O thread. Idempotent."""
        with self._lock:
            self._closed = True
            connections, self._open = [*self._open.values(), *self._leaving], {}
        for connection in connections:
            self.thread.post(connection.close, None)
        self.thread.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets; new calls connect anew."""
        self._lock = threading.Lock()
        self.thread.after_fork()
        for connection in (*self._open.values(), *self._leaving):
            connection.after_fork()

    def __repr__(self) -> str:
        return f"<Pool of {len(self._open)} connections>"


def _settings(policy: ReferencePolicy, own: int) -> ConnectionSettings:
    return ConnectionSettings(
        connect_timeout=policy.connect_timeout_ms / 1000,
        heartbeat=policy.heartbeat_ms / 1000,
        max_queued_requests=policy.max_queued_requests,
        max_queued_bytes=policy.max_queued_bytes,
        max_body_bytes=policy.max_response_bytes,
        max_body_setting=f"max_response_bytes ({policy.origin('max_response_bytes')})",
        own=own,
    )


def _context(policy: ReferencePolicy, settings: SslPolicy) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.cert is not None:
            context.load_cert_chain(settings.cert, settings.key)
    except (OSError, ValueError) as error:
        text = f"the certificates cannot be used: {error}"
        raise ConfigError.at(policy.origin("ssl"), f"references.{policy.id}.ssl", text) from error
    return context
