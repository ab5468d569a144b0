"""What a benchmark found: a table for people, JSON for programs, and when and where it was measured."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .measure import Row

RATIOS = "ratios: the first line by each; rate 2 is twice its calls/s, cpu 0.5 is half its processor time"
"""What `benchmarks.measure.ratios` gives, in a line."""

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found.

    Attributes:
        parts: Tables by their names; the rows of one have the same columns.
        rounds: How often each figure was measured; the tables show medians.
        notes: What a reader of the tables must know, one line each.
    """

    parts: Mapping[str, Sequence[Row]]
    rounds: int
    notes: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Draw the tables."""
        where = surroundings()
        rounds = f"median of {self.rounds} rounds" if self.rounds > 1 else "one round"
        head = [f"{where['date']}, commit {where['commit']}, {where['machine']}, {rounds}", *self.notes]
        return "\n".join([*head, *(line for name, rows in self.parts.items() for line in ("", *_table(name, rows)))])

    def as_json(self) -> str:
        """Write everything as one line of JSON."""
        return json.dumps({**surroundings(), "rounds": self.rounds, "notes": self.notes, "parts": self.parts})


def surroundings() -> dict[str, str]:
    """Say when, of which source and on what machine something is measured; no name of a host."""
    cores = len(os.sched_getaffinity(0))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "machine": f"{cores} cores, {platform.system()} {platform.machine()}, {python}",
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty=+changes", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return "unknown"


def _table(name: str, rows: Sequence[Row]) -> list[str]:
    first, *others = rows[0]
    lines = [[f"{name}: {first}", *(key.replace("_", " ") for key in others)]]
    lines += [[_shown(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(_placed(line, widths)).rstrip() for line in lines]


def _placed(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Put the name to the left and the figures to the right."""
    return [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
