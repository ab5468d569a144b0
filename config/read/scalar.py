"""What type a plain YAML scalar has, and text that came from the environment.

Differs from YAML 1.1 where that surprises: ``12:30`` and ``010`` and ``2024-01-31`` are text, not 750, 8 and a date.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from ..values.quantity import Substituted

_PREFIX = "tag:yaml.org,2002:"
NULL: Final = f"{_PREFIX}null"
BOOL: Final = f"{_PREFIX}bool"
INT: Final = f"{_PREFIX}int"
FLOAT: Final = f"{_PREFIX}float"
TEXT: Final = f"{_PREFIX}str"
MERGE: Final = f"{_PREFIX}merge"

_KEPT = {NULL, BOOL, MERGE}
# At most 18 digits: a longer number fits no setting, and stays text that the setting refuses.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17}|[1-9][0-9]{0,2}(?:_[0-9]{3}){1,5})\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{0,18}\.[0-9]{1,18}|[0-9]{1,18}\.|[0-9]{1,18}(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?\Z")
_PLACEHOLDER = re.compile(r"\$(?P<escape>\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>[^{}]*))?\})?")


class Composer(yaml.SafeLoader):
    """Turns text into YAML nodes; nothing is constructed."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own declaration
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Composer.add_implicit_resolver(INT, _INT, list("-+0123456789"))
Composer.add_implicit_resolver(FLOAT, _FLOAT, list("-+.0123456789"))


def _quick_composer() -> type[Any] | None:
    """Make a `Composer` over libyaml's parser; None where PyYAML comes without."""
    if not yaml.__with_libyaml__:
        return None

    class Quick(yaml.composer.Composer, yaml.CSafeLoader):  # the composer stays Python's
        yaml_implicit_resolvers = Composer.yaml_implicit_resolvers

        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)

    return Quick


QuickComposer: Final = _quick_composer()


def of_tag(tag: str, text: str) -> Any:
    """Make the value of a scalar.

    Raises:
        ValueError: *text* is not what *tag* promises.
        LookupError: *tag* is none of the core types.
    """
    match tag:
        case "tag:yaml.org,2002:null":
            return None
        case "tag:yaml.org,2002:bool":
            return _truth(text)
        case "tag:yaml.org,2002:int":
            return int(text)
        case "tag:yaml.org,2002:float":
            return float(text)
        case "tag:yaml.org,2002:str":
            return text
    raise LookupError(tag)


def _truth(text: str) -> bool:
    value = Composer.bool_values.get(text.lower())
    if value is None:
        raise ValueError(text)
    return bool(value)


def typed(text: str) -> Any:
    """Type *text* as YAML types a plain scalar."""
    patterns = Composer.yaml_implicit_resolvers.get(text[:1], ())
    return of_tag(next((tag for tag, pattern in patterns if pattern.match(text)), TEXT), text)


class PlaceholderError(ValueError):
    """A ``${...}`` that cannot be expanded; the message says why, `hint` what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def expand(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Replace each ``${VAR}`` and ``${VAR:default}`` by the variable's value; ``$${`` becomes ``${``.

    What a variable holds is not expanded again.

    Returns:
        Plain text, or `Substituted` where *text* is one placeholder and nothing else.

    Raises:
        PlaceholderError: A variable is not set and has no default, or a ``${`` is no placeholder.
    """
    if "${" not in text:
        return text
    expanded = _PLACEHOLDER.sub(lambda match: _value(match, environ), text)
    whole = _PLACEHOLDER.fullmatch(text)
    if whole is None or whole["escape"]:
        return expanded
    result = Substituted(expanded)
    result.typed = typed(expanded)
    return result


def _value(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["escape"]:
        return "${"
    name = match["name"]
    if name is None:
        raise PlaceholderError(
            "holds a ${ that is no placeholder", "write ${VAR} or ${VAR:default}, or $${ for the two characters"
        )
    value = environ.get(name, match["default"])
    if value is None:
        raise PlaceholderError(f"environment variable {name} is not set", f"set it, or write ${{{name}:default}}")
    return value
