"""What can be called on a reference, as values for the command line, generated stubs, and whoever else must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .proto.service import MethodTypes
from .spelling import folded


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """One parameter of a method, or one field of its request message.

    Attributes:
        name: "" where only the type is known.
        type_name: As Java source or a ``.proto`` file spells it: ``java.util.List<com.x.Foo>``, ``repeated int64``.
    """

    name: str
    type_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDescription:
    """One method, or one overload of it.

    Attributes:
        name: What callers use.
        parameters: In order; None where nothing is known of them.
        returns: Name of the type of an answer; "" where it is not known, or nothing comes back.
        types: The messages of a protobuf method; None for Java's, which have none.
    """

    name: str
    parameters: tuple[ParameterDescription, ...] | None = None
    returns: str = ""
    types: MethodTypes | None = None

    @property
    def client_streaming(self) -> bool:
        """The client sends any number of requests."""
        return self.types is not None and self.types.client_streaming

    @property
    def server_streaming(self) -> bool:
        """The server sends any number of answers."""
        return self.types is not None and self.types.server_streaming

    @property
    def request_class(self) -> type[Any] | None:
        """Class of the request message; None where there is none or it is not known."""
        return None if self.types is None else self.types.request_class

    @property
    def response_class(self) -> type[Any] | None:
        """Class of the response message; None likewise."""
        return None if self.types is None else self.types.response_class

    def from_json(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Make the arguments of a call of what JSON carried: of one object the request message, if there is such.

        Raises:
            SerializationError: The object is not the JSON form of the request, or the request's class is not known.
        """
        if self.types is None or len(values) != 1 or not isinstance(values[0], dict):
            return values
        from .proto.arguments import from_plain  # protobuf is not there for Java interfaces

        return (from_plain(self.types, values[0]),)


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """All that is known of an interface.

    Attributes:
        name: Full name, such as ``com.alibaba.foo.FooService``.
        source: Where it was read, for messages: ``stub shop.foo_pb2_grpc:FooServiceStub``.
        methods: Overloads have one name and follow each other.
        is_open: Any other method may be called too, for nothing tells which there are.
    """

    name: str
    source: str
    methods: tuple[MethodDescription, ...]
    is_open: bool = False

    def find(self, name: str) -> tuple[MethodDescription, ...]:
        """Give the overloads of the method *name*, in its own spelling or else in any mix of case and underscores.

        None are given where nothing fits, or two methods do.
        """
        exact = tuple(one for one in self.methods if one.name == name)
        found = exact or tuple(one for one in self.methods if folded(one.name) == folded(name))
        return found if len({one.name for one in found}) == 1 else ()
