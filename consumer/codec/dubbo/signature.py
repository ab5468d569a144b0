"""The parameters of one Java method: its descriptor, and how each argument is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from ...errors import SerializationError
from ..hessian2.encoder import Encoder, Writer, write_any
from ..hessian2.scalar_writers import SHORT_INTS
from .descriptor import JavaType
from .string import encode_string, plain_string

PlainWriter = Callable[[Any], bytes | None]
"""Writes a value that needs neither conversion nor a stream to be written to; gives None for any other value."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A parameter list, prepared for encoding; make one per method.

    Each argument is written as the value that it is: to make of a Python value one of the declared type is the business
    of `callahead.consumer.interface.java`.

    Attributes:
        types: Java type names without generics, in order.
        descriptor: As the JVM spells it, "" without parameters.
        writers: How each argument is written.
        plain: What writes plain values, which are most; None where a parameter is of a type that has none.
    """

    types: tuple[str, ...]
    descriptor: str
    writers: tuple[Writer, ...] = field(init=False, compare=False, repr=False)
    plain: tuple[PlainWriter, ...] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "writers", tuple([_WRITERS.get(name, write_any) for name in self.types]))
        plain = [_PLAIN.get(name) for name in self.types]
        object.__setattr__(self, "plain", None if None in plain else tuple(plain))

    @classmethod
    def of(cls, types: Iterable[JavaType]) -> Self:
        """Prepare declared types; their type arguments do not travel."""
        declared = tuple(types)
        return cls(tuple([each.erased for each in declared]), "".join([each.descriptor for each in declared]))

    def wrong_count(self, method: str, given: int) -> SerializationError:
        """Make the error of too many or too few arguments."""
        count = len(self.types)
        return SerializationError(
            f"{method}({', '.join(self.types)}) takes {count} argument{'' if count == 1 else 's'}, {given} given",
            not_sent=True,
        )

    def refusal(self, method: str, at: int, error: Exception) -> SerializationError:
        """Make the error of an argument that its writer could not write; properties and iterators are users' code."""
        what = error.message if isinstance(error, SerializationError) else f"{type(error).__name__}: {error}"
        if isinstance(error, RecursionError):
            what = "it is nested more deeply than Python's recursion limit allows"
        return SerializationError(f"argument {at + 1} of {method}, {self.types[at]}: {what}", not_sent=True)


def _write_string(e: Encoder, value: Any) -> None:
    if type(value) is str:
        e.out += encode_string(value)
    else:
        write_any(e, value)


def _write_int(e: Encoder, value: Any) -> None:
    if type(value) is int and -2048 <= value <= 2047:
        e.out += SHORT_INTS[value]
    else:
        write_any(e, value)


# Only what is quicker than to look the writer up by the value's type.
_WRITERS: dict[str, Writer] = {"java.lang.String": _write_string, "int": _write_int}


def _plain_int(value: Any) -> bytes | None:
    return SHORT_INTS[value] if type(value) is int and -2048 <= value <= 2047 else None


def _plain_boolean(value: Any) -> bytes | None:
    return b"T" if value is True else b"F" if value is False else None


_PLAIN: dict[str, PlainWriter] = {
    "java.lang.String": plain_string,
    "int": _plain_int,
    "boolean": _plain_boolean,
}
