"""A channel on which stubs are made to see what they would ask of it; whoever has stubs has grpcio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from .service import MethodTypes


class RecordingChannel(grpc.Channel):
    """Notes the methods that a stub asks for, and connects to nothing.

    Attributes:
        methods: In the order in which they were asked for.
    """

    def __init__(self) -> None:
        self.methods: list[MethodTypes] = []

    def _record(self, path: str, serialize: Any, deserialize: Any, *, client: bool, server: bool) -> None:
        request, response = _message_classes(path)
        self.methods.append(
            MethodTypes(
                name=path.rpartition("/")[2],
                path=path,
                request_class=request,
                response_class=response,
                serialize=_unchanged if serialize is None else serialize,
                deserialize=_unchanged if deserialize is None else deserialize,
                client_streaming=client,
                server_streaming=server,
            )
        )

    def unary_unary(  # type: ignore[override]  # grpcio adds private parameters from time to time
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> None:
        """Note a unary method."""
        self._record(method, request_serializer, response_deserializer, client=False, server=False)

    def unary_stream(  # type: ignore[override]
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> None:
        """Note a server-streaming method."""
        self._record(method, request_serializer, response_deserializer, client=False, server=True)

    def stream_unary(  # type: ignore[override]
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> None:
        """Note a client-streaming method."""
        self._record(method, request_serializer, response_deserializer, client=True, server=False)

    def stream_stream(  # type: ignore[override]
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> None:
        """Note a bidirectional method."""
        self._record(method, request_serializer, response_deserializer, client=True, server=True)

    def subscribe(self, callback: Callable[[Any], None], try_to_connect: bool | None = False) -> None:
        """Report nothing: this channel has no state."""

    def unsubscribe(self, callback: Callable[[Any], None]) -> None:
        """Forget nothing, likewise."""

    def close(self) -> None:
        """Close nothing, likewise."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None


def _unchanged(value: Any) -> Any:
    return value


def _message_classes(path: str) -> tuple[type[Any] | None, type[Any] | None]:
    """Ask protobuf's default pool, where generated code enters its files, for the classes behind *path*."""
    try:
        method = descriptor_pool.Default().FindMethodByName(path.lstrip("/").replace("/", "."))
    except KeyError:
        return None, None
    return GetMessageClass(method.input_type), GetMessageClass(method.output_type)
