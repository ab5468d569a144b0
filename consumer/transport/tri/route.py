"""Where one gRPC method is found: at each provider, on each connection to it."""

from __future__ import annotations

import itertools

import grpc

from callahead.config.policy import ReferencePolicy

from ...call.provider import Provider
from ...errors import ConsumerClosed
from ..api import Providers
from ..identity import ServiceIdentity
from .channels import ConnectionKind, SharedChannel, SharedChannels
from .metadata import Metadata, fixed_metadata


class Route:
    """One method on one connection."""

    __slots__ = ("connection", "fixed", "path", "stream", "unary")

    def __init__(self, connection: SharedChannel, path: str, fixed: Metadata) -> None:
        # None in place of a serializer: bytes in, bytes out, so that a bad message is our error and not INTERNAL.
        self.connection = connection
        self.fixed = fixed
        self.path = path
        self.unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(path, None, None)
        self.stream: grpc.StreamUnaryMultiCallable[bytes, bytes] = connection.channel.stream_unary(path, None, None)


class Routes:
    """The routes of the method at *path*, for all who call it, whatever types they know it by.

    Args:
        path: As the interface has it.
        policy: Of the reference.
        application: This program's name.
        constant: Metadata of every request, beside what is told of this program and the service.
        kinds: Of connection, used in turn.
        connections: All those of the consumer.
        providers: Those that are known.
    """

    def __init__(
        self,
        path: str,
        policy: ReferencePolicy,
        application: str,
        constant: Metadata,
        kinds: tuple[ConnectionKind, ...],
        connections: SharedChannels,
        providers: Providers,
    ) -> None:
        self._path = path
        self._policy = policy
        self._application = application
        self._constant = constant
        self._kinds = kinds
        self._connections = connections
        self._bound = connections.bound(self._bind, providers)
        self._turn = itertools.count()

    def to(self, provider: Provider) -> Route:
        """Return the route whose turn it is.

        Raises:
            ConsumerClosed: The transport is closed.
        """
        bound = self._bound[provider]
        return bound[0] if len(bound) == 1 else bound[next(self._turn) % len(bound)]

    def _bind(self, provider: Provider) -> tuple[Route, ...]:
        return tuple(self._make(provider, kind) for kind in self._kinds)

    def _make(self, provider: Provider, kind: ConnectionKind) -> Route:
        connection = self._connections.get(provider, kind)
        if connection is None:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        identity = ServiceIdentity.of(provider.endpoint, self._policy)
        fixed = fixed_metadata(identity, self._application) + self._constant
        return Route(connection, identity.path_of(self._path, self._policy.interface), fixed)
