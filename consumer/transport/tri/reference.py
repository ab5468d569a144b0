"""One reference over the `tri` transport: its types, its channels, and its prepared methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...call.attempt import Attempt
from ...call.provider import Provider
from ...codec.dubbo import INVOKE_ATTACHMENTS
from ...errors import CallTimeout, ConnectFailed, ConsumerClosed, NoProviderAvailable, RpcError
from ...interface.description import ServiceDescription
from ...interface.kind import describe, load_service
from ...interface.proto.arguments import request_builder
from ...interface.proto.service import MethodTypes, ServiceTypes
from ...runtime.forking import fork_safe_lock
from ..api import Providers, TransportParts
from ..identity import ServiceIdentity
from ..request_limit import check_request_size
from .channels import ConnectionKind, SharedChannel, SharedChannels, kinds_of
from .messages import Builder, Messages
from .metadata import Metadata, fixed_metadata, size_of, to_metadata, travels
from .method import TriMethod
from .route import Routes
from .stream import counted
from .unconnected import why_silent, why_unconnected

if TYPE_CHECKING:
    from ...interface.java import JavaInterface, JavaMethod


class TriReference:
    """The gRPC side of one reference; a `ReferenceTransport` and a `callahead.consumer.channel.StubTransport`."""

    def __init__(
        self, policy: ReferencePolicy, parts: TransportParts, providers: Providers, connections: SharedChannels
    ) -> None:
        self._policy = policy
        self._parts = parts
        self._providers = providers
        self._connections = connections
        _check_identity(policy, parts.application)
        self._kinds: tuple[ConnectionKind, ...] = kinds_of(policy)
        self._lock = fork_safe_lock()
        self._types: ServiceTypes | JavaInterface | None = None
        self._routes: dict[str, Routes] = {}

    def method(self, name: str, policy: MethodPolicy) -> TriMethod:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy
        types = self._load()
        method = types.find(name)
        if method is None:
            source = f" ({types.source})" if isinstance(types, ServiceTypes) else ""
            raise LookupError(f'{self._policy.interface} has no method "{name}"{source}; {types.nearest(name)}')
        if not isinstance(method, MethodTypes):
            return self._java(method)
        if not method.is_upload:
            return self.stub_method(method, request_builder(method))
        from .upload import TriUpload

        messages = Messages(method, request_builder(method), self._policy)
        return TriUpload(messages, self._policy, self._routes_of(method.path), self._parts)

    def attribute(self, name: str) -> Any:
        """Have none: see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """List the methods of the interface; see `ReferenceTransport.methods`."""
        return tuple(self._load().methods)

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return describe(self._load())

    def stub_method(self, types: MethodTypes, build: Builder) -> TriMethod:
        """Prepare a method whose types the caller has, as a generated stub does; nothing is kept of it."""
        messages = Messages(types, build, self._policy)
        return TriMethod(messages, self._policy, self._routes_of(types.path), self._parts)

    def _java(self, method: JavaMethod) -> TriMethod:
        from .java_messages import JavaMessages, types_of

        types = types_of(method, self._policy)
        more = to_metadata(INVOKE_ATTACHMENTS) if method.is_generic else ()
        messages = JavaMessages(method, types, self._policy)
        return TriMethod(messages, self._policy, self._routes_of(types.path, more), self._parts)

    def _routes_of(self, path: str, more: Metadata = ()) -> Routes:
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

    def _load(self) -> ServiceTypes | JavaInterface:
        with self._lock:
            if self._types is None:
                try:
                    self._types = load_service(self._policy, self._open_channel)
                except (ConnectFailed, CallTimeout) as error:
                    raise self._worded(error) from error.__cause__
            return self._types

    def _worded(self, error: ConnectFailed | CallTimeout) -> RpcError:
        """Add to *error*, of asking the provider for its types, which settings to look at."""
        policy = self._policy
        if isinstance(error, ConnectFailed):
            text = why_unconnected(error.message, policy).of(policy)
        else:
            text = f"{error.message}; {why_silent(policy).of(policy)}"
        return type(error)(text, not_sent=error.not_sent, status=error.status)

    def _open_channel(self) -> grpc.Channel:
        providers = self._providers()
        if not providers:
            error = NoProviderAvailable("no provider is known that could be asked for its types", not_sent=True)
            error.reference, error.method = self._policy.id, "(reflection)"
            raise error
        return self._connections.open(providers[0].endpoint.address, self._kinds[0])


def _check_identity(policy: ReferencePolicy, application: str) -> None:
    """Refuse names that no request could carry; Dubbo reads none of them from a ``-bin`` key."""
    rule = "is not printable ASCII, so it cannot travel as metadata"
    for attribute in ("group", "version"):
        value: str = getattr(policy, attribute)
        if not travels(value):
            raise policy.error(attribute, f'"{value}" {rule}')
    if not travels(application):
        raise ConfigError.at("", "application.name", f'"{application}" {rule}')
