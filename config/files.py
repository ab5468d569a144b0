"""Paths in a configuration: relative ones start at the folder of the configuration file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from .levels import Level
from .models import SslModel
from .policy import SslPolicy
from .report import Report
from .tree import Entry


def readable_file(folder: Path, path: str, entry: Entry, report: Report) -> str:
    """Join *path* to *folder* and see that the file can be read; what is wrong is noted at *entry*."""
    found = folder / path
    try:
        with found.open("rb"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.at(entry, f"cannot read {found}: {reason}")
    return str(found)


def ssl_policy(model: SslModel, entry: Entry, folder: Path, report: Report) -> SslPolicy | None:
    """Make the TLS policy; its files are read here once, so that a missing one is no surprise at the first call."""
    if model.enabled is False:
        return None
    for one, other in (("cert", "key"), ("key", "cert")):
        if entry.get(one) is not None and entry.get(other) is None:
            report.at(entry.find([one]), f"needs {other} beside it")
    paths = {
        name: readable_file(folder, path, entry.find([name]), report)
        for name in ("ca", "cert", "key")
        if (path := getattr(model, name)) is not None
    }
    return SslPolicy(**paths, server_name=model.server_name)


def proto_files(level: Level, folder: Path, report: Report) -> dict[str, str | tuple[str, ...]]:
    """Find the ``.proto`` file of a reference and the folders of its imports."""
    found: dict[str, str | tuple[str, ...]] = {}
    proto, proto_path = level.value("proto"), level.value("proto_path")
    if proto is not None:
        found["proto"] = readable_file(folder, proto, level.place("proto"), report)
    if proto_path is not None:
        found["proto_path"] = tuple(str(folder / path) for path in proto_path)
        _check_folders(level, folder, report)
    return found


def _check_folders(level: Level, folder: Path, report: Report) -> None:
    entry = level.place("proto_path")
    if level.written("proto") is None:
        report.at(entry, "needs proto beside it")
    for path in level.value("proto_path"):
        if not (folder / path).is_dir():
            report.at(entry, f"{folder / path} is not a folder")


def file_url(address: str, folder: Path) -> str:
    """Make the ``file:`` *address* absolute; a query is kept. One without a path stays, for its registry to refuse."""
    path, mark, query = address.partition("?")
    path = path.removeprefix("file:").removeprefix("//")
    if not path:
        return address
    absolute = (folder / path).absolute()
    return f"file://{quote(str(absolute))}{mark}{query}"
