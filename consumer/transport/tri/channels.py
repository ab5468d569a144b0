"""gRPC channels: one per address and kind of connection, shared by all the references that want the same."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from callahead.config.policy import ReferencePolicy, SslPolicy
from callahead.config.values.text import is_target

from ...call.provider import Provider
from ...errors import ConsumerClosed, RpcError, TransportError
from ..api import Providers
from ..bound import Bound, BoundT, SharedConnections
from ..certificates import client_context, content
from ..request_limit import Room
from ..tcp.destination import LOCAL

OpenChannel = Callable[[str, tuple[tuple[str, int | str], ...], grpc.ChannelCredentials | None], grpc.Channel]
"""Makes a channel to ``host:port`` of gRPC channel arguments and credentials, None for a plain one."""

_LOOK_S = 0.25
"""Longest wait for the word of grpcio on a channel's state, which takes a thread of its own to come."""

_LOOK_AGAIN_S = 1.0
"""How old such a word may be in a message; many calls time out at once, and each look costs a thread."""

_OWN = itertools.count(1)

# Among the addresses that gRPC itself resolves; without it the first that can be reached takes all calls.
_IN_TURN = '{"loadBalancingConfig": [{"round_robin": {}}]}'

# In place of the path of a Unix socket, escaped, which not every server takes for a host.
_LOCAL = (("grpc.default_authority", LOCAL),)

_FORK_SUPPORT = "GRPC_ENABLE_FORK_SUPPORT"
_NO = ("0", "false", "no", "off", "f", "n")


class _Process:
    """What holds for all of gRPC in this process.

    Attributes:
        used: A channel was made here, so gRPC core runs.
        stuck: Why gRPC core would hang or crash here, in a child that was forked while core ran; "" where it works.
    """

    used = False
    stuck = ""


def open_channel(
    address: str, options: tuple[tuple[str, int | str], ...], credentials: grpc.ChannelCredentials | None
) -> grpc.Channel:
    """Make the channel as grpcio does, or whoever has put a function of its own in that place, as tracers do."""
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKind:
    """All that makes two channels to one address differ.

    Attributes:
        options: gRPC channel arguments.
        room: How much may be begun and not ended.
        own: 0 for a shared channel, else a number that no other has.
    """

    options: tuple[tuple[str, int | str], ...]
    room: Room
    own: int
    credentials: grpc.ChannelCredentials | None = field(default=None, compare=False)
    ssl: SslPolicy | None = None


def kinds_of(policy: ReferencePolicy) -> tuple[ConnectionKind, ...]:
    """Make the kinds of connection that a reference uses in turn: one shared, or ``connections`` of its own.

    Raises:
        ConfigError: A file of ``ssl`` cannot be used.
    """
    options = _options(policy)
    credentials = None if policy.ssl is None else _credentials(policy, policy.ssl)
    owned = [next(_OWN) for _ in range(policy.connections)]
    return tuple(
        ConnectionKind(
            # Without a pool of its own, gRPC would join equal channels to one TCP connection.
            options=(*options, ("grpc.use_local_subchannel_pool", 1)) if own else options,
            room=Room.of(policy),
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
        ("grpc.max_metadata_size", policy.transport.max_metadata_bytes),  # from here on core may refuse
        ("grpc.absolute_max_metadata_size", policy.transport.max_metadata_bytes),  # from here on it does
        ("grpc.http2.max_frame_size", policy.transport.max_frame_bytes),
        ("grpc.min_reconnect_backoff_ms", policy.connect_timeout_ms),  # which is how gRPC core bounds one connect
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5000),
    ]
    if policy.transport.keepalive_ms:
        options += [
            ("grpc.keepalive_time_ms", policy.transport.keepalive_ms),
            ("grpc.keepalive_timeout_ms", policy.transport.keepalive_timeout_ms),
        ]
    if not policy.transport.http_proxy:
        options.append(("grpc.enable_http_proxy", 0))
    if any(map(is_target, policy.urls)) and policy.default.loadbalance == "roundrobin":
        options.append(("grpc.service_config", _IN_TURN))
    if policy.ssl is not None and policy.ssl.server_name is not None:
        options.append(("grpc.ssl_target_name_override", policy.ssl.server_name))
    return tuple(options)


def _credentials(policy: ReferencePolicy, ssl: SslPolicy) -> grpc.ChannelCredentials:
    if ssl != SslPolicy(server_name=ssl.server_name):
        client_context(policy, ssl)  # gRPC core takes any bytes, and says at each connection that something failed
    return grpc.ssl_channel_credentials(
        root_certificates=content(policy, "ca", ssl.ca),
        private_key=content(policy, "key", ssl.key),
        certificate_chain=content(policy, "cert", ssl.cert),
    )


class SharedChannel:
    """One channel and what runs on it.

    Args:
        channel: To *address*.
        address: ``host:port``.
        room: How much may be begun and not ended.
        aside: Runs a function on a thread of its own.

    Attributes:
        providers: Those that share it, one for each reference.
        is_stuck: grpcio could not start its thread, and now waits for it, in `close` for ever.
    """

    __slots__ = (
        "_aside", "_lock", "_next_look", "_room", "_running", "_seen_unconnected", "_size", "address", "channel",
        "closed", "draining", "is_stuck", "providers",
    )  # fmt: skip

    def __init__(
        self, channel: grpc.Channel, address: str, room: Room, aside: Callable[[Callable[[], None]], None]
    ) -> None:
        self.channel = channel
        self.address = address
        self.providers: set[Provider] = set()
        self.draining = False
        self.closed = False
        self.is_stuck = False
        self._aside = aside
        self._lock = threading.Lock()
        self._room = room
        self._running: dict[object, int] = {}
        self._size = 0
        self._next_look = 0.0
        self._seen_unconnected = False

    def begin(self, call: object, size: int) -> None:
        """Count *call*, which holds *size* bytes, as running here.

        Raises:
            TransportError: The channel was given up, since its provider left.
            ConsumerClosed: It was closed.
            LimitExceeded: As much runs here as may.
        """
        room, running = self._room, self._running
        with self._lock:
            if self.closed:
                raise _unusable(self)
            count = len(running)
            if count >= room.requests or (self._size + size > room.size and count):
                raise room.refusal(self.address, count, self._size, size)
            running[call] = size
            self._size += size

    def end(self, call: object) -> None:
        """Count *call* as ended; the last one closes a draining channel."""
        with self._lock:
            self._size -= self._running.pop(call, 0)
            idle = self._is_drained()
        if idle:
            self._aside(self._close)

    def drain(self) -> None:
        """Close the channel once nothing runs on it."""
        with self._lock:
            self.draining = True
            idle = self._is_drained()
        if idle:
            self._aside(self._close)

    @property
    def is_busy(self) -> bool:
        """A call is running."""
        return bool(self._running)

    def _is_drained(self) -> bool:
        if not self.draining or self._running or self.closed:
            return False
        self.closed = True
        return True

    def close(self) -> None:
        """Close the channel at once."""
        with self._lock:
            self.closed = True
        self._close()

    def _close(self) -> None:
        if not self.is_stuck:
            self.channel.close()

    def not_begun(self, call: object, error: BaseException) -> None:
        """Count *call* as ended, since grpcio raised *error* in place of beginning it."""
        if isinstance(error, RuntimeError):  # "can't start new thread"
            self.is_stuck = True
            _keep_for_ever(self.channel)
        self.end(call)

    def is_unconnected(self) -> bool:
        """Tell whether the channel is known to have no connection; False where that cannot be told.

        grpcio tells its state to subscribers alone, for whom it starts threads; this is asked for after failures alone,
        and where it cannot be told the call is in doubt.
        """
        if self.closed:
            return False
        told = threading.Event()
        states: list[grpc.ChannelConnectivity] = []

        def note(state: grpc.ChannelConnectivity) -> None:
            states.append(state)
            told.set()

        try:
            self.channel.subscribe(note)
            told.wait(_LOOK_S)
            self.channel.unsubscribe(note)
        except (RuntimeError, ValueError):  # no thread can be started, or closed meanwhile
            return False
        return bool(states) and states[-1] is not grpc.ChannelConnectivity.READY

    def seems_unconnected(self, now: float) -> bool:
        """Tell at *now*, by the clock of the calls, what `is_unconnected` told within the last second."""
        if now >= self._next_look:
            self._next_look = now + _LOOK_AGAIN_S
            self._seen_unconnected = self.is_unconnected()
        return self._seen_unconnected


def _keep_for_ever(channel: grpc.Channel) -> None:
    """Let *channel* never be collected, not even as the interpreter ends: it would wait there, as in ``close``."""
    from ctypes import py_object, pythonapi

    pythonapi.Py_IncRef(py_object(channel))


def _unusable(connection: SharedChannel) -> RpcError:
    """Make the error of a call that came too late for *connection*."""
    if connection.draining:
        return TransportError("the provider has just left the registry", not_sent=True)
    return ConsumerClosed("the consumer is closed", not_sent=True)


def _why_stuck(inherited: list[SharedChannel]) -> str:
    setting = os.environ.get(_FORK_SUPPORT, "")
    if _Process.used and setting.lower() in _NO:
        return f"since {_FORK_SUPPORT} is {setting}; unset it, or fork before the first call"
    if any(connection.is_busy for connection in inherited):  # core then skips its fork handlers
        return "since calls were running at the fork; fork while none runs, or spawn"
    return ""


class SharedChannels:
    """All channels of a consumer.

    Args:
        open_channel: Makes one.
    """

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open_channel = open_channel
        self._shared: SharedConnections[tuple[str, ConnectionKind], SharedChannel] = SharedConnections()
        self._lock = threading.Lock()
        self._asides: list[threading.Thread] = []
        self._unclosed: deque[Callable[[], None]] = deque()
        self._parents = self._unclosed  # after a fork: kept from being collected
        self._mark: tuple[tuple[str, int], ...] = ()

    def get(self, provider: Provider, kind: ConnectionKind) -> SharedChannel | None:
        """Return the connection to *provider*, opened where need be, and note its user; None once closed."""
        address = provider.endpoint.address
        return self._shared.get((address, kind), provider, lambda: self._make(address, kind))

    def _make(self, address: str, kind: ConnectionKind) -> SharedChannel:
        return SharedChannel(self.open(address, kind), address, kind.room, self._run_aside)

    def open(self, address: str, kind: ConnectionKind) -> grpc.Channel:
        """Make a channel that the caller closes; it connects when it is first used.

        Raises:
            TransportError: This is a forked child in which gRPC would hang or crash.
        """
        if _Process.stuck:
            raise TransportError(f"gRPC cannot be used in this forked process, {_Process.stuck}", not_sent=True)
        _Process.used = True
        options = kind.options + self._mark
        if address.startswith("unix") and (kind.ssl is None or kind.ssl.server_name is None):
            options += _LOCAL
        return self._open_channel(address, options, kind.credentials)

    def bound(self, bind: Callable[[Provider], BoundT], providers: Providers) -> Bound[BoundT]:
        """Make what keeps the work of *bind* for each provider; see `SharedConnections.bound`."""
        return self._shared.bound(bind, providers)

    def addresses(self) -> list[str]:
        """List where the open connections go, ``host:port``."""
        return [connection.address for connection in self._shared.open()]

    def refresh(self, provider: Provider) -> None:
        """Let *provider* be bound anew; see `SharedConnections.refresh`."""
        self._shared.refresh(provider)

    def release(self, provider: Provider) -> None:
        """Forget *provider*; see `SharedConnections.release`."""
        self._shared.release(provider)

    def _run_aside(self, close: Callable[[], None]) -> None:
        # close() joins the channel's own thread, which may be the one that saw the last call end.
        self._unclosed.append(close)
        thread = threading.Thread(target=self._close_drained, name="callahead-tri-close", daemon=True)
        with self._lock:
            try:
                thread.start()
            except RuntimeError:  # the system has no thread left: the next one does it, or close()
                return
            self._asides = [one for one in self._asides if one.is_alive()] + [thread]

    def _close_drained(self) -> None:
        while True:
            try:
                close = self._unclosed.popleft()
            except IndexError:
                return
            close()

    def close(self) -> None:
        """Close all channels at once."""
        self._shared.close()
        self._close_drained()
        for thread in self._asides:
            thread.join()

    def after_fork(self) -> list[SharedChannel]:
        """Forget the parent's channels; returned so that they can be kept from being collected, which would hang."""
        self._lock = threading.Lock()
        self._asides = []
        self._parents, self._unclosed = self._unclosed, deque()
        # gRPC joins channels of equal options to one connection, and would use the parent's.
        self._mark = (("callahead.process", os.getpid()),)
        inherited = self._shared.after_fork()
        _Process.stuck = _Process.stuck or _why_stuck(inherited)
        return inherited
