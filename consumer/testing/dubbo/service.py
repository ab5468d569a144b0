"""Which function a dubbo request asks for: by interface, group and version, then by method and parameter types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from callahead.config.errors import ConfigError
from callahead.config.extension import nearest

from ...codec.dubbo import (
    ECHO,
    INVOKE,
    NO_VERSION,
    RequestBody,
    parse_type,
    types_of_descriptor,
)
from ...codec.hessian2.binding import camel_case
from ...errors import RemoteError, RpcError
from ...interface.java import JavaSignature
from ...interface.java.convert import unchanged
from ...interface.java.misfit import Convert
from ...interface.spelling import folded
from ..functions import accepts
from ..mistake import wrong
from ..provider_call import ProviderCall
from ..script import Script
from .generic import descriptor_of, from_generic

_BAD_REQUEST = "40"
_SERVICE_ERROR = "70"
_OVERLOAD = re.compile(r"\s*([^\s()]+)\s*\((.*)\)\s*")
_INVOKES = (INVOKE, "$invokeAsync")
_PLAIN_GENERIC = ("", "true", "false")


class ExportedMethod:
    """A method, its function and its script.

    Args:
        interface: Full name of the service.
        name: As the user gave it: ``findFoo``, ``find_foo``, or ``of(java.lang.String,int)`` for one overload.
        function: Takes the arguments, and the call if there is room for it; or a fixed answer.

    Raises:
        ConfigError: What stands between the parentheses is no list of types.
    """

    def __init__(self, interface: str, name: str, function: Any) -> None:
        overload = _OVERLOAD.fullmatch(name)
        if overload is None and "(" in name:
            raise _misspelt(name)
        self.interface = interface
        self.method = camel_case(name if overload is None else overload[1])
        self.descriptor = None if overload is None else _parameters(name, overload[2])
        self.script = Script()
        self._function = function
        self._takes_call: dict[int, bool | None] = {}

    @property
    def path(self) -> str:
        """What its calls are counted under."""
        return f"/{self.interface}/{self.method}"

    def takes(self, count: int) -> bool:
        """Tell whether the function can be called with *count* arguments, or with the call after them."""
        if not callable(self._function):
            return True
        if count not in self._takes_call:
            fits = accepts(self._function, count)
            self._takes_call[count] = False if fits else True if accepts(self._function, count + 1) else None
        return self._takes_call[count] is not None

    def run(self, args: tuple[Any, ...], call: ProviderCall) -> Any:
        """Call the function, which `takes` as many."""
        if not callable(self._function):
            return self._function
        function: Callable[..., Any] = self._function
        return function(*args, call) if self._takes_call[len(args)] else function(*args)


class Overload(NamedTuple):
    """What is served for one list of parameter types, or for all.

    Attributes:
        method: With the function.
        signature: The types, where a stub declares them.
        give: Converts what the function gives to the type that the stub declares; raises `Misfit`.
    """

    method: ExportedMethod
    signature: JavaSignature | None = None
    give: Convert = unchanged


class Target(NamedTuple):
    """What a request asks for.

    Attributes:
        overload: What is served for it, or None for an echo.
        args: Its arguments.
        generic: The answer is to be told without classes.
    """

    overload: Overload | None
    args: tuple[Any, ...]
    generic: bool = False


class DubboService:
    """One interface of one group and version; never changed once made.

    Args:
        interface: Full name.
        group: "" for none.
        version: "" for none.
        token: What consumers must show, "" for nothing.
        methods: By folded name and, for one overload, its descriptor; several may have one `ExportedMethod`.
    """

    def __init__(
        self,
        interface: str,
        group: str,
        version: str,
        token: str,
        methods: Mapping[tuple[str, str | None], Overload],
    ) -> None:
        self.interface = interface
        self.group = group
        self.version = version
        self.token = token
        self.methods = methods

    def target(self, request: RequestBody, peer: str) -> Target:
        """Say what *request* asks of this service.

        Raises:
            RpcError: There is no such method, or the token is wrong; ``status`` is what Java would answer with.
        """
        if request.method == ECHO and len(request.args) == 1 and not self._serves(ECHO):
            return Target(None, request.args)
        if request.method in _INVOKES and len(request.args) == 3 and not self._serves(request.method):
            self._check_token(request, peer)
            return self._generic_target(request)
        overload = self._find(request.method, request.descriptor, len(request.args))
        if overload is None:
            raise _undecodable(request, self._unknown(request.method, len(request.args)))
        self._check_token(request, peer)
        return Target(overload, request.args)

    def _serves(self, name: str) -> bool:
        return any(known == folded(name) for known, _ in self.methods)

    def _find(self, name: str, descriptor: str | None, count: int) -> Overload | None:
        key = folded(name)
        found = self.methods.get((key, descriptor)) or self.methods.get((key, None))
        if found is None and descriptor is None:
            fitting = [
                one
                for (known, types), one in self.methods.items()
                if known == key and types is not None and len(types_of_descriptor(types)) == count
            ]
            found = fitting[0] if len(fitting) == 1 else None
        return found if found is not None and found.method.takes(count) else None

    def _generic_target(self, request: RequestBody) -> Target:
        name, types, args = request.args
        generic = str(request.attachments.get("generic") or "").lower()
        if generic not in _PLAIN_GENERIC:
            raise _filtered(f'generic="{generic}" is not served by an embedded provider')
        try:
            given = [] if args is None else list(args)
            if types is not None and len(types) != len(given):
                raise _filtered(f"{request.method} names {len(types)} types for {len(given)} arguments")
            overload = self._find(str(name), None if types is None else descriptor_of(types), len(given))
            if overload is None:
                raise _filtered(f"java.lang.NoSuchMethodException: {self._unknown(str(name), len(given))}")
            if overload.signature is not None:
                types = overload.signature.parameter_types
            return Target(overload, from_generic(given, types), generic=True)
        except (RecursionError, TypeError, ValueError) as error:
            raise _filtered(f"the arguments of {request.method} cannot be read: {error}") from None

    def _check_token(self, request: RequestBody, peer: str) -> None:
        given = request.attachments.get("token")
        if self.token and given != self.token:
            shown = "null" if given is None else "another one"
            raise _filtered(
                f"Invalid token! Forbid invoke remote service interface {self.interface} method {request.method}() "
                f"from consumer {peer}, consumer incorrect token is {shown}"
            )

    def _unknown(self, name: str, count: int) -> str:
        if self._serves(name):
            return f'{self.interface} serves "{name}", but not with these {count} arguments'
        hint = nearest(name, {one.method.method for one in self.methods.values()})
        return f'{self.interface} has no method "{name}"' + (f" ({hint})" if hint else "")


def find_service(services: Mapping[tuple[str, str, str], DubboService], request: RequestBody) -> DubboService:
    """Find the service that *request* asks for.

    Raises:
        RpcError: It is not served; ``status`` is what Java would answer with.
    """
    sent = request.attachments
    interface = str(sent.get("path") or request.path)
    group, version = str(sent.get("group") or ""), plain_version(str(sent.get("version") or request.version))
    found = services.get((interface, group, version))
    if found is not None:
        return found
    variants = [_key(*key) for key in services if key[0] == interface]
    if not variants:
        hint = nearest(interface, {key[0] for key in services})
        raise _undecodable(request, f'no service "{interface}" is served' + (f" ({hint})" if hint else ""))
    raise RemoteError(
        f"org.apache.dubbo.remoting.RemotingException: Not found exported service: {_key(interface, group, version)} "
        f"in [{', '.join(variants)}], may be version or group mismatch",
        status=_SERVICE_ERROR,
    )


def plain_version(version: str) -> str:
    """Give "" for the version that Java sends for none."""
    return "" if version == NO_VERSION else version


def _key(interface: str, group: str, version: str) -> str:
    return (f"{group}/" if group else "") + interface + (f":{version}" if version else "")


def _undecodable(request: RequestBody, why: str) -> RpcError:
    text = f"Fail to decode request due to: RpcInvocation [methodName={request.method}, parameterTypes=null]: {why}"
    return RemoteError(text, status=_BAD_REQUEST)


def _filtered(why: str) -> RpcError:
    return RemoteError(f"org.apache.dubbo.rpc.RpcException: {why}", status=_SERVICE_ERROR)


def _parameters(name: str, inside: str) -> str:
    """Read a parameter list, in Java's spelling or the JVM's, to a descriptor."""
    text = inside.strip()
    try:
        types_of_descriptor(text)
    except ValueError:
        try:
            return "".join([parsed.descriptor for parsed in parse_type(f"java.lang.Object<{text}>").arguments])
        except ValueError:
            raise _misspelt(name) from None
    return text


def _misspelt(name: str) -> ConfigError:
    return wrong(f'"{name}" is no method with parameter types', "such as of(java.lang.String,int)")
