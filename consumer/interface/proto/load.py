"""Where the methods of a reference come from: generated code, a ``.proto`` file, or the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy

from ..named import Named, method_problems
from .service import MethodTypes, ServiceTypes

if TYPE_CHECKING:
    from .reflection import OpenChannel

__all__ = ["MethodTypes", "ServiceTypes", "check_methods", "load_types"]


def load_types(policy: ReferencePolicy, open_channel: OpenChannel) -> ServiceTypes:
    """Find the methods of the interface of *policy*.

    The first of ``stub``, ``module`` and ``proto`` that the policy has is the source; with none of them the server is
    asked by gRPC's reflection. Only then is *open_channel* called; the channel it returns is closed here.

    Raises:
        ConfigError: The source cannot be used, or has no such interface; with the file, the line and the nearest name.
        RpcError: The server could not be asked.
    """
    if policy.stub is not None:
        from .generated import from_stub

        return from_stub(policy, policy.stub)
    if policy.transport.module is not None:
        from .generated import from_module

        return from_module(policy, policy.transport.module)
    if policy.transport.proto is not None:
        from .protoc import from_proto

        return from_proto(policy, policy.transport.proto)
    from .reflection import from_reflection

    return from_reflection(policy, open_channel)


def check_methods(policy: ReferencePolicy, types: ServiceTypes) -> None:
    """Check that *types* has every method that the YAML names, and that each can do what is asked of it.

    A method that streams its answers takes no ``async``, ``return`` or ``sent`` of its own; what it inherits from the
    reference or the consumer has no effect on it.

    Raises:
        ConfigError: With all that is wrong.
    """

    def find(name: str) -> Named:
        method = types.find(name)
        if method is None:
            raise LookupError(f'the interface "{types.interface}" has no method "{name}"', types.nearest(name))
        return Named(method.name, method.server_streaming)

    if problems := method_problems(policy, find):
        raise ConfigError(problems)
