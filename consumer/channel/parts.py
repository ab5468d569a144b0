"""What the callables of a channel are made with, whether they stream or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import grpc

from callahead.config.policy import ReferencePolicy

from ..call.attempt import Attempt
from ..call.provider import Provider
from ..errors import LocalProtocolError, Rejected
from ..interface.proto.service import MethodTypes
from ..transport.tri.metadata import Metadata, checked_metadata
from ..transport.tri.options import GrpcOptions


@runtime_checkable
class StubTransport(Protocol):
    """What a `ReferenceTransport` must have beyond the seam to serve the unary methods of generated stubs of gRPC."""

    def stub_method(self, types: MethodTypes, build: Callable[[tuple[Any, ...], Mapping[str, Any]], Any]) -> Any:
        """Make a `MethodTransport` of *types* and of what makes a request of arguments; nothing is kept of it."""


@runtime_checkable
class WatchedTransport(StubTransport, Protocol):
    """What it must have to tell the state of its connections."""

    def watch(self, provider: Provider, tell: Callable[[str], None], *, connect: bool) -> Callable[[], None]:
        """Let *tell* hear of each state of the connection to *provider*, by gRPC's names; returns what ends that.

        *tell* is called on the thread that serves the connection, first with the state of now; with *connect* one is
        made where there is none.

        Raises:
            ConsumerClosed: The transport is closed.
        """


@runtime_checkable
class PassingTransport(StubTransport, Protocol):
    """What it must have to let grpcio serve their streaming methods, too."""

    def channel_to(self, provider: Provider) -> grpc.Channel:
        """Return the channel to *provider*."""

    def pass_on(self, attempt: Attempt, begin: Callable[[grpc.Channel, Metadata], Any]) -> Any:
        """Return what *begin* makes of a channel to the provider and of the metadata; it runs there until it ends."""


@runtime_checkable
class LendingTransport(StubTransport, Protocol):
    """What it must have where it cannot ask the credentials that grpcio has made."""

    def by_grpcio(self) -> PassingTransport:
        """Return what lets grpcio carry a call of the same reference.

        Raises:
            ConfigError: A file of ``ssl`` cannot be used any more.
        """


def grpc_options(
    policy: ReferencePolicy,
    metadata: Iterable[tuple[str, str | bytes]] | None,
    credentials: grpc.CallCredentials | None,
    wait_for_ready: bool | None,
    compression: grpc.Compression | None,
) -> GrpcOptions:
    """Take what a stub's call says beyond its request to the reference of *policy*.

    Raises:
        LocalProtocolError: gRPC cannot carry the metadata.
        Rejected: There is no TLS for the credentials; grpcio lets the call fail as if the provider had said so.
    """
    if credentials is not None and policy.ssl is None:
        raise _without_tls(policy)
    return GrpcOptions(
        metadata=checked_metadata(metadata) if metadata else (),
        credentials=credentials,
        wait_for_ready=wait_for_ready,
        compression=compression,
    )


def _without_tls(policy: ReferencePolicy) -> Rejected:
    text = f"call credentials travel over TLS alone, and the reference has no ssl ({policy.origin('ssl')})"
    error = Rejected(text, not_sent=True, status=grpc.StatusCode.UNAUTHENTICATED.name)
    error.status_text = text
    return error


def checked_timeout(seconds: float) -> float:
    """Return *seconds* of a stub's call; infinity is no bound, and what is not above 0 has surely passed.

    Raises:
        LocalProtocolError: It is no number.
    """
    if math.isnan(seconds):
        raise LocalProtocolError("the timeout of the call is no number of seconds, but nan", not_sent=True)
    return seconds if seconds > 0 else -1.0


def first(args: tuple[Any, ...], kwargs: Any) -> Any:
    """Return the request of a stub's call, as the one argument that it has."""
    del kwargs
    return args[0]


def unchanged(data: Any) -> Any:
    """Return *data*: gRPC's serializer where a stub gives none."""
    return data
