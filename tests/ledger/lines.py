"""The ledger's files: one line for each thing that happened, only ever added to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CLIENT: str = "client.ledger"
PROVIDER: str = "provider.ledger"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened.

    Attributes:
        at: Seconds by the monotonic clock, which all processes of a machine share.
        event: What.
        id: Of the call; "-" where it is of none.
        fields: More of it.
    """

    at: float
    event: str
    id: str = "-"
    fields: Mapping[str, str] = field(default_factory=dict)


class Writer:
    """Adds lines to the file at *path*, from any thread, and from a forked child as well.

    Each line is one ``write`` to a file that is only added to: it is whole, and stays when the process is killed. It
    would not stay if the machine went down, which no experiment does.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, event: str, call: str = "-", /, **fields: object) -> None:
        """Add a line."""
        more = "".join(f"\t{name}={_plain(value)}" for name, value in fields.items())
        os.write(self._file, f"{time.monotonic():.6f}\t{event}\t{call}{more}\n".encode())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _plain(value: object) -> str:
    return " ".join(str(value).split())


def read(path: Path) -> list[Line]:
    """Read a file back; none is an empty one."""
    if not path.exists():
        return []
    return parse(path.read_text("utf-8", "replace").splitlines())


def parse(lines: Iterable[str]) -> list[Line]:
    """Read lines."""
    made = []
    for line in lines:
        at, event, call, *more = line.split("\t")
        made.append(Line(float(at), event, call, dict(one.split("=", 1) for one in more)))
    return made
