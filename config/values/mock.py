"""The text of ``mock``: when a call is answered on this side, and with what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .quantity import Unfit, show, written_value
from .text import is_object_path, text

FORCE, FAIL = "force", "fail"
EMPTY = object()
"""Stands for a value of the method's own type that has nothing in it."""

_FORM = "write force: or fail:, and return null, return empty, return JSON, call METHOD, or package.module:function"


@dataclass(frozen=True, slots=True)
class MockRule:
    """One rule.

    Attributes:
        when: ``force`` for every call, ``fail`` for each that failed otherwise than by the method itself, or the name
            of a class of errors.
        kind: What is done: ``return`` *value*, ``call`` the method *value* of the same reference, or the ``function``
            *value* (``package.module:function``), with the arguments of the call.
        value: See there; `EMPTY` among others.
    """

    when: str
    kind: Literal["return", "call", "function"]
    value: Any


def mock(value: Any) -> tuple[str, ...]:
    """Convert what YAML gave: one text, or a mapping from classes of errors to actions; raises `Unfit`."""
    written = written_value(value)
    if isinstance(written, Mapping):
        rules = [f"{name}:{text(action)}" for name, action in written.items()]
    else:
        rules = [text(value)]
    for rule in rules:
        parse_mock(rule)
    if not rules:
        raise Unfit("has no rule", _FORM)
    return tuple(rules)


def parse_mock(written: str) -> MockRule:
    """Read one rule, such as ``fail:return null``; without a condition it is ``fail``. Raises `Unfit`."""
    head, colon, rest = written.partition(":")
    head = head.strip()
    if colon and (head in (FORCE, FAIL) or _is_class(head)):
        return _action(head, rest.strip(), written)
    return _action(FAIL, written.strip(), written)


def _is_class(name: str) -> bool:
    return name.isidentifier() and name[0].isupper()


def _action(when: str, action: str, written: str) -> MockRule:
    verb, _, rest = action.partition(" ")
    if verb == "return":
        return MockRule(when, "return", _value(rest.strip()))
    if verb == "call" and rest.strip().isidentifier():
        return MockRule(when, "call", rest.strip())
    if is_object_path(action):
        return MockRule(when, "function", action)
    if verb == "throw":
        raise Unfit(f"{show(written)}: throw is not supported", "name a function that raises")
    raise Unfit(f"{show(written)} is no rule", _FORM)


def _value(written: str) -> Any:
    if written in ("", "null"):
        return None
    if written == "empty":
        return EMPTY
    try:
        return json.loads(written)
    except ValueError:
        raise Unfit(f"{show(written)} is not JSON", 'text stands in quotes: return "none"') from None
