"""Call credentials that say what they are made of.

A `grpc.CallCredentials` has no interface: only gRPC core can ask it for metadata. So what is made here is grpcio's own,
and beside it is kept of which plugins, for a carrier that has no core. Calls with any others are carried by grpcio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

import grpc


class CallContext(Protocol):
    """For which call a plugin is asked; what grpcio gives as `grpc.AuthMetadataContext`."""

    @property
    def service_url(self) -> str:
        """``https://host:port/package.Service``, without a port of 443."""

    @property
    def method_name(self) -> str:
        """Name of the method alone."""


Answer = Callable[[Iterable[tuple[str, str | bytes]] | None, Exception | None], None]
"""Takes the metadata, or why there are none; called once, on any thread, at once or later."""

Plugin = Callable[[CallContext, Answer], None]
"""Says by metadata who makes a call, as a `grpc.AuthMetadataPlugin` does."""


class Plugins(NamedTuple):
    """What credentials are made of.

    Attributes:
        all: In the order in which they are asked.
        context: In a copy of which they run: that in which the credentials were made, as in grpcio.
    """

    all: tuple[Plugin, ...]
    context: Context


_PLUGINS: WeakKeyDictionary[grpc.CallCredentials, Plugins] = WeakKeyDictionary()


def call_credentials(*parts: Plugin | str | grpc.CallCredentials) -> grpc.CallCredentials:
    """Make credentials that a stub's call takes as ``credentials``, whoever carries it, of all *parts* together.

    Use it in the place of `grpc.metadata_call_credentials`, `grpc.access_token_call_credentials` and
    `grpc.composite_call_credentials`: calls with credentials of theirs are carried by grpcio, and by nothing else.

    Args:
        parts: Plugins, which are asked for each call, one after the other, on a thread of gRPC core or for callbacks;
            access tokens, which travel as ``authorization: Bearer``; and what this has made.

    Raises:
        TypeError: A part is something else, such as credentials that grpcio has made.
    """
    plugins = tuple(plugin for part in parts for plugin in _plugins_in(part))
    if not plugins:
        raise TypeError("call credentials need a plugin, a token, or others that call_credentials has made")
    made = [grpc.metadata_call_credentials(plugin) for plugin in plugins]  # type: ignore[arg-type]  # any callable does
    credentials = made[0] if len(made) == 1 else grpc.composite_call_credentials(*made)
    _PLUGINS[credentials] = Plugins(plugins, copy_context())
    return credentials


def plugins_of(credentials: grpc.CallCredentials) -> Plugins | None:
    """Return what `call_credentials` has made *credentials* of; None where it has not made them."""
    return _PLUGINS.get(credentials)


def _plugins_in(part: Plugin | str | grpc.CallCredentials) -> tuple[Plugin, ...]:
    if isinstance(part, str):
        return (_bearer(part),)
    if callable(part):
        return (part,)
    known = plugins_of(part) if isinstance(part, grpc.CallCredentials) else None
    if known is None:
        text = "call_credentials takes plugins, access tokens and what it has made itself"
        raise TypeError(f"{text}; of what a {type(part).__name__} is made it cannot know")
    return known.all


def _bearer(token: str) -> Plugin:
    def give(context: CallContext, answer: Answer) -> None:
        del context
        answer((("authorization", f"Bearer {token}"),), None)

    return give
