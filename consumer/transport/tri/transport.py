"""The `tri` transport: gRPC, and Dubbo's triple where it is gRPC.

Loading a configuration imports this module for the settings, so whatever carries calls is imported when it is made.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from callahead.registry.forking import fork_safe_lock

from .settings import TriSettings

if TYPE_CHECKING:
    from callahead.config.policy import ReferencePolicy
    from callahead.config.settings import TransportSettings

    from ...call.provider import Provider
    from ..api import ConnectionCounts, Providers, ReferenceTransport, TransportParts
    from .channels import OpenChannel, SharedChannel, SharedChannels
    from .http2.pool import Pool
    from .reference import TriReference


class TriTransport:
    """Carries calls by gRPC; a `Transport`. Each reference says by its ``carrier`` who speaks HTTP/2 for it.

    Args:
        parts: What it may use.
        open_channel: Makes each channel of grpcio, for who wants another than its own, such as one that
            `grpc.intercept_channel` wrapped; None is grpcio's own.
    """

    settings: ClassVar[type[TransportSettings]] = TriSettings

    def __init__(self, parts: TransportParts, open_channel: OpenChannel | None = None) -> None:
        self._parts = parts
        self._open_channel = open_channel
        self._lock = fork_safe_lock()
        self._channels: SharedChannels | None = None
        self._pool: Pool | None = None
        self._inherited: list[SharedChannel] = []
        self._is_closed = False

    def open(self, policy: ReferencePolicy, providers: Providers) -> ReferenceTransport:
        """Prepare a reference; its types are loaded when they are first needed, which `Consumer.channel` never does."""
        if policy.transport.carrier == "http2":
            from .http2.reference import Http2Reference

            by_grpcio = partial(self._open_by_grpcio, policy, providers)
            return Http2Reference(policy, self._parts, providers, self._http2(), by_grpcio)
        return self._open_by_grpcio(policy, providers)

    def _open_by_grpcio(self, policy: ReferencePolicy, providers: Providers) -> TriReference:
        try:
            from .reference import TriReference
        except ImportError as error:  # its extension may be there and not work, as on a system that it was not made for
            text = f"grpcio cannot be imported: {error}"
            raise policy.error("carrier", text, "mend that package, or set carrier: http2") from error
        return TriReference(policy, self._parts, providers, self._grpcio())

    def _made(self) -> tuple[SharedChannels | Pool, ...]:
        return tuple(shared for shared in (self._channels, self._pool) if shared is not None)

    def _grpcio(self) -> SharedChannels:
        """Return grpcio's channels, of which gRPC is imported."""
        with self._lock:
            if self._channels is None:
                from . import channels

                self._channels = channels.SharedChannels(self._open_channel or channels.open_channel)
                if self._is_closed:
                    self._channels.close()
            return self._channels

    def _http2(self) -> Pool:
        with self._lock:
            if self._pool is None:
                from .http2.pool import Http2Kind, Pool

                self._pool = Pool(self._parts, Http2Kind())
                if self._is_closed:
                    self._pool.close()
            return self._pool

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Tell of each connection; grpcio keeps to itself what happened on it."""
        from ..api import ConnectionCounts

        addresses = [] if self._channels is None else self._channels.addresses()
        counts = () if self._pool is None else self._pool.counts()
        return (*(ConnectionCounts(endpoint=f"tri://{address}") for address in addresses), *counts)

    def refresh(self, provider: Provider) -> None:
        """Let what is sent say what the registry says now of *provider*; see `Transport.refresh`."""
        for shared in self._made():
            shared.refresh(provider)

    def release(self, provider: Provider) -> None:
        """Drain the connections that only *provider* used; see `Transport.release`."""
        for shared in self._made():
            shared.release(provider)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        with self._lock:
            self._is_closed = True
        for shared in self._made():
            shared.close()

    def after_fork(self) -> None:
        """Leave the parent's connections alone; see `Transport.after_fork`."""
        if self._channels is not None:
            self._inherited += self._channels.after_fork()
        if self._pool is not None:
            self._pool.after_fork()
