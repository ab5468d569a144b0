"""The protobuf messages in which ``tri`` carries the calls of Java interfaces, with hessian2 inside.

Arguments, answer and exception are a hessian2 stream each, beside the name of the serialization: Java writes
``hessian4`` for what its own registry calls ``hessian2``, and either is read. A declared exception comes as a
`decode_response` whose call has the response header ``tri-exception-code`` other than 0.

Source: Dubbo's ``triple_wrapper.proto`` and ``ReflectionPackableMethod``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ..errors import RemoteProtocolError, SerializationError
from .dubbo.descriptor import parse_type, type_of_class_name
from .dubbo.signature import Signature
from .hessian2 import Encoder, Limits, dumps, loads
from .hessian2.limits import DEFAULT_LIMITS

SERIALIZATION: Final = "hessian4"
EXCEPTION_HEADER: Final = "tri-exception-code"
_READABLE = ("hessian4", "hessian2")
_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "TripleRequestWrapper": ("serializeType", "args*", "argTypes+"),
    "TripleResponseWrapper": ("serializeType", "data.", "type"),
}


def _message_classes() -> list[Any]:
    """Make the classes in a pool of their own, so that a user's copy of the same ``.proto`` does not clash."""
    file = descriptor_pb2.FileDescriptorProto(
        name="triple_wrapper.proto", package="org.apache.dubbo.triple", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        made = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            made.field.add(
                name=field.rstrip("*+."),
                number=number,
                type=_FIELD.TYPE_BYTES if field.endswith(("*", ".")) else _FIELD.TYPE_STRING,
                label=_FIELD.LABEL_REPEATED if field.endswith(("*", "+")) else _FIELD.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}")) for name in _MESSAGES]


_Request, _Response = _message_classes()


class TripleRequestEncoder:
    """Makes the requests of one method. May be used by any number of threads at once.

    Args:
        method: As Java spells it, for messages.
        signature: Its parameters.
        limits: Of each argument.
    """

    __slots__ = ("_limits", "_method", "_signature", "_types")

    def __init__(self, method: str, signature: Signature, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._method = method
        self._signature = signature
        self._types = [parse_type(name).class_name for name in signature.types]
        self._limits = limits

    def encode(self, args: Sequence[Any]) -> bytes:
        """Make a request.

        Raises:
            SerializationError: The arguments do not fit the parameters, have no Java form, or pass a limit;
                ``not_sent`` is set.
        """
        writers = self._signature.writers
        if len(args) != len(writers):
            raise self._signature.wrong_count(self._method, len(args))
        streams: list[bytes] = []
        try:
            for write, value in zip(writers, args, strict=True):
                encoder = Encoder(self._limits)
                write(encoder, value)
                streams.append(encoder.getvalue())
        except Exception as error:
            raise self._signature.refusal(self._method, len(streams), error) from error
        request: bytes = _Request(serializeType=SERIALIZATION, args=streams, argTypes=self._types).SerializeToString()
        return request


def decode_response(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Read an answer, or the exception of a call whose `EXCEPTION_HEADER` is not 0.

    Raises:
        RemoteProtocolError: It is in another serialization, or no such message.
        SerializationError: The value in it is no hessian2, or passes a limit. Both have ``in_doubt`` set.
    """
    wrapper = _parse(_Response, data)
    return _value(wrapper.serializeType, wrapper.data, limits)


class TripleRequest(NamedTuple):
    """A request as a provider reads it.

    Attributes:
        types: Java type names of the parameters, arrays with brackets.
        args: One for each.
    """

    types: tuple[str, ...]
    args: tuple[Any, ...]


def decode_request(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> TripleRequest:
    """Read a request.

    Raises:
        RemoteProtocolError: It is in another serialization, no such message, or has not one type for each argument.
        SerializationError: An argument is no hessian2, or passes a limit.
    """
    wrapper = _parse(_Request, data)
    if len(wrapper.args) != len(wrapper.argTypes):
        raise RemoteProtocolError(
            f"a triple request has {len(wrapper.args)} arguments of {len(wrapper.argTypes)} types"
        )
    args = tuple([_value(wrapper.serializeType, each, limits) for each in wrapper.args])
    return TripleRequest(tuple(map(type_of_class_name, wrapper.argTypes)), args)


def encode_response(value: Any, java_type: str = "java.lang.Object", *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Make an answer.

    Args:
        value: The answer, or the exception of a call to whose response `EXCEPTION_HEADER` is added.
        java_type: The method's declared return type, as Java source spells it.
        limits: Of the value.

    Raises:
        SerializationError: The value has no Java form or passes a limit.
        ValueError: *java_type* is no Java type name.
    """
    name = parse_type(java_type).class_name
    response: bytes = _Response(
        serializeType=SERIALIZATION, data=dumps(value, limits=limits), type=name
    ).SerializeToString()
    return response


def _parse(cls: Any, data: bytes) -> Any:
    try:
        return cls.FromString(data)
    except message.DecodeError as error:
        what = f"{len(data)} bytes are no {cls.DESCRIPTOR.name}: {error}"
        raise RemoteProtocolError(f"{what}; is the method one of a protobuf service?", in_doubt=True) from error


def _value(serialization: str, data: bytes, limits: Limits) -> Any:
    if serialization not in _READABLE:
        raise RemoteProtocolError(
            f'a value is serialized by "{serialization}", this side reads hessian2; set '
            '"prefer.serialization: hessian2" at the provider',
            in_doubt=True,
        )
    try:
        return loads(data, limits=limits) if data else None
    except SerializationError as error:
        error.in_doubt = True
        raise
