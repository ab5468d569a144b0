"""One reference over the `tri` transport as HTTP/2 of our own carries it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.registry.forking import fork_safe_lock

from ....call.attempt import Attempt
from ....call.invocation import Done
from ....call.provider import Provider
from ....errors import ConsumerClosed
from ....interface.description import ServiceDescription
from ....interface.proto.service import MethodTypes
from ...api import Providers, TransportParts
from ...tcp.greeting import greet
from ..interface import TriInterface
from ..messages import Builder, Messages
from ..metadata import Metadata
from .asking import AskedProvider
from .connection import Connection
from .connectivity import Tell
from .method import Http2Method, Http2Upload
from .opening import Opening
from .pool import Pool
from .targets import check_targets

if TYPE_CHECKING:
    from ..reference import TriReference

_LOG = logging.getLogger("callahead.consumer.tri")


class Http2Reference:
    """The HTTP/2 side of one reference; a `ReferenceTransport` and a `callahead.consumer.channel.StubTransport`.

    Args:
        policy: Of the reference.
        parts: What the transport may use.
        providers: Those that are known.
        pool: All connections.
        open_by_grpcio: Opens the side of grpcio of the same reference; called once at most.
    """

    def __init__(
        self,
        policy: ReferencePolicy,
        parts: TransportParts,
        providers: Providers,
        pool: Pool,
        open_by_grpcio: Callable[[], TriReference],
    ) -> None:
        check_targets(policy)
        self._policy = policy
        self._parts = parts
        self._providers = providers
        self._pool = pool
        self._interface = TriInterface(policy, parts.application, providers, self._open_to)
        self._open_by_grpcio = open_by_grpcio
        self._by_grpcio: TriReference | None = None
        self._lock = fork_safe_lock()
        pool.prepare(policy)

    def _open_to(self, provider: Provider) -> AskedProvider:
        return AskedProvider(provider, self._policy, self._parts, self._pool, self._providers)

    def method(self, name: str, policy: MethodPolicy) -> Http2Method:
        """Prepare a method by its types; see `ReferenceTransport.method`."""
        del policy
        return self._method(*self._interface.messages(name))

    def _method(self, messages: Messages, more: Metadata) -> Http2Method:
        kind = Http2Upload if messages.types.is_upload else Http2Method
        return kind(messages, self._policy, more, self._parts, self._pool, self._providers)

    def stub_method(self, types: MethodTypes, build: Builder) -> Http2Method:
        """Prepare a method whose types the caller has, as a generated stub does; nothing is kept of it."""
        return self._method(Messages(types, build, self._policy), ())

    def by_grpcio(self) -> TriReference:
        """Give what lets grpcio carry calls that this cannot; see `callahead.consumer.channel.parts.LendingTransport`.

        It is opened, and the log told, when this is first asked for.
        """
        with self._lock:
            if self._by_grpcio is None:
                self._by_grpcio = self._open_by_grpcio()
                text = "%s: grpcio carries its calls with credentials that grpcio has made, beside carrier: http2 (%s)"
                _LOG.info(text, self._policy.id, self._policy.origin("carrier"))
            return self._by_grpcio

    def watch(self, provider: Provider, tell: Tell, *, connect: bool) -> Callable[[], None]:
        """Let *tell* hear of the state of the first connection to *provider*.

        See `callahead.consumer.channel.parts.WatchedTransport`.
        """
        connections = self._pool.connections(provider, self._policy)
        if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
            self._pool.release(provider)
        if not connections:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        connections[0].watch(tell, connect=connect)
        return partial(connections[0].unwatch, tell)

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Wait until the provider has said its first word on each connection; see `ReferenceTransport.connect`."""

        def begin(connection: Connection, end: Done) -> None:
            Opening(attempt, self._policy, end).begin(connection)

        greet(self._pool, self._policy, self._providers, attempt, begin, done)

    def attribute(self, name: str) -> Any:
        """Have none: see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """List the methods of the interface; see `ReferenceTransport.methods`."""
        return self._interface.methods()

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return self._interface.describe()
