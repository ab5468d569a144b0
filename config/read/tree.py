"""A configuration as it was written: plain values, each with its line and its path in the user's spelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final


class Broken:
    """Stands where a value was written that cannot be known; the reason is reported already."""


BROKEN: Final = Broken()


@dataclass(frozen=True, slots=True)
class Entry:
    """One value and where it stands.

    Attributes:
        value: A scalar, `BROKEN`, a list of entries, or a dict of entries by normalised key.
        line: 1-based line of the key, or of the value where it has no key; 0 where no line is known.
        path: Dotted path from the root, as the user spells it.
    """

    value: Any
    line: int = 0
    path: str = ""

    @property
    def section(self) -> dict[str, Entry]:
        """The entries by key; empty where the value is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """Copy of the values alone."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def spelt(self) -> Any:
        """Copy of the values alone, with keys as the user spells them."""
        if isinstance(self.value, dict):
            start = len(self.path) + 1
            return {entry.path[start:]: entry.spelt() for entry in self.value.values()}
        if isinstance(self.value, list):
            return [entry.spelt() for entry in self.value]
        return self.value

    def find(self, location: Sequence[str | int]) -> Entry:
        """Walk down *location* as far as it exists."""
        found = self
        for step in location:
            inner = found._child(step)
            if inner is None:
                break
            found = inner
        return found

    def _child(self, step: str | int) -> Entry | None:
        if isinstance(self.value, list) and isinstance(step, int):
            return self.value[step] if step < len(self.value) else None
        return self.section.get(step) if isinstance(step, str) else None

    def get(self, *keys: str) -> Entry | None:
        """Entry at exactly *keys*, or None."""
        found = self
        for key in keys:
            if key not in found.section:
                return None
            found = found.section[key]
        return found
