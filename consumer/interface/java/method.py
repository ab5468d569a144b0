"""A Java method as callers see it: one name, one or more signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...codec.dubbo import invoke_arguments
from ...errors import SerializationError
from .fit import fitting
from .misfit import Convert, Misfit, kind
from .signature import INVOKE_SIGNATURE, JavaSignature

_FORCE = (
    "force one by the type of an argument, such as Int(1), Long(1), java_array(...) or a bound class whose Python base "
    "stands for its Java superclass, or declare it in the stub under a name of its own with @java_method"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaMethod:
    """All signatures of one name.

    Attributes:
        name: What callers use: Java's name, or the stub's for an overload that it declares apart.
        signatures: The overloads that are known; none in a generic call of a method that nobody declared.
        is_generic: Calls go through ``$invoke``.
        only: The one signature, where there is nothing to choose; else None.
    """

    name: str
    signatures: tuple[JavaSignature, ...] = ()
    is_generic: bool = False
    only: JavaSignature | None = field(init=False, repr=False, compare=False)
    _converters: tuple[Convert, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        only = self.signatures[0] if len(self.signatures) == 1 and not self.is_generic else None
        object.__setattr__(self, "only", only)
        object.__setattr__(self, "_converters", () if only is None else only.converters)

    def select(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[JavaSignature, list[Any]]:
        """Choose the overload that the arguments mean, and convert them to what hessian2 must encode.

        Overloads are chosen by the number of arguments, then by how well the values fit: what the Java compiler would
        do with them as literals, so that 5 is an ``int`` where there is one and 5,000,000,000 a ``long``. In a generic
        call what comes back is the signature of ``$invoke`` and its three arguments.

        Args:
            args: By position.
            kwargs: By the names that the stub declares.

        Raises:
            SerializationError: No overload, or more than one, takes these arguments; ``not_sent`` is set.
        """
        only = self.only
        if only is not None and not kwargs and len(args) == len(self._converters):
            try:
                return only, [convert(value) for convert, value in zip(self._converters, args, strict=False)]
            except Misfit:
                pass  # told below, with the parameter's name
        try:
            return self._generic(args, kwargs) if self.is_generic else self._select(args, kwargs)
        except Misfit as misfit:
            raise SerializationError(misfit.reason, not_sent=True) from None

    def _generic(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[JavaSignature, list[Any]]:
        if self.signatures:
            chosen, values = self._select(args, kwargs)
            return INVOKE_SIGNATURE, list(invoke_arguments(chosen.wire_method, chosen.parameter_types, values))
        if kwargs:
            raise Misfit(
                f"{self.name} takes no keywords, for nothing is known of it and it is called through $invoke",
                "give the arguments by position, or declare the method in a stub",
            )
        return INVOKE_SIGNATURE, list(invoke_arguments(self.name, None, args))

    def _select(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[JavaSignature, list[Any]]:
        if len(self.signatures) == 1:
            only = self.signatures[0]
            return only, only.convert(only.bind(args, kwargs))
        candidates = [(one, bound) for one in self.signatures if (bound := _bound(one, args, kwargs)) is not None]
        if not candidates:
            given = f"{len(args) + len(kwargs)} arguments" + (f" ({', '.join(kwargs)} by keyword)" if kwargs else "")
            raise Misfit(f"{self.name}: no overload takes {given}", f"there are {_listed(self.signatures)}")
        found = fitting([one for one, _ in candidates], [bound for _, bound in candidates])
        chosen = next((pair for pair in candidates if pair[0] in found), candidates[0])
        if len(found) == 1 or len(candidates) == 1:
            return chosen[0], chosen[0].convert(chosen[1])
        values = ", ".join([*map(kind, args), *(f"{name}={kind(value)}" for name, value in kwargs.items())])
        if not found:
            raise Misfit(f"{self.name}: no overload takes ({values})", f"there are {_listed(self.signatures)}")
        raise Misfit(f"{self.name}: ({values}) is ambiguous, it fits {_listed(found)}", _FORCE)


def _bound(one: JavaSignature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any] | None:
    try:
        return one.bind(args, kwargs)
    except Misfit:
        return None


def _listed(signatures: Iterable[JavaSignature]) -> str:
    return ", ".join(map(str, signatures))
