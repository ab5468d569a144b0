"""What the transport must know of a service: its methods, their paths, and how their messages become bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..spelling import Spellings


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodTypes:
    """One method of a gRPC service.

    Attributes:
        name: As the service spells it.
        path: ``/pkg.Service/Method``, as it goes on the wire.
        request_class: Class of the request message, or None where a stub does not tell it.
        response_class: Class of the response message, or None likewise.
        serialize: From a request to its bytes; what it raises is the codec's own.
        deserialize: From bytes to a response; what it raises is the codec's own.
        client_streaming: The client sends any number of requests.
        server_streaming: The server sends any number of responses.
    """

    name: str
    path: str
    request_class: type[Any] | None
    response_class: type[Any] | None
    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]
    client_streaming: bool = False
    server_streaming: bool = False

    @property
    def streaming(self) -> bool:
        """One side or both send more than one message."""
        return self.client_streaming or self.server_streaming

    @property
    def is_upload(self) -> bool:
        """The client sends any number of requests, and the server a single response."""
        return self.client_streaming and not self.server_streaming


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTypes:
    """The methods of one gRPC service.

    Attributes:
        interface: Full name, such as ``com.alibaba.foo.FooService``.
        methods: By name as the service spells it.
        source: Where they were read, for messages: ``stub shop.foo_pb2_grpc:FooServiceStub``.
    """

    interface: str
    methods: Mapping[str, MethodTypes]
    source: str
    _spellings: Spellings[MethodTypes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_spellings", Spellings(self.methods))

    @classmethod
    def of(cls, interface: str, methods: Iterable[MethodTypes], source: str) -> ServiceTypes:
        """Collect *methods* under their names."""
        return cls(interface=interface, methods=MappingProxyType({m.name: m for m in methods}), source=source)

    def find(self, name: str) -> MethodTypes | None:
        """Look a method up by its own spelling or, where only one fits, by any mix of case and underscores.

        ``find_foo`` and ``FindFoo`` both find ``findFoo``. None where nothing fits or two methods do.
        """
        return self._spellings.find(name)

    def nearest(self, name: str) -> str:
        """Phrase a hint for a *name* that `find` does not find: the nearest method, else all of them."""
        return self._spellings.nearest(name)
