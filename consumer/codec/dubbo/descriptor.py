"""Java type names as source code spells them, and the JVM descriptors by which a dubbo provider finds a method.

``java.util.List<java.lang.Long>[]`` is ``[Ljava/util/List;``: generics are erased. The classes of ``java.lang`` may be
written without their package, as in Java.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

PRIMITIVES: Final = {
    "boolean": "Z",
    "byte": "B",
    "char": "C",
    "double": "D",
    "float": "F",
    "int": "I",
    "long": "J",
    "short": "S",
    "void": "V",
}
_BOXED = {
    "boolean": "java.lang.Boolean",
    "byte": "java.lang.Byte",
    "char": "java.lang.Character",
    "double": "java.lang.Double",
    "float": "java.lang.Float",
    "int": "java.lang.Integer",
    "long": "java.lang.Long",
    "short": "java.lang.Short",
}
_BY_LETTER = {letter: name for name, letter in PRIMITIVES.items()}
# fmt: off
_JAVA_LANG = (
    "Boolean", "Byte", "Character", "CharSequence", "Class", "Double", "Enum", "Exception", "Float", "Integer",
    "Iterable", "Long", "Number", "Object", "Short", "String", "Throwable",
)
# fmt: on
_WELL_KNOWN = {
    **{name: f"java.lang.{name}" for name in _JAVA_LANG},
    **{name: f"java.util.{name}" for name in ("ArrayList", "Collection", "Date", "HashMap", "List", "Map", "Set")},
    **{name: f"java.math.{name}" for name in ("BigDecimal", "BigInteger")},
}
_TOKEN = re.compile(r"\s*(?:([^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*)|(\?\s*(?:extends|super)?)|(\[\s*\]|\.\.\.)|([<>,]))")
_DESCRIPTOR = re.compile(r"(\[*)(?:([ZBCDFIJS])|L([^\W\d][\w$]*(?:/[^\W\d][\w$]*)*);)")


@dataclass(frozen=True, slots=True)
class JavaType:
    """A type name, taken apart.

    Attributes:
        name: Of the class or primitive, without arguments and brackets.
        arguments: What stands between ``<`` and ``>``.
        dimensions: How often ``[]`` follows.
    """

    name: str
    arguments: tuple[JavaType, ...] = ()
    dimensions: int = 0

    @property
    def erased(self) -> str:
        """The name with its brackets and without its arguments: ``java.util.List[]``."""
        return self.name + "[]" * self.dimensions

    @property
    def descriptor(self) -> str:
        """As the JVM spells it: ``[Ljava/util/List;``."""
        letter = PRIMITIVES.get(self.name)
        return "[" * self.dimensions + (letter if letter is not None else f"L{self.name.replace('.', '/')};")

    @property
    def boxed(self) -> JavaType:
        """The class that stands for a primitive where null may come, as in a collection; other types as they are."""
        return JavaType(_BOXED[self.name]) if self.erased in _BOXED else self

    @property
    def class_name(self) -> str:
        """As ``Class.getName()`` gives it, with dots in a descriptor for arrays alone: ``[Ljava.util.List;``."""
        return self.descriptor.replace("/", ".") if self.dimensions else self.name


@lru_cache(maxsize=1024)
def parse_type(text: str) -> JavaType:
    """Take a Java type name apart.

    Raises:
        ValueError: It is none; the message says where, or which name was meant.
    """
    tokens = list(_tokens(text))
    try:
        found, end = _parse(text, tokens, 0)
    except RecursionError:
        raise _misspelt(text[:200]) from None
    if end != len(tokens):
        raise _misspelt(text)
    return found


def types_of_descriptor(text: str) -> tuple[JavaType, ...]:
    """Give the types that the descriptor of a parameter list stands for.

    Raises:
        ValueError: It is none.
    """
    types: list[JavaType] = []
    at = 0
    while at < len(text):
        match = _DESCRIPTOR.match(text, at)
        if match is None:
            raise ValueError(f"{text[:200]!r} is no JVM descriptor from character {at} on")
        types.append(_type(match))
        at = match.end()
    return tuple(types)


def type_of_class_name(text: str) -> str:
    """Give the Java type name of what ``Class.getName()`` gave: ``[I`` is ``int[]``, other names are themselves."""
    match = _DESCRIPTOR.fullmatch(text.replace(".", "/")) if text.startswith("[") else None
    return text if match is None else _type(match).erased


def _type(match: re.Match[str]) -> JavaType:
    brackets, letter, name = match.groups()
    return JavaType(_BY_LETTER[letter] if letter else name.replace("/", "."), (), len(brackets))


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _misspelt(text)
        name, wildcard, brackets, mark = match.groups()
        yield name or ("[]" if brackets else "?" + wildcard[1:].strip() if wildcard else mark)
        at = match.end()


def _parse(text: str, tokens: list[str], at: int) -> tuple[JavaType, int]:
    """Parse one type from a token on; give it and the number of the token after it."""
    first = tokens[at] if at < len(tokens) else ""
    if first.startswith("?"):
        if first == "?extends":
            return _parse(text, tokens, at + 1)
        return JavaType("java.lang.Object"), at + (2 if first == "?super" else 1)
    if first in ("", "[]", "<", ">", ","):
        raise _misspelt(text)
    name = _full_name(text, first)
    arguments: list[JavaType] = []
    at += 1
    if tokens[at : at + 1] == ["<"]:
        while tokens[at : at + 1] != [">"]:
            argument, at = _parse(text, tokens, at + 1)
            arguments.append(argument)
            if tokens[at : at + 1] not in ([","], [">"]):
                raise _misspelt(text)
        at += 1
    dimensions = 0
    while tokens[at : at + 1] == ["[]"]:
        dimensions, at = dimensions + 1, at + 1
    return JavaType(name, tuple(arguments), dimensions), at


def _full_name(text: str, name: str) -> str:
    if "." in name or name in PRIMITIVES:
        return name
    known = _WELL_KNOWN.get(name)
    if known is not None and known.startswith("java.lang."):
        return known
    hint = f'; write "{known}"' if known is not None else "; write the package before it, or a primitive such as int"
    raise ValueError(f'the Java type "{text}": "{name}" is not the full name of a class{hint}')


def _misspelt(text: str) -> ValueError:
    return ValueError(
        f'"{text}" is no Java type; write such as int, java.lang.String, com.alibaba.foo.Foo[] or '
        "java.util.List<java.lang.Long>"
    )
