"""What a reference of `tri` may call, whatever carries the calls: loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy
from callahead.registry.forking import fork_safe_lock

from ...call.provider import Provider
from ...codec.dubbo import INVOKE_ATTACHMENTS
from ...errors import CallTimeout, ConnectFailed, NoProviderAvailable, RpcError
from ...interface.description import ServiceDescription
from ...interface.kind import describe, load_service
from ...interface.proto.arguments import request_builder
from ...interface.proto.service import MethodTypes, ServiceTypes
from ..api import Providers
from .messages import Messages
from .metadata import Metadata, to_metadata, travels

if TYPE_CHECKING:
    from ...interface.java import JavaInterface, JavaMethod
    from ...interface.proto.reflection import Channel

OpenTo = Callable[[Provider], "Channel"]
"""Opens a channel to a provider, by which it is asked for its types; who takes it closes it."""

Explain = Callable[[RpcError, ReferencePolicy], RpcError]
"""Adds to why a provider could not be asked which settings to look at, where its words do not say so."""


class TriInterface:
    """The methods of one reference.

    Args:
        policy: Of the reference.
        application: This program's name.
        providers: Those that are known.
        open_to: Called where a provider must be asked for its types.
        explain: Called where it could not be asked.

    Raises:
        ConfigError: A name cannot travel with the requests.
    """

    def __init__(
        self,
        policy: ReferencePolicy,
        application: str,
        providers: Providers,
        open_to: OpenTo,
        explain: Explain = lambda error, _: error,
    ) -> None:
        _check_identity(policy, application)
        self._policy = policy
        self._providers = providers
        self._open_to = open_to
        self._explain = explain
        self._lock = fork_safe_lock()
        self._types: ServiceTypes | JavaInterface | None = None

    def messages(self, name: str) -> tuple[Messages, Metadata]:
        """Find a method, and the metadata that every request of it has; see `ReferenceTransport.method`.

        Raises:
            LookupError: There is no such method.
        """
        types = self._load()
        method = types.find(name)
        if method is None:
            source = f" ({types.source})" if isinstance(types, ServiceTypes) else ""
            raise LookupError(f'{self._policy.interface} has no method "{name}"{source}; {types.nearest(name)}')
        if not isinstance(method, MethodTypes):
            return self._java(method)
        return Messages(method, request_builder(method), self._policy), ()

    def _java(self, method: JavaMethod) -> tuple[Messages, Metadata]:
        from .java_messages import JavaMessages, types_of

        more = to_metadata(INVOKE_ATTACHMENTS) if method.is_generic else ()
        return JavaMessages(method, types_of(method, self._policy), self._policy), more

    def methods(self) -> tuple[str, ...]:
        """List the methods; see `ReferenceTransport.methods`."""
        return tuple(self._load().methods)

    def describe(self) -> ServiceDescription:
        """Describe what can be called; see `ReferenceTransport.describe`."""
        return describe(self._load())

    def _load(self) -> ServiceTypes | JavaInterface:
        with self._lock:
            if self._types is None:
                try:
                    self._types = load_service(self._policy, self._open_channel)
                except (ConnectFailed, CallTimeout) as error:
                    raise self._explain(error, self._policy) from error.__cause__
            return self._types

    def _open_channel(self) -> Channel:
        providers = self._providers()
        if not providers:
            error = NoProviderAvailable("no provider is known that could be asked for its types", not_sent=True)
            error.reference, error.method = self._policy.id, "(reflection)"
            raise error
        return self._open_to(providers[0])


def _check_identity(policy: ReferencePolicy, application: str) -> None:
    """Refuse names that no request could carry; Dubbo reads none of them from a ``-bin`` key."""
    rule = "is not printable ASCII, so it cannot travel as metadata"
    for attribute in ("group", "version"):
        value: str = getattr(policy, attribute)
        if not travels(value):
            raise policy.error(attribute, f'"{value}" {rule}')
    if not travels(application):
        raise ConfigError.at("", "application.name", f'"{application}" {rule}')
