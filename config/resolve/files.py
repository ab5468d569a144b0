"""Paths in a configuration: relative ones start at the folder of the configuration file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from ..check.models import SslModel
from ..policy import SslPolicy
from ..read.report import Report
from ..read.tree import Entry
from .pem import misfit


def pem_file(folder: Path, path: str, setting: str, entry: Entry, report: Report) -> str:
    """Join *path* to *folder* and see that the file holds what *setting* wants; what is wrong is noted at *entry*."""
    found = folder / path
    wrong, hint = misfit(setting, found)
    if wrong:
        report.at(entry, wrong, hint)
    return str(found)


def ssl_policy(model: SslModel, entry: Entry, folder: Path, report: Report) -> SslPolicy | None:
    """Make the TLS policy; its files are read here once, so that a missing one is no surprise at the first call."""
    if model.enabled is False:
        return None
    for one, other in (("cert", "key"), ("key", "cert")):
        if entry.get(one) is not None and entry.get(other) is None:
            report.at(entry.find([one]), f"needs {other} beside it")
    paths = {
        name: pem_file(folder, path, name, entry.find([name]), report)
        for name in ("ca", "cert", "key")
        if (path := getattr(model, name)) is not None
    }
    return SslPolicy(**paths, server_name=model.server_name)


def file_url(address: str, folder: Path) -> str:
    """Make the ``file:`` *address* absolute; a query is kept. One without a path stays, for its registry to refuse."""
    path, mark, query = address.partition("?")
    path = path.removeprefix("file:").removeprefix("//")
    if not path:
        return address
    absolute = (folder / path).absolute()
    return f"file://{quote(str(absolute))}{mark}{query}"
