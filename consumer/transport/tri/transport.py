"""The `tri` transport: gRPC, and Dubbo's triple where it is gRPC.

Loading a configuration imports this module for the settings, so whatever carries calls is imported when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .settings import TriSettings

if TYPE_CHECKING:
    from callahead.config.policy import ReferencePolicy
    from callahead.config.settings import TransportSettings

    from ...call.provider import Provider
    from ..api import ConnectionCounts, Providers, TransportParts
    from .channels import OpenChannel, SharedChannel
    from .reference import TriReference


class TriTransport:
    """Carries calls by gRPC; a `Transport`.

    Args:
        parts: What it may use.
        open_channel: Makes each channel, for who wants another than grpcio's own, such as one that
            `grpc.intercept_channel` wrapped; None is grpcio's own.
    """

    settings: ClassVar[type[TransportSettings]] = TriSettings

    def __init__(self, parts: TransportParts, open_channel: OpenChannel | None = None) -> None:
        from . import channels

        self._parts = parts
        self._connections = channels.SharedChannels(open_channel or channels.open_channel)
        self._inherited: list[SharedChannel] = []

    def open(self, policy: ReferencePolicy, providers: Providers) -> TriReference:
        """Prepare a reference; its types are loaded when they are first needed, which `Consumer.channel` never does."""
        from .reference import TriReference

        return TriReference(policy, self._parts, providers, self._connections)

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Name each channel; grpcio keeps to itself what happened on it."""
        from ..api import ConnectionCounts

        return tuple(ConnectionCounts(endpoint=f"tri://{address}") for address in self._connections.addresses())

    def refresh(self, provider: Provider) -> None:
        """Let what is sent say what the registry says now of *provider*; see `Transport.refresh`."""
        self._connections.refresh(provider)

    def release(self, provider: Provider) -> None:
        """Drain the channels that only *provider* used; see `Transport.release`."""
        self._connections.release(provider)

    def close(self) -> None:
        """Close every channel; see `Transport.close`."""
        self._connections.close()

    def after_fork(self) -> None:
        """Leave the parent's channels alone; see `Transport.after_fork`."""
        self._inherited += self._connections.after_fork()
