"""What ``callahead check`` has found, reference by reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from callahead.config.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedProvider:
    """One provider that was asked.

    Attributes:
        provider: ``protocol://host:port``.
        said: What it answered, in words; "" where it failed.
        problem: What is wrong with it, "" for nothing.
        elapsed_ms: How long it took.
    """

    provider: str
    said: str = ""
    problem: str = ""
    elapsed_ms: float = 0.0

    def document(self) -> dict[str, Any]:
        """Make what ``--json`` prints of it."""
        status = "failed" if self.problem else "ok"
        detail = {"problem": self.problem} if self.problem else {"said": self.said}
        return {"provider": self.provider, "status": status, **detail, "elapsed_ms": round(self.elapsed_ms, 1)}

    def __str__(self) -> str:
        if self.problem:
            return f"{self.provider}: failed, {self.elapsed_ms:.0f} ms"
        return f"{self.provider}: ok, {self.said}, {self.elapsed_ms:.0f} ms"


@dataclass(slots=True, kw_only=True)
class CheckedReference:
    """One reference.

    Attributes:
        id: In the configuration.
        methods: That its types have; empty where a provider alone knows them.
        is_failed: Something is wrong with it, be it one of its providers.
        is_askable: A consumer can be made that asks its providers.
        takes_echo: It has Dubbo's ``$echo``, as every Java interface has.
        asks_for_types: A provider must be asked for them at the first call.
        providers: Those that were asked.
    """

    id: str
    methods: tuple[str, ...] = ()
    is_failed: bool = False
    is_askable: bool = True
    takes_echo: bool = False
    asks_for_types: bool = False
    providers: list[AskedProvider] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Make what ``--json`` prints of it."""
        return {
            "reference": self.id,
            "status": "failed" if self.is_failed else "ok",
            "methods": list(self.methods),
            "providers": [one.document() for one in self.providers],
        }

    def lines(self) -> list[str]:
        """Make what is printed of it."""
        known = ", whose methods only a provider knows"
        if not self.asks_for_types:
            known = f", {counted(len(self.methods), 'declared method')}"
        first = f"{self.id}: failed" if self.is_failed else f"{self.id}: ok{known}"
        return [first, *(f"  {one}" for one in self.providers)]


class Findings:
    """All that is wrong; each thing once, though several references or methods may have it.

    Attributes:
        references: By id, in the order of the configuration.
    """

    def __init__(self) -> None:
        self._problems: dict[tuple[str, int, str], Problem] = {}
        self.references: dict[str, CheckedReference] = {}

    def add(self, problems: Iterable[Problem], reference: CheckedReference | None = None) -> None:
        """Note *problems*, which are those of *reference* where one is given."""
        for problem in problems:
            self._problems.setdefault((problem.file, problem.line, problem.text), problem)
            if reference is not None:
                reference.is_failed = True

    @property
    def problems(self) -> list[Problem]:
        """All of them, by line."""
        return sorted(self._problems.values(), key=lambda problem: problem.line)

    def document(self, file: str) -> dict[str, Any]:
        """Make what ``--json`` prints of the configuration *file*."""
        return {
            "file": file,
            "status": "failed" if self._problems else "ok",
            "problems": [_document(problem) for problem in self.problems],
            "references": [one.document() for one in self.references.values()],
        }


def _document(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "key", "text", "hint")}


def counted(number: int, what: str) -> str:
    """Say how many there are: ``1 method``, ``2 methods``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
