"""Where a walk over a configuration stands, and the gathering of entries that both walks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ..errors import ConfigError
from ..values.quantity import Substituted
from .keys import FREE, NAMED, normalise, spelling_in, undotted
from .report import Report
from .scalar import PlaceholderError, expand
from .tree import BROKEN, Entry

# Kinds of mappings, by whose names their keys are.
SECTION: Final = "section"  # ours: every spelling of a key is that key
NAMES: Final = "names"  # the user's, over sections
TEXTS: Final = "texts"  # the user's, over texts

# Bounds the work that a few aliases of aliases can ask for.
MOST_VALUES = 100_000
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value stands, and what its keys are if it is a mapping."""

    line: int = 0
    path: str = ""
    kind: str = SECTION
    depth: int = 0

    def key(self, spelt: str) -> str:
        """Give the key under which *spelt* is kept here."""
        return normalise(undotted(spelt)) if self.kind == SECTION else spelt

    def under(self, spelt: str, line: int) -> Place:
        """Go to the value of the key *spelt*."""
        key = self.key(spelt)
        kind = self._inner() if self.kind != SECTION else NAMES if key in NAMED else TEXTS if key in FREE else SECTION
        return Place(line, f"{self.path}.{spelt}" if self.path else spelt, kind, self.depth + 1)

    def item(self, index: int, line: int) -> Place:
        """Go to the value at *index* of a list."""
        return Place(line, f"{self.path}[{index}]", self._inner(), self.depth + 1)

    def _inner(self) -> str:
        return TEXTS if self.kind == TEXTS else SECTION

    def skips(self, spelt: str) -> bool:
        """Tell whether *spelt* is a root key that only holds YAML anchors, as in Compose files."""
        return not self.path and spelt.startswith("x-")


class Gather:
    """What one walk over one source has met.

    Args:
        report: Takes what is wrong.
        expands: Placeholders are expanded; not in texts of others, whom our environment is no business of.
    """

    def __init__(self, report: Report, *, expands: bool = True) -> None:
        self.report = report
        self._expands = expands
        self._left = MOST_VALUES

    def spend(self, place: Place) -> None:
        """Count one value.

        Raises:
            ConfigError: One too many, or one too deep.
        """
        self._left -= 1
        if self._left < 0:
            self._stop(f"holds more than {MOST_VALUES} values", place)
        if place.depth > DEEPEST:
            self._stop(f"is nested deeper than {DEEPEST} levels", place)

    def _stop(self, text: str, place: Place) -> None:
        key = place.path if len(place.path) < 200 else f"{place.path[:200]}..."
        raise ConfigError.one(text, file=self.report.file, line=place.line, key=key)

    def keep(self, found: dict[str, Entry], key: str, entry: Entry) -> None:
        """Add *entry* to *found*, or note that *key* is there already."""
        if isinstance(entry.value, Substituted) and not entry.value:
            return  # a variable that is empty leaves the setting unset
        earlier = found.setdefault(key, entry)
        if earlier is not entry:
            where = f" on line {earlier.line}" if earlier.line else ""
            other = "" if earlier.path == entry.path else f" as {spelling_in(earlier.path, key)}"
            self.report.at(entry, f"is set already{where}{other}")

    def expanded(self, value: Any, place: Place) -> Any:
        """Expand the placeholders of *value*, if it is text; what cannot be expanded is noted and is `BROKEN`."""
        if not (self._expands and isinstance(value, str)):
            return value
        try:
            return expand(value)
        except PlaceholderError as error:
            return self.broken(str(error), place, error.hint)

    def broken(self, text: str, place: Place, hint: str = "") -> Any:
        """Note a problem and give what stands for the value."""
        self.report.add(text, line=place.line, key=place.path, hint=hint)
        return BROKEN
