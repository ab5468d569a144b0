"""The `dubbo` transport: Apache Dubbo's classic protocol over TCP, with hessian2.

Loading a configuration imports this module for the settings, so whatever carries calls is imported when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .settings import DubboSettings

if TYPE_CHECKING:
    from callahead.config.policy import ReferencePolicy
    from callahead.config.settings import TransportSettings

    from ...call.provider import Provider
    from ..api import ConnectionCounts, Providers, TransportParts
    from .reference import DubboReference


class DubboTransport:
    """Carries calls by the dubbo protocol; a `Transport`."""

    settings: ClassVar[type[TransportSettings]] = DubboSettings

    def __init__(self, parts: TransportParts) -> None:
        from .pool import DubboKind, Pool

        self._application = parts.application
        self._pool = Pool(parts, DubboKind())

    def open(self, policy: ReferencePolicy, providers: Providers) -> DubboReference:
        """Prepare a reference; see `Transport.open`."""
        from ...interface.java import load_interface
        from .reference import DubboReference

        self._pool.prepare(policy)
        return DubboReference(policy, load_interface(policy), self._application, self._pool, providers)

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Say what happened on each connection; see `Transport.connections`."""
        return self._pool.counts()

    def refresh(self, provider: Provider) -> None:
        """Let what is sent say what the registry says now of *provider*; see `Transport.refresh`."""
        self._pool.refresh(provider)

    def release(self, provider: Provider) -> None:
        """Drain the connections that only *provider* used; see `Transport.release`."""
        self._pool.release(provider)

    def close(self) -> None:
        """Close every connection; see `Transport.close`."""
        self._pool.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets; see `Transport.after_fork`."""
        self._pool.after_fork()
