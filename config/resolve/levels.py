"""Precedence: of the levels that set a value, the most specific one wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..check.models import CallModel, ConsumerModel, MethodModel, NestedModel, ReferenceModel, yaml_keys
from ..read.report import Report
from ..read.tree import Entry

_KEYS = {**yaml_keys(MethodModel), **yaml_keys(ReferenceModel), **yaml_keys(ConsumerModel)}


@dataclass(frozen=True, slots=True)
class Level:
    """What one section sets, and where it says so."""

    model: CallModel
    entry: Entry

    def value(self, attribute: str) -> Any:
        """Value of *attribute*, None where this level does not set it."""
        return getattr(self.model, attribute, None)

    def written(self, attribute: str) -> Entry | None:
        """Where *attribute* is set, right or wrong, or None where it is not."""
        return self.entry.get(_KEYS[attribute])

    @property
    def section(self) -> str:
        """Which section of a configuration it is: ``consumer``, ``reference`` or ``method``."""
        kinds = {ConsumerModel: "consumer", ReferenceModel: "reference"}
        return kinds.get(type(self.model), "method")

    def place(self, attribute: str) -> Entry:
        """Where to point for *attribute*: at its own entry, or at the whole section."""
        written = self.written(attribute)
        return self.entry if written is None else written


@dataclass(slots=True)
class Chosen:
    """Effective values by attribute, and the origin of each; an attribute that no level sets is in neither."""

    values: dict[str, Any]
    origins: dict[str, str]

    def set(self, attribute: str, value: Any, origin: str) -> None:
        """Add one."""
        self.values[attribute] = value
        self.origins[attribute] = origin

    def join(self, other: Chosen) -> Chosen:
        """Make one of both."""
        return Chosen({**self.values, **other.values}, {**self.origins, **other.origins})


def setter(levels: Sequence[Level], attribute: str) -> Level | None:
    """Find which of *levels*, most specific first, sets *attribute*."""
    return next((level for level in levels if level.value(attribute) is not None), None)


def choose(attributes: Iterable[str], levels: Sequence[Level], report: Report) -> Chosen:
    """Take each of *attributes* from the first of *levels*, most specific first, that sets it."""
    chosen = Chosen({}, {})
    for attribute in attributes:
        level = setter(levels, attribute)
        if level is not None:
            value = level.value(attribute)
            made = value.policy() if isinstance(value, NestedModel) else value
            chosen.set(attribute, made, report.origin(level.place(attribute)))
    return chosen
