"""Names of methods, in whichever spelling callers use: ``findFoo``, ``FindFoo`` and ``find_foo`` are one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from callahead.config.extension import nearest

# Between a small letter and a large one, and before the last large one of several.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Named = TypeVar("Named")


def folded(name: str) -> str:
    """Reduce *name* to what ``findFoo``, ``FindFoo`` and ``find_foo`` have in common."""
    return name.replace("_", "").lower()


def snake_case(name: str) -> str:
    """Spell *name* as Python does: ``findFoo`` becomes ``find_foo``, and ``getURLOf`` ``get_url_of``."""
    return _HUMP.sub("_", name).lower()


class Spellings(Generic[Named]):
    """Looks things up by their own name or, where only one fits, by any mix of case and underscores."""

    __slots__ = ("_by_folded", "_named")

    def __init__(self, named: Mapping[str, Named]) -> None:
        self._named = named
        self._by_folded: dict[str, Named | None] = {}
        for name, one in named.items():
            self._by_folded[folded(name)] = None if folded(name) in self._by_folded else one

    def find(self, name: str) -> Named | None:
        """Return what *name* means; None where nothing fits, or two things do."""
        exact = self._named.get(name)
        return exact if exact is not None else self._by_folded.get(folded(name))

    def knows(self, name: str) -> bool:
        """Tell whether *name* is a spelling of anything, be it of more than one."""
        return folded(name) in self._by_folded

    def nearest(self, name: str) -> str:
        """Phrase a hint for a *name* that `find` does not find: the nearest one, else all of them."""
        same = [known for known in self._named if folded(known) == folded(name)]
        return f"one of: {', '.join(same)}" if same else nearest(name, self._named)
