"""The settings that one call may override."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .errors import ConfigError, Problem
from .policy import CALL, LAZY, MethodPolicy
from .values.quantity import Unfit, count, duration_ms, flag, flag_or, show


def _attachments(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(text, str | bytes) for name, text in value.items()
    ):
        raise Unfit(f"must be a mapping of text to text or bytes, not {show(value)}")
    return dict(value)


# Option, attribute of MethodPolicy, and how its value is read. "async" is a keyword of Python.
_OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "timeout": ("timeout_ms", duration_ms(1)),
    "total_timeout": ("total_timeout_ms", duration_ms(1)),
    "retries": ("retries", count(0, 1000)),
    "idempotent": ("idempotent", flag),
    "attachments": ("attachments", _attachments),
    "async_": ("is_async", flag_or(LAZY)),
}

# No settings, and so not read here.
_OF_THE_END = ("handler", "caller_context", "listener")


def override(policy: MethodPolicy, options: Mapping[str, Any]) -> MethodPolicy:
    """Apply the *options* of one call to *policy*.

    Args:
        policy: What the configuration says.
        options: ``timeout`` and ``total_timeout`` as in YAML, ``retries``, ``idempotent``, ``async_``, and
            ``attachments``, which join the configured ones and go before those of the context.

    Raises:
        TypeError: An option is unknown.
        ConfigError: Values are out of range; all of them are named.
    """
    unknown = sorted(options.keys() - _OPTIONS.keys())
    if unknown:
        raise TypeError(f"unknown option {', '.join(unknown)}; known: {', '.join((*_OPTIONS, *_OF_THE_END))}")
    values = _values(policy, options)
    own = values.get("attachments")
    if own is not None:
        values["attachments"] = MappingProxyType({**policy.attachments, **own})
        values["call_attachments"] = MappingProxyType({**policy.call_attachments, **own})
    return policy.override(**values)


def _values(policy: MethodPolicy, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read *options*, by attribute; all that is wrong with them comes at once."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in options.items():
        attribute, read = _OPTIONS[name]
        try:
            values[attribute] = read(value)
        except Unfit as error:
            problems.append(_problem(policy, name, str(error), error.hint))
    if values.get("is_async") == LAZY and not policy.returns:
        hint = f"return is false, {policy.origin('returns')}"
        problems.append(_problem(policy, "async_", "there is no answer to be lazy about", hint))
    if problems:
        raise ConfigError(problems)
    return values


def _problem(policy: MethodPolicy, option: str, text: str, hint: str) -> Problem:
    key = f"{policy.reference}.{policy.method}.with_options({option}=...)"
    return Problem(file=CALL, line=0, key=key, text=text, hint=hint)
