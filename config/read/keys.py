"""Spellings of a key: snake_case, kebab-case, camelCase and dots are one. And which keys are the user's own names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# The keys of these mappings are names that the user made up; what lies under them is sections again.
NAMED = frozenset({"methods", "reference", "references", "registries"})
# Here keys are the user's own and every value is text.
FREE = frozenset({"mock", "parameters"})

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def normalise(key: str) -> str:
    """Spell *key* in snake_case, the spelling inside."""
    return _HUMP.sub("_", key).replace("-", "_").lower()


def undotted(key: str) -> str:
    """Take out of *key* the dots that some of Dubbo's keys have, such as ``hash.nodes``."""
    return key.replace(".", "_")


def dotted(key: str) -> str:
    """Spell the snake_case *key* with dots."""
    return key.replace("_", ".")


def kebab(key: str) -> str:
    """Spell the snake_case *key* in kebab-case."""
    return key.replace("_", "-")


def camel(key: str) -> str:
    """Spell the snake_case *key* in camelCase."""
    head, *tail = key.split("_")
    return head + "".join(map(str.capitalize, tail))


def spelling_in(path: str, key: str) -> str:
    """Give the end of *path* that spells the snake_case *key*, which may have dots in it."""
    parts = path.split(".")
    ends = (".".join(parts[start:]) for start in reversed(range(len(parts))))
    return next((end for end in ends if normalise(undotted(end)) == key), parts[-1])


def respell(key: str, like: str) -> str:
    """Spell the snake_case *key* the way *like* is spelt."""
    if "." in like:
        return dotted(key)
    if "-" in like:
        return kebab(key)
    return camel(key) if like != like.lower() else key


def similar(key: str, keys: Iterable[str]) -> str | None:
    """Find the one of *keys* that *key*, in any spelling, was probably meant to be."""
    near = difflib.get_close_matches(normalise(key), sorted(keys), n=1)
    return near[0] if near else None
