"""What a configuration asks of the methods that it names, and whether they are there and can do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from callahead.config.errors import Problem
from callahead.config.policy import MethodPolicy, ReferencePolicy, key_of

# Attribute of MethodPolicy, and the only value that a streaming method can honour.
UNARY_ONLY = (("is_async", False), ("returns", True), ("sent", False))


class Named(NamedTuple):
    """A method that was found by a name.

    Attributes:
        name: As the interface spells it.
        is_streaming: Its answers are a stream.
    """

    name: str
    is_streaming: bool


def method_problems(policy: ReferencePolicy, find: Callable[[str], Named]) -> list[Problem]:
    """List what is wrong with the methods that *policy* names.

    Args:
        policy: Of the reference.
        find: Gives the method of a name, or raises `LookupError` with what is wrong and, if it knows, what to do.
    """
    problems: list[Problem] = []
    named: dict[str, str] = {}
    for name, method in policy.methods.items():
        try:
            found = find(name)
        except LookupError as error:
            problems.append(method.problem("method", *map(str, error.args)))
            continue
        if found.name in named:
            text = f'"{name}" and "{named[found.name]}" are one method, "{found.name}"'
            problems.append(method.problem("method", text, "keep one of them"))
        named[found.name] = name
        if found.is_streaming:
            problems += streaming_problems(policy.default, method)
    return problems


def streaming_problems(default: MethodPolicy, method: MethodPolicy) -> list[Problem]:
    """List which settings of its own the streaming *method* cannot honour; *default* is the policy it inherits from."""
    return [
        method.problem(attribute, f'a streaming method cannot have "{key_of(attribute)}: {_yaml(value)}"', "remove it")
        for attribute, only in UNARY_ONLY
        if (value := getattr(method, attribute)) is not only and method.origin(attribute) != default.origin(attribute)
    ]


def _yaml(value: bool | str) -> str:
    return value if isinstance(value, str) else "true" if value else "false"
