"""The description of a Java interface."""

from __future__ import annotations

from typing import Any

from ...codec.dubbo import JavaType
from ..description import MethodDescription, ParameterDescription, ServiceDescription
from .declared import declared
from .interface import JavaInterface
from .signature import JavaSignature


def describe_interface(interface: JavaInterface) -> ServiceDescription:
    """Describe every overload of every method that is declared."""
    methods = tuple(
        _described(method.name, signature) for method in interface.methods.values() for signature in method.signatures
    )
    return ServiceDescription(interface.name, interface.source, methods, interface.is_generic)


def _described(name: str, signature: JavaSignature) -> MethodDescription:
    names = signature.parameter_names or ("",) * len(signature.types)
    pairs = zip(names, signature.types, strict=True)
    return MethodDescription(
        name=name,
        parameters=tuple(ParameterDescription(each, _spelled(java)) for each, java in pairs),
        returns=_returned(signature.return_type),
    )


def _returned(hint: Any) -> str:
    """Name the Java type of an answer; an annotation that stands for none converts nothing, and tells nothing."""
    try:
        return "" if hint is None else _spelled(declared(hint))
    except ValueError:
        return ""


def _spelled(java: JavaType) -> str:
    arguments = ", ".join(map(_spelled, java.arguments))
    return java.name + (f"<{arguments}>" if arguments else "") + "[]" * java.dimensions
