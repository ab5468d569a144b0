"""One overload of a Java method, with everything that a call of it needs made beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ...codec.dubbo import ECHO, INVOKE, INVOKE_ATTACHMENTS, JavaType, Signature
from .answer import answer_converter
from .convert import converter
from .declared import parse
from .misfit import Convert, Misfit


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaSignature:
    """The parameters of a Java method and what it returns.

    Attributes:
        wire_method: Name by which the provider is asked; ``$invoke`` in a generic call.
        types: Declared types of the parameters, with their type arguments.
        parameter_names: As the stub spells them; empty where they are not known.
        defaults: Of parameters that the caller may leave out, by name.
        return_type: The evaluated annotation that answers are converted to, or None.
        attachments: Sent with each call of this signature.
        parameter_types: Java names without type arguments: ``int``, ``java.util.List``, ``com.x.Foo[]``.
        descriptor: Those as the JVM spells them, joined: ``ILjava/util/List;[Lcom/x/Foo;``.
        converters: One for each parameter.
        answer: Conversion of answers, None where they stay as they are.
        wire: How the converted arguments are written.
    """

    wire_method: str
    types: tuple[JavaType, ...]
    parameter_names: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=_nothing, compare=False, repr=False)
    return_type: Any | None = field(default=None, compare=False)
    attachments: Mapping[str, str] = field(default_factory=_nothing, compare=False, repr=False)
    parameter_types: tuple[str, ...] = field(init=False, repr=False)
    descriptor: str = field(init=False, repr=False)
    converters: tuple[Convert, ...] = field(init=False, compare=False, repr=False)
    answer: Convert | None = field(init=False, compare=False, repr=False)
    wire: Signature = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        wire = Signature.of(self.types)
        made: dict[str, Any] = {
            "parameter_types": wire.types,
            "descriptor": wire.descriptor,
            "converters": tuple(map(converter, self.types)),
            "answer": answer_converter(self.return_type),
            "wire": wire,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_names(cls, method: str, names: Sequence[str]) -> JavaSignature:
        """Make one of Java type names.

        Raises:
            ValueError: One of them is none.
        """
        return cls(wire_method=method, types=tuple(map(parse, names)))

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        """Put arguments into the order of the parameters, with defaults for those that are missing.

        Raises:
            Misfit: They are too many or too few, or a keyword fits no parameter.
        """
        if len(args) == len(self.types) and not kwargs:
            return args
        if len(args) > len(self.types):
            raise self._wrong_count(len(args) + len(kwargs))
        if not self.parameter_names:
            if kwargs:
                raise Misfit(
                    f"{self} takes no keywords, for the names of its parameters are not known",
                    "give the arguments by position, or declare them in a stub",
                )
            raise self._wrong_count(len(args))
        return self._bind_names(args, kwargs)

    def _bind_names(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        names = self.parameter_names
        unknown = [name for name in kwargs if name not in names]
        if unknown:
            raise Misfit(f'{self} has no parameter "{unknown[0]}"')
        twice = [name for name in names[: len(args)] if name in kwargs]
        if twice:
            raise Misfit(f'{self} got "{twice[0]}" by position and by keyword')
        given = {**self.defaults, **dict(zip(names, args, strict=False)), **kwargs}
        missing = [name for name in names if name not in given]
        if missing:
            raise self._wrong_count(len(args) + len(kwargs), f'"{missing[0]}" is missing')
        return [given[name] for name in names]

    def _wrong_count(self, given: int, hint: str = "") -> Misfit:
        count = len(self.types)
        takes = f"{count} argument{'' if count == 1 else 's'}"
        return Misfit(f"{self} takes {takes}, got {given}", hint)

    def convert(self, values: Sequence[Any]) -> list[Any]:
        """Convert bound values, naming the parameter that one does not fit.

        Raises:
            Misfit: A value is none of the declared type.
        """
        made = []
        for number, (convert, value) in enumerate(zip(self.converters, values, strict=True), 1):
            try:
                made.append(convert(value))
            except Misfit as misfit:
                name = f" ({self.parameter_names[number - 1]})" if self.parameter_names else ""
                where = ", ".join([f"parameter {number}{name}", *misfit.path])
                raise Misfit(f"{self}, {where}: {misfit.text}", misfit.hint) from None
        return made

    def __str__(self) -> str:
        named = zip(self.parameter_types, self.parameter_names, strict=True) if self.parameter_names else ()
        shown = [f"{java} {name}" for java, name in named] or self.parameter_types
        return f"{self.wire_method}({', '.join(shown)})"


def convert_answer(signature: JavaSignature, value: Any) -> Any:
    """Convert an answer to the return annotation of the stub, where that is safe; see `answer_converter`."""
    convert = signature.answer
    return value if convert is None else convert(value)


ECHO_SIGNATURE = JavaSignature.of_names(ECHO, ["java.lang.Object"])
INVOKE_SIGNATURE = JavaSignature(
    wire_method=INVOKE,
    types=tuple(map(parse, ("java.lang.String", "java.lang.String[]", "java.lang.Object[]"))),
    attachments=INVOKE_ATTACHMENTS,
)
