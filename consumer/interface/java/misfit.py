"""A value that does not fit the declared Java type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Convert = Callable[[Any], Any]
"""Gives what hessian2 must encode; raises `Misfit`."""


class Misfit(Exception):
    """What was expected and what came instead; the values themselves are named only where they are numbers.

    Attributes:
        text: Such as ``expected a Java int, got str``.
        hint: What to do; "" where that is plain.
        path: Where inside the argument, outermost first: ``item 3``.
    """

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.path: list[str] = []

    @property
    def reason(self) -> str:
        """The whole text, after the parameter's name."""
        return f"{self.text}; {self.hint}" if self.hint else self.text


def expected(java: object, value: Any, hint: str = "") -> Misfit:
    """Make the error of a *value* of a wrong type."""
    return Misfit(f"expected a Java {java}, got {kind(value)}", hint)


def kind(value: Any) -> str:
    """Name the type of a value."""
    cls = type(value)
    if value is None:
        return "None"
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def shown(value: int) -> str:
    """Name a number; Python refuses to print those of thousands of digits."""
    return f"int {int(value)}" if value.bit_length() <= 128 else f"an int of {value.bit_length()} bits"


def convert_all(convert: Convert, values: Iterable[Any], what: str = "item") -> list[Any]:
    """Convert each of *values*, which can be iterated twice; the error says which one does not fit, from 1."""
    try:
        return [convert(value) for value in values]
    except Misfit:
        pass
    for number, value in enumerate(values, 1):
        try:
            convert(value)
        except Misfit as misfit:
            misfit.path.insert(0, f"{what} {number}")
            raise
    raise AssertionError("a conversion depends on more than its value")
