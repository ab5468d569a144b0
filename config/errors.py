"""The root of every callahead error, and what is wrong with a configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What stands for the file where there is none.
IN_CODE = "<mapping>"


class CallaheadError(Exception):
    """Root of every exception that callahead raises on its own account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a configuration.

    Attributes:
        file: Path as the user gave it, or ``"<mapping>"`` for a configuration made in code.
        line: 1-based line in *file*; 0 where no line is known.
        key: Dotted path from the root, in the user's own spelling, such as ``references.foo.methods.find.asinc``.
        text: What is wrong, without a full stop.
        hint: What to do, such as ``did you mean "async"?``; empty where there is nothing to say.
    """

    file: str
    line: int
    key: str
    text: str
    hint: str = ""

    @classmethod
    def at(cls, origin: str, key: str, text: str, hint: str = "") -> Problem:
        """Make a problem at *origin*: ``file:line``, a word such as ``built-in``, or "" for a setting made in code."""
        file, _, line = origin.rpartition(":")
        if file and line.isdecimal():
            return cls(file=file, line=int(line), key=key, text=text, hint=hint)
        return cls(file=origin or IN_CODE, line=0, key=key, text=text, hint=hint)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{key} {self.text}{hint}"


class ConfigError(CallaheadError, ValueError):
    """A configuration that cannot be obeyed; nothing was started from it.

    Attributes:
        problems: All that is wrong, in the order of their lines; never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)

    @classmethod
    def one(cls, text: str, *, file: str = IN_CODE, line: int = 0, key: str = "", hint: str = "") -> ConfigError:
        """Make an error of a single problem; the arguments are those of `Problem`."""
        return cls([Problem(file=file, line=line, key=key, text=text, hint=hint)])

    @classmethod
    def at(cls, origin: str, key: str, text: str, hint: str = "") -> ConfigError:
        """Make an error of a single problem; the arguments are those of `Problem.at`."""
        return cls([Problem.at(origin, key, text, hint)])
