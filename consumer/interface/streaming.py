"""What methods that stream cannot be asked for."""

from __future__ import annotations

from callahead.config.errors import Problem
from callahead.config.policy import MethodPolicy, key_of

# Attribute of MethodPolicy, and the only value that a streaming method can honour.
UNARY_ONLY = (("is_async", False), ("returns", True), ("sent", False))


def streaming_problems(default: MethodPolicy, method: MethodPolicy) -> list[Problem]:
    """List which settings of its own the streaming *method* cannot honour; *default* is the policy it inherits from."""
    return [
        method.problem(attribute, f'a streaming method cannot have "{key_of(attribute)}: {_yaml(value)}"', "remove it")
        for attribute, only in UNARY_ONLY
        if (value := getattr(method, attribute)) is not only and method.origin(attribute) != default.origin(attribute)
    ]


def _yaml(value: bool | str) -> str:
    return value if isinstance(value, str) else "true" if value else "false"
