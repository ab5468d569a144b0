"""The texts of rules, each read once however many references obey it: to read a large one takes seconds."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from pydantic import BaseModel

from callahead.config.errors import ConfigError, Problem
from callahead.config.rules import ReadRule, read_rule

_READ: WeakValueDictionary[tuple[type[BaseModel], str, str], Reading] = WeakValueDictionary()


class Reading:
    """What one text was found to be, or why it is no rule; while somebody holds this, nobody reads the text again.

    The arguments are those of `read_rule`.
    """

    def __init__(self, model: type[BaseModel], text: str, source: str, documents: str) -> None:
        self._read: ReadRule[Any] | None = None
        self._problems: tuple[Problem, ...] = ()
        try:
            self._read = read_rule(model, text, source, documents=documents)
        except ConfigError as error:
            self._problems = error.problems

    def result(self) -> ReadRule[Any]:
        """Give what it is.

        Raises:
            ConfigError: It is no rule; all problems are in it.
        """
        if self._read is None:
            raise ConfigError(self._problems)
        return self._read


def reading_of(model: type[BaseModel], text: str, source: str, documents: str = "") -> Reading:
    """Read *text*, unless somebody holds what was read of it. Any thread; of two at the same time both may read it."""
    key = (model, text, source)
    reading = _READ.get(key)
    if reading is None:
        reading = _READ[key] = Reading(model, text, source, documents)
    return reading
