"""The `tri` transport: gRPC, and Dubbo's triple where it is gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...errors import ConsumerClosed, NoProviderAvailable
from ...forking import fork_safe_lock
from ...interface.kind import load_service
from ...interface.proto.arguments import request_builder
from ...interface.proto.service import MethodTypes, ServiceTypes
from ...invocation import Invocation
from ...provider import Provider
from ..api import Providers
from ..identity import ServiceIdentity
from ..open_references import OpenReferences
from .connection import Connection, ConnectionKind, Connections, kinds_of
from .metadata import Metadata, fixed_metadata, to_metadata
from .method import TriMethod
from .stream import counted

if TYPE_CHECKING:
    from ...interface.java import JavaInterface, JavaMethod


class TriTransport:
    """Carries calls by gRPC; a `Transport`."""

    def __init__(self) -> None:
        self._connections = Connections()
        self._references = OpenReferences()
        self._inherited: list[Connection] = []

    def open(self, policy: ReferencePolicy, application: str, providers: Providers) -> TriReference:
        """Prepare a reference; its types are loaded when they are first needed, which `Consumer.channel` never does."""
        reference = TriReference(policy, application, providers, self._connections)
        self._references.add(reference)
        return reference

    def release(self, provider: Provider) -> None:
        """Drain the channels that only *provider* used; see `Transport.release`."""
        self._references.forget(provider)
        self._connections.release(provider)

    def close(self) -> None:
        """Close every channel; see `Transport.close`."""
        self._connections.close()

    def after_fork(self) -> None:
        """Leave the parent's channels alone; see `Transport.after_fork`."""
        self._inherited += self._connections.after_fork()
        self._references.forget(None)


class TriReference:
    """The gRPC side of one reference; a `ReferenceTransport`."""

    def __init__(
        self, policy: ReferencePolicy, application: str, providers: Providers, connections: Connections
    ) -> None:
        self._policy = policy
        self._application = application
        self._providers = providers
        self._connections = connections
        self._kinds: tuple[ConnectionKind, ...] = kinds_of(policy)
        self._lock = fork_safe_lock()
        self._types: ServiceTypes | JavaInterface | None = None
        self._methods: list[TriMethod] = []

    def method(self, name: str, policy: MethodPolicy) -> TriMethod:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy
        types = self._load()
        method = types.find(name)
        if method is None:
            source = f" ({types.source})" if isinstance(types, ServiceTypes) else ""
            raise LookupError(f'{self._policy.interface} has no method "{name}"{source}; {types.nearest(name)}')
        return self.bind(method, request_builder(method)) if isinstance(method, MethodTypes) else self._java(method)

    def methods(self) -> tuple[str, ...]:
        """List the methods of the interface; see `ReferenceTransport.methods`."""
        return tuple(self._load().methods)

    def bind(self, types: MethodTypes, build: Any) -> TriMethod:
        """Prepare a method whose types the caller has, as a generated stub does."""
        method = TriMethod(
            types, build, self._policy, self._application, self._kinds, self._connections, self._providers
        )
        self._methods.append(method)
        return method

    def _java(self, method: JavaMethod) -> TriMethod:
        from .java_method import JavaTriMethod

        made = JavaTriMethod(method, self._policy, self._application, self._kinds, self._connections, self._providers)
        self._methods.append(made)
        return made

    def channel_to(self, provider: Provider) -> grpc.Channel:
        """Return the grpcio channel to *provider*.

        Raises:
            ConsumerClosed: The transport is closed.
        """
        return self._connection_to(provider).channel

    def _connection_to(self, provider: Provider) -> Connection:
        connection = self._connections.get(provider, self._kinds[0])
        if connection is None:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        return connection

    def metadata_of(self, provider: Provider, invocation: Invocation) -> Metadata:
        """Make the metadata of a call to *provider* that grpcio itself carries."""
        identity = ServiceIdentity.of(provider.endpoint, self._policy)
        return fixed_metadata(identity, self._application) + to_metadata(invocation.attachments)

    def stream_raw(self, provider: Provider, begin: Callable[[grpc.Channel], Any]) -> Any:
        """Return what *begin* makes of the channel to *provider*, and count it as running until it ends."""
        connection = self._connection_to(provider)
        return counted(connection, lambda: begin(connection.channel))

    def _load(self) -> ServiceTypes | JavaInterface:
        with self._lock:
            if self._types is None:
                self._types = load_service(self._policy, self._open_channel)
            return self._types

    def _open_channel(self) -> grpc.Channel:
        providers = self._providers()
        if not providers:
            error = NoProviderAvailable("no provider is known that could be asked for its types", not_sent=True)
            error.reference, error.method = self._policy.id, "(reflection)"
            raise error
        return self._connections.open(providers[0].endpoint.address, self._kinds[0])

    def forget(self, provider: Provider | None) -> None:
        """Drop what was prepared for *provider*, or for all."""
        for method in self._methods:
            method.forget(provider)
