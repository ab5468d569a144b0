"""One reference over the `tri` transport as grpcio carries it: its channels, and its prepared methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry.forking import fork_safe_lock

from ...call.attempt import Attempt
from ...call.invocation import Done
from ...call.provider import Provider
from ...errors import ConsumerClosed
from ...interface.description import ServiceDescription
from ...interface.proto.service import MethodTypes
from ..api import Providers, TransportParts
from ..gathered import all_of
from ..identity import ServiceIdentity
from ..request_limit import check_request_size
from .channels import ConnectionKind, SharedChannel, SharedChannels, kinds_of
from .interface import TriInterface
from .messages import Builder, Messages
from .metadata import Metadata, fixed_metadata, size_of, to_metadata
from .method import TriMethod
from .route import Routes
from .stream import counted
from .unconnected import explained


class TriReference:
    """The gRPC side of one reference; a `ReferenceTransport` and a `callahead.consumer.channel.StubTransport`."""

    def __init__(
        self, policy: ReferencePolicy, parts: TransportParts, providers: Providers, connections: SharedChannels
    ) -> None:
        self._policy = policy
        self._parts = parts
        self._providers = providers
        self._connections = connections
        self._interface = TriInterface(policy, parts.application, providers, self._open_to, explained)
        self._kinds: tuple[ConnectionKind, ...] = kinds_of(policy)
        self._lock = fork_safe_lock()
        self._routes: dict[str, Routes] = {}

    def _open_to(self, provider: Provider) -> grpc.Channel:
        return self._connections.open(provider.endpoint.address, self._kinds[0])

    def method(self, name: str, policy: MethodPolicy) -> TriMethod:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy
        messages, more = self._interface.messages(name)
        if not messages.types.is_upload:
            return self._method(TriMethod, messages, more)
        from .upload import TriUpload

        return self._method(TriUpload, messages, more)

    def _method(self, kind: type[TriMethod], messages: Messages, more: Metadata = ()) -> TriMethod:
        return kind(messages, self._policy, self._routes_of(messages.types.path, more), self._parts)

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Ask the provider for its health by each channel to it; see `ReferenceTransport.connect`."""
        from .greeting import greet

        provider = attempt.provider
        opened = [self._connections.get(provider, kind) for kind in self._kinds]
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self._connections.release(provider)
        connections = [connection for connection in opened if connection is not None]
        end = all_of(len(connections), done)
        for connection in connections:
            greet(connection, attempt, self._policy, end)

    def attribute(self, name: str) -> Any:
        """Have none: see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """List the methods of the interface; see `ReferenceTransport.methods`."""
        return self._interface.methods()

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return self._interface.describe()

    def stub_method(self, types: MethodTypes, build: Builder) -> TriMethod:
        """Prepare a method whose types the caller has, as a generated stub does; nothing is kept of it."""
        return self._method(TriMethod, Messages(types, build, self._policy))

    def _routes_of(self, path: str, more: Metadata) -> Routes:
        with self._lock:
            routes = self._routes.get(path)
            if routes is None:
                around = (self._kinds, self._connections, self._providers)
                routes = Routes(path, self._policy, self._parts.application, more, *around)
                self._routes[path] = routes
            return routes

    def channel_to(self, provider: Provider) -> grpc.Channel:
        """Return the grpcio channel to *provider*.

        Raises:
            ConsumerClosed: The transport is closed.
        """
        return self._connection_to(provider).channel

    def _connection_to(self, provider: Provider) -> SharedChannel:
        connection = self._connections.get(provider, self._kinds[0])
        if connection is None:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        return connection

    def pass_on(self, attempt: Attempt, begin: Callable[[grpc.Channel, Metadata], Any]) -> Any:
        """Return what *begin* makes of a channel to the provider and of the metadata; it runs there until it ends."""
        identity = ServiceIdentity.of(attempt.provider.endpoint, self._policy)
        own = to_metadata(attempt.attachments)
        check_request_size(size_of(own), self._policy)
        metadata = fixed_metadata(identity, self._parts.application) + own
        connection = self._connection_to(attempt.provider)
        return counted(connection, lambda: begin(connection.channel, metadata))
