"""Gathers all that is wrong in one source, so that it comes out in one error."""

from __future__ import annotations

import math

from ..errors import ConfigError, Problem
from .tree import Entry


class Report:
    """Problems of one source; not for use by several threads.

    Args:
        file: Name of the source in every problem and origin.
        most: So many problems are raised at once, without any that may follow.
    """

    def __init__(self, file: str, most: float = math.inf) -> None:
        self.file = file
        self._most = most
        self._problems: dict[Problem, None] = {}

    def add(self, text: str, *, line: int = 0, key: str = "", hint: str = "") -> None:
        """Note a problem; the same one twice counts once.

        Raises:
            ConfigError: As `close`, where there are as many as may be.
        """
        self._problems[Problem(file=self.file, line=line, key=key, text=text, hint=hint)] = None
        if len(self._problems) >= self._most:
            self.close()

    def at(self, entry: Entry, text: str, hint: str = "") -> None:
        """Note a problem of *entry*."""
        self.add(text, line=entry.line, key=entry.path, hint=hint)

    def origin(self, entry: Entry) -> str:
        """Say where *entry* was written: ``"conf/x.yml:14"``."""
        return f"{self.file}:{entry.line}" if entry.line else self.file

    def close(self) -> None:
        """Raise what was noted, by line.

        Raises:
            ConfigError: Something was.
        """
        if self._problems:
            raise ConfigError(sorted(self._problems, key=lambda problem: problem.line))
