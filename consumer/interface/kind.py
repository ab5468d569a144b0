"""Whether a reference of ``tri`` is to a Java interface without protobuf, and which."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from callahead.config.extension import load_object
from callahead.config.policy import MethodPolicy, ReferencePolicy

from .description import ServiceDescription
from .proto.load import check_methods, load_types
from .proto.service import ServiceTypes

if TYPE_CHECKING:
    from .java import JavaInterface
    from .proto.reflection import OpenChannel

_GENERATED = "_pb2_grpc"
_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def load_service(policy: ReferencePolicy, open_channel: OpenChannel) -> ServiceTypes | JavaInterface:
    """Find the methods of the interface of *policy*, protobuf's or Java's, and check what the YAML says of them.

    It is a Java interface where ``stub`` is a class of annotated functions, where ``generic`` is true, or where a
    method has ``parameter_types``; else see `load_types`, which also says what *open_channel* is for.

    Raises:
        ConfigError: The source cannot be used, or the settings are of both kinds.
        RpcError: The server could not be asked.
    """
    if _is_java(policy):
        from .java import load_interface

        return load_interface(policy)
    types = load_types(policy, open_channel)
    check_methods(policy, types)
    return types


def describe(found: ServiceTypes | JavaInterface) -> ServiceDescription:
    """Describe what `load_service` found."""
    if isinstance(found, ServiceTypes):
        from .proto.description import describe_service

        return describe_service(found)
    from .java.description import describe_interface

    return describe_interface(found)


def _is_java(policy: ReferencePolicy) -> bool:
    has_java_stub = policy.stub is not None and _is_java_stub(policy.stub)
    sources = {"stub": policy.stub, "module": policy.transport.module, "proto": policy.transport.proto}
    source = next((name for name, value in sources.items() if value is not None), None)
    wanted = _wanted(policy)
    if wanted is None or source is None or has_java_stub:
        return has_java_stub or wanted is not None
    holder, attribute = wanted
    text = f"is of a Java interface, but {source}, {policy.origin(source)}, is of a protobuf service"
    hint = "write generic: false for this reference" if attribute == "generic" else f"remove it, or {source}"
    raise holder.error(attribute, text, hint)


def _wanted(policy: ReferencePolicy) -> tuple[ReferencePolicy | MethodPolicy, str] | None:
    """Find whose setting, and which, only a Java interface can have."""
    if policy.generic:
        return policy, "generic"
    methods = (method for method in policy.methods.values() if method.parameter_types is not None)
    return next(((method, "parameter_types") for method in methods), None)


def _is_java_stub(spec: str) -> bool:
    """Tell a class that declares functions from generated code, which is a module or a class made on a channel.

    What cannot be imported is neither; `load_types` says why.
    """
    try:
        found = load_object(spec) if ":" in spec else import_module(spec)
    except Exception:  # the user's module runs, so anything may come out of it
        return False
    return isinstance(found, type) and not found.__module__.endswith(_GENERATED) and not _takes_arguments(found)


def _takes_arguments(cls: type) -> bool:
    """Tell whether an instance is made of something, as a stub is of its channel; a Protocol's takes only stars."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except ValueError:  # written in C
        return True
    return any(parameter.kind in _NAMED for parameter in parameters)
