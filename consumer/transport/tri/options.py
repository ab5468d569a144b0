"""What a generated stub's call says beyond its request, whatever carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .metadata import Metadata

if TYPE_CHECKING:
    import grpc


class GrpcOptions(NamedTuple):
    """The options of one call; see `grpc.UnaryUnaryMultiCallable`."""

    metadata: Metadata = ()
    credentials: grpc.CallCredentials | None = None
    wait_for_ready: bool | None = None
    compression: grpc.Compression | None = None


NO_OPTIONS = GrpcOptions()
