"""Rules that registries keep: texts of others, read with bounds and without their saying anything of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

from .check.rule import rule_of
from .errors import ConfigError
from .read.loader import parse_of_others
from .read.report import Report
from .read.tree import Entry

M = TypeVar("M", bound=BaseModel)

MOST_CHARACTERS: Final = 1024 * 1024
# A rule with more is none; nobody reads them all.
_MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class ReadRule(Generic[M]):
    """A rule, and what its author wrote beside what is known.

    Attributes:
        rule: The model.
        entry: What it was made of, with lines.
        passed_over: Paths of keys that are not known here, such as those of newer versions of Dubbo.
    """

    rule: M
    entry: Entry
    passed_over: tuple[str, ...]


def read_rule(model: type[M], text: str, source: str, *, documents: str = "") -> ReadRule[M]:
    """Read the rule that *text* is, YAML of at most `MOST_CHARACTERS`, in which ``${...}`` stands for itself.

    Args:
        model: Of its kind.
        text: As the registry has it.
        source: What errors name in place of a file.
        documents: Field of the model that takes the documents of a text which may have several; "" where it has one.

    Raises:
        ConfigError: It is none; all problems are in it.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError.one(f"has {len(text)} characters, more than the {MOST_CHARACTERS} of a rule", file=source)
    report = Report(source, _MOST_PROBLEMS)
    parsed = parse_of_others(text, report)
    entry = Entry({documents: Entry(parsed)}) if documents else _single(parsed, source)
    passed_over: list[str] = []
    rule = rule_of(model, entry, report, passed_over)
    report.close()
    assert rule is not None
    return ReadRule(rule, entry, tuple(passed_over))


def _single(parsed: Sequence[Entry], source: str) -> Entry:
    if len(parsed) > 1:
        raise ConfigError.one("a second document begins here, one is expected", file=source, line=parsed[1].line)
    return parsed[0]


def rule_at(model: type[M], entry: Entry, source: str) -> M:
    """Make the rule of what stands at *entry*, which is no YAML; else as `read_rule`.

    Raises:
        ConfigError: It is none; all problems are in it.
    """
    report = Report(source)
    rule = rule_of(model, entry, report)
    report.close()
    assert rule is not None
    return rule
