"""The functions of a dubbo service, and what an annotated class says of them: which overloads, and of which types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy

from ...interface.java import JavaMethod, JavaSignature, load_interface
from ...interface.java.convert import converter, unchanged
from ...interface.java.declared import declared
from ...interface.java.misfit import Convert
from ...interface.spelling import folded
from ..functions import functions_of
from ..mistake import wrong
from ..script import of_provider
from .service import ExportedMethod, Overload

Overloads = dict[tuple[str, str | None], Overload]


class StubTypes:
    """The types of an interface as a stub declares them, by the rules of a reference.

    Args:
        interface: Full name.
        stub: ``module:Class`` of annotated functions.

    Raises:
        ConfigError: It cannot be imported or understood.
    """

    def __init__(self, interface: str, stub: str) -> None:
        self._interface = interface
        self._stub = stub
        policy = ReferencePolicy(id="", interface=interface, stub=stub, default=MethodPolicy(reference="", method="*"))
        try:
            self._java = load_interface(policy)
        except ConfigError as error:
            raise of_provider(error) from error

    def overloads(self, given: Mapping[str, Any] | object | None, more: Mapping[str, Any]) -> Overloads:
        """Say what is served, by folded name and descriptor.

        A function serves every overload of its name but those that have a function of their own.

        Args:
            given: From name to function, or an object, whose methods that the stub lacks are passed over.
            more: From name to function.

        Raises:
            ConfigError: The stub declares no such method or overload, *given* has none that it declares, or a function
                cannot be called with as many arguments.
        """
        functions = {**self._functions(given), **more}
        served = [(self._signatures(name), function) for name, function in functions.items()]
        found: Overloads = {}
        for signatures, function in sorted(served, key=lambda one: -len(one[0])):
            method = ExportedMethod(self._interface, signatures[0].wire_method, function)
            if not any(method.takes(len(one.types)) for one in signatures):
                raise wrong(f"{function!r} takes the arguments of none of {', '.join(map(str, signatures))}")
            for one in signatures:
                found[folded(one.wire_method), one.descriptor] = Overload(method, one, _giver(one))
        return found

    def _functions(self, given: Mapping[str, Any] | object | None) -> dict[str, Any]:
        functions = functions_of(given)
        if given is None or isinstance(given, Mapping):
            return functions
        of_stub = {name: one for name, one in functions.items() if self._java.find(name) is not None}
        if not of_stub:
            raise wrong(f"{given!r} has no method of {self._stub}", f"one of: {', '.join(self._java.methods)}")
        return of_stub

    def _signatures(self, name: str) -> tuple[JavaSignature, ...]:
        overload = ExportedMethod(self._interface, name, None)
        method = self._method(name if overload.descriptor is None else name.partition("(")[0].strip())
        if overload.descriptor is None:
            return method.signatures
        found = tuple(one for one in method.signatures if one.descriptor == overload.descriptor)
        if not found:
            known = ", ".join(map(str, method.signatures))
            raise wrong(f'"{self._stub}" has no overload "{name}"', f"there are {known}")
        return found

    def _method(self, name: str) -> JavaMethod:
        found = self._java.find(name)
        if found is None:
            raise wrong(f'"{self._stub}" has no method "{name}"', self._java.nearest(name))
        return found


def _giver(signature: JavaSignature) -> Convert:
    """Make the conversion to the return annotation; None where that stands for no one Java type."""
    if signature.return_type is None:
        return unchanged
    try:
        return converter(declared(signature.return_type))
    except ValueError:
        return unchanged
