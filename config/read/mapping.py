"""From a mapping made in code to the tree that YAML text would have become."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .place import Gather, Place
from .report import Report
from .tree import Entry


def from_mapping(mapping: Any, report: Report) -> Entry:
    """Make the tree of *mapping*; a value of None is not set, a path is its text.

    Raises:
        ConfigError: It is nested too deeply, or holds itself.
    """
    return _MappingWalk(report).entry(mapping, Place())


class _MappingWalk(Gather):
    def entry(self, value: Any, place: Place) -> Entry:
        self.spend(place)
        if isinstance(value, Mapping):
            return Entry(self._mapping(value, place), 0, place.path)
        if isinstance(value, list | tuple):
            return Entry([self.entry(item, place.item(i, 0)) for i, item in enumerate(value)], 0, place.path)
        plain = os.fspath(value) if isinstance(value, os.PathLike) else value
        return Entry(self.expanded(plain, place), 0, place.path)

    def _mapping(self, mapping: Mapping[Any, Any], place: Place) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for spelt, value in mapping.items():
            if not isinstance(spelt, str):
                self.broken(f"a key must be text, not {type(spelt).__name__}", place)
            elif value is not None and not place.skips(spelt):
                self.keep(found, place.key(spelt), self.entry(value, place.under(spelt, 0)))
        return found
