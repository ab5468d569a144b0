"""The parameters of one Java method: its descriptor, and how each argument is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from ...errors import SerializationError
from ..hessian2 import Instant, LocalDateTime, OffsetDateTime, ZonedDateTime
from ..hessian2.bound import writer_of_hint
from ..hessian2.encoder import Encoder, Writer, write_any, writer_of_name
from ..hessian2.forced import forced_type
from ..hessian2.scalar_writers import SHORT_INTS, write_bool, write_null
from .annotations import java_type_of
from .descriptor import PRIMITIVES, JavaType, parse_type, types_of_descriptor
from .string import encode_string, plain_string

PlainWriter = Callable[[Any], bytes | None]
"""Writes a value that needs neither conversion nor a stream to be written to; gives None for any other value."""

_LISTS = ("java.util.List", "java.util.Collection", "java.lang.Iterable", "java.util.ArrayList", "java.util.LinkedList")
_SETS = ("java.util.Set", "java.util.HashSet")
_MAPS = ("java.util.Map", "java.util.HashMap")
# An aware datetime is a java.util.Date unless the declaration says better.
_MOMENTS: dict[str, Callable[[dt.datetime], dt.datetime]] = {
    "java.time.Instant": Instant.of,
    "java.time.OffsetDateTime": OffsetDateTime.of,
    "java.time.ZonedDateTime": ZonedDateTime.in_zone,
    "java.time.LocalDateTime": lambda moment: LocalDateTime.of(moment.replace(tzinfo=None)),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """A parameter list, prepared for encoding; make one per method, by one of the class methods.

    Attributes:
        descriptor: As the JVM spells it, "" without parameters.
        types: Java type names without generics, in order.
        writers: How each argument is written.
        plain: What writes plain values, which are most; None where a parameter is of a type that has none.
    """

    descriptor: str
    types: tuple[str, ...]
    writers: tuple[Writer, ...]
    plain: tuple[PlainWriter, ...] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        plain = [_PLAIN.get(name) for name in self.types]
        object.__setattr__(self, "plain", None if None in plain else tuple(plain))

    @classmethod
    def of_names(cls, names: Iterable[str]) -> Self:
        """Prepare Java type names, such as ``int`` and ``java.util.List<java.lang.Long>``.

        Raises:
            ValueError: One of them is no type name, or is ``void``.
        """
        return cls._of([(each, _writer(each)) for each in map(parse_type, names)])

    @classmethod
    def of_descriptor(cls, descriptor: str) -> Self:
        """Prepare a JVM descriptor, such as ``Ljava/lang/String;I``.

        Raises:
            ValueError: It is none.
        """
        return cls._of([(each, _writer(each)) for each in types_of_descriptor(descriptor)])

    @classmethod
    def of_hints(cls, hints: Iterable[Any]) -> Self:
        """Prepare evaluated Python annotations, see `java_type_of` for what each stands for.

        Raises:
            ValueError: One of them stands for no Java type, or is None.
        """
        pairs = []
        for hint in hints:
            java_type = java_type_of(hint)
            by_hint = None if java_type.dimensions else writer_of_hint(hint)
            by_name = _writer(java_type)
            pairs.append((java_type, by_hint if by_hint is not None and by_name is write_any else by_name))
        return cls._of(pairs)

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

    @classmethod
    def _of(cls, pairs: list[tuple[JavaType, Writer]]) -> Self:
        if any(java_type.name == "void" for java_type, _ in pairs):
            raise ValueError('"void" is no type of a parameter; a method without parameters has an empty list')
        return cls(
            "".join([java_type.descriptor for java_type, _ in pairs]),
            tuple([java_type.erased for java_type, _ in pairs]),
            tuple([writer for _, writer in pairs]),
        )


def _writer(java_type: JavaType) -> Writer:
    name = java_type.erased
    if name in _WRITERS:
        return _WRITERS[name]
    if name in PRIMITIVES:
        return _not_null(writer_of_name(name))
    if name in _MOMENTS:
        return _moment_writer(_MOMENTS[name])
    if java_type.arguments and not java_type.dimensions:
        return writer_of_hint(_hint(java_type)) or write_any
    return writer_of_name(name)


def _hint(java_type: JavaType) -> Any:
    """Say in Python's terms which values inside a collection have a forced type."""
    if java_type.dimensions:
        return Any
    inner = [_hint(argument) for argument in java_type.arguments]
    if java_type.name in _LISTS and len(inner) == 1:
        return list[inner[0]]  # type: ignore[valid-type]
    if java_type.name in _SETS and len(inner) == 1:
        return set[inner[0]]  # type: ignore[valid-type]
    if java_type.name in _MAPS and len(inner) == 2:
        return dict[inner[0], inner[1]]  # type: ignore[valid-type]
    return forced_type(java_type.name) or Any


def _write_string(e: Encoder, value: Any) -> None:
    if isinstance(value, str):
        e.out += encode_string(value)
    elif value is None:
        write_null(e, None)
    else:
        raise _misfit(value)


def _write_boolean(e: Encoder, value: Any) -> None:
    if not isinstance(value, bool):
        raise _misfit(value)
    write_bool(e, value)


def _write_boxed_boolean(e: Encoder, value: Any) -> None:
    if value is None:
        write_null(e, None)
    else:
        _write_boolean(e, value)


_write_any_int = writer_of_name("int")


def _write_int(e: Encoder, value: Any) -> None:
    if type(value) is int and -2048 <= value <= 2047:
        e.out += SHORT_INTS[value]
    elif value is None:
        raise _misfit(value)
    else:
        _write_any_int(e, value)


def _not_null(writer: Writer) -> Writer:
    def write(e: Encoder, value: Any) -> None:
        if value is None:
            raise _misfit(value)
        writer(e, value)

    return write


def _moment_writer(make: Callable[[dt.datetime], dt.datetime]) -> Writer:
    def write(e: Encoder, value: Any) -> None:
        is_plain = type(value) is dt.datetime
        write_any(e, make(value) if is_plain else value)

    return write


def _misfit(value: object) -> SerializationError:
    given = "None" if value is None else f"a Python {type(value).__name__}"
    return SerializationError(f"{given} does not fit", not_sent=True)


_WRITERS: dict[str, Writer] = {
    "java.lang.String": _write_string,
    "boolean": _write_boolean,
    "java.lang.Boolean": _write_boxed_boolean,
    "int": _write_int,
}


def _plain_int(value: Any) -> bytes | None:
    return SHORT_INTS[value] if type(value) is int and -2048 <= value <= 2047 else None


def _plain_boolean(value: Any) -> bytes | None:
    return b"T" if value is True else b"F" if value is False else None


_PLAIN: dict[str, PlainWriter] = {
    "java.lang.String": plain_string,
    "int": _plain_int,
    "boolean": _plain_boolean,
}
