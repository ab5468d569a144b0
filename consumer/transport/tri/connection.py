"""gRPC channels: one per address and kind of connection, shared by all the references that want the same."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field

import grpc

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy, SslPolicy

from ...provider import Provider
from .setting import wrong

_OWN = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKind:
    """All that makes two channels to one address differ.

    Attributes:
        options: gRPC channel arguments.
        own: 0 for a shared channel, else a number that no other has.
    """

    options: tuple[tuple[str, int | str], ...]
    own: int
    credentials: grpc.ChannelCredentials | None = field(default=None, compare=False)
    ssl: SslPolicy | None = None

    def open(self, address: str) -> grpc.Channel:
        """Make a channel, which connects when it is first used."""
        if self.credentials is None:
            return grpc.insecure_channel(address, options=self.options)
        return grpc.secure_channel(address, self.credentials, options=self.options)


def kinds_of(policy: ReferencePolicy) -> tuple[ConnectionKind, ...]:
    """Make the kinds of connection that a reference uses in turn: one shared, or ``connections`` of its own.

    Raises:
        ConfigError: A file of ``ssl`` cannot be read.
    """
    options = _options(policy)
    credentials = None if policy.ssl is None else _credentials(policy, policy.ssl)
    owned = [next(_OWN) for _ in range(policy.connections)]
    return tuple(
        ConnectionKind(
            # Without a pool of its own, gRPC would join equal channels to one TCP connection.
            options=(*options, ("grpc.use_local_subchannel_pool", 1)) if own else options,
            own=own,
            credentials=credentials,
            ssl=policy.ssl,
        )
        for own in owned or [0]
    )


def _options(policy: ReferencePolicy) -> tuple[tuple[str, int | str], ...]:
    options: list[tuple[str, int | str]] = [
        ("grpc.enable_retries", 0),  # the cluster is the one owner of retries
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.max_send_message_length", -1),  # checked before, with a better message
        ("grpc.max_receive_message_length", policy.max_response_bytes),
        ("grpc.min_reconnect_backoff_ms", policy.connect_timeout_ms),  # which is how gRPC core bounds one connect
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5000),
    ]
    if policy.keepalive_ms:
        options += [
            ("grpc.keepalive_time_ms", policy.keepalive_ms),
            ("grpc.keepalive_timeout_ms", policy.keepalive_timeout_ms),
        ]
    if policy.ssl is not None and policy.ssl.server_name is not None:
        options.append(("grpc.ssl_target_name_override", policy.ssl.server_name))
    return tuple(options)


def _credentials(policy: ReferencePolicy, ssl: SslPolicy) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(policy, ssl.ca),
        private_key=_read(policy, ssl.key),
        certificate_chain=_read(policy, ssl.cert),
    )


def _read(policy: ReferencePolicy, path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _unreadable(policy, path, error) from error


def _unreadable(policy: ReferencePolicy, path: str, error: OSError) -> ConfigError:
    return wrong(policy, "ssl", f"{path} cannot be read: {error.strerror}")


class Connection:
    """One channel and what runs on it."""

    __slots__ = ("_running", "channel", "draining", "users")

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.users: set[Provider] = set()
        self.draining = False
        self._running: set[object] = set()

    def begin(self, call: object) -> None:
        """Count *call* as running here."""
        self._running.add(call)

    def end(self, call: object) -> None:
        """Count *call* as ended; the last one closes a draining channel."""
        self._running.discard(call)
        if self.draining and not self._running:
            self._close_aside()

    def drain(self) -> None:
        """Close the channel once nothing runs on it."""
        self.draining = True
        if not self._running:
            self._close_aside()

    def _close_aside(self) -> None:
        # close() joins the channel's own thread, which may be this one.
        threading.Thread(target=self.channel.close, name="callahead-tri-close", daemon=True).start()

    def is_unconnected(self) -> bool:
        """Tell whether the channel is known to have no connection; False where that cannot be told.

        The public interface tells the state only to a subscriber, by a polling thread per channel; this is asked for
        after failures alone, so the one look behind it is worth that thread. Without it calls are in doubt.
        """
        inner = getattr(self.channel, "_channel", None)
        check = getattr(inner, "check_connectivity_state", None)
        if check is None:
            return False
        try:
            state = check(False)
        except ValueError:  # closed meanwhile
            return False
        return bool(state != grpc.ChannelConnectivity.READY.value[0])


class Connections:
    """All channels of a consumer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, ConnectionKind], Connection] = {}
        self._closed = False

    def get(self, provider: Provider, kind: ConnectionKind) -> Connection | None:
        """Return the connection to *provider*, opened where need be, and note its user; None once closed."""
        key = (provider.endpoint.address, kind)
        with self._lock:
            if self._closed:
                return None
            connection = self._open.get(key)
            if connection is None:
                connection = self._open[key] = Connection(kind.open(provider.endpoint.address))
            connection.users.add(provider)
            return connection

    def release(self, provider: Provider) -> None:
        """Drain every connection of which *provider* was the last user."""
        with self._lock:
            idle = []
            for key, connection in list(self._open.items()):
                connection.users.discard(provider)
                if not connection.users:
                    idle.append(self._open.pop(key))
        for connection in idle:
            connection.drain()

    def close(self) -> None:
        """Close all channels at once."""
        with self._lock:
            self._closed = True
            connections, self._open = list(self._open.values()), {}
        for connection in connections:
            connection.channel.close()

    def after_fork(self) -> list[Connection]:
        """Forget the parent's channels; returned so that they can be kept from being collected, which would hang."""
        self._lock = threading.Lock()
        inherited, self._open = list(self._open.values()), {}
        return inherited
