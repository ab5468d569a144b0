"""What the levels add up to instead of replacing each other: interceptors and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from ..extension import INTERCEPTOR, available, nearest, unknown
from ..policy import NEVER_SENT
from ..read.report import Report
from ..values.text import is_object_path
from .levels import Chosen, Level


def add_interceptors(chosen: Chosen, levels: Sequence[Level], report: Report) -> None:
    """Join the interceptors of *levels*, most specific first, in the order consumer, reference, method.

    ``-name`` takes one out that stands before it, ``-default`` all of them. Source: Dubbo's ``filter``.
    """
    names: list[str] = []
    origins: list[str] = []
    for level in reversed(levels):
        written = level.value("interceptors")
        if written is not None:
            origins.append(report.origin(level.place("interceptors")))
            for name in written:
                _add(names, name, level, report)
    if origins:
        chosen.set("interceptors", tuple(names), ", ".join(origins))


def _add(names: list[str], name: str, level: Level, report: Report) -> None:
    place = level.place("interceptors")
    known = available(INTERCEPTOR)
    if name == "-default":
        names.clear()
    elif name.startswith("-"):
        if name[1:] in names:
            names.remove(name[1:])
        else:
            report.at(place, f'"{name}" removes what is not there', nearest(name[1:], names))
    elif name in names:
        report.at(place, f'"{name}" is in the chain already', "name it once, on one level")
    elif name in known or is_object_path(name):
        names.append(name)
    else:
        text, hint = unknown(INTERCEPTOR, name)
        report.at(place, text, hint or "name one of your own as package.module:Class")


def add_attachments(chosen: Chosen, levels: Sequence[Level], report: Report) -> None:
    """Merge the ``parameters`` of *levels*, most specific first, key by key."""
    merged: dict[str, str] = {}
    origins: list[str] = []
    for level in reversed(levels):
        written = level.value("attachments")
        if written is not None:
            merged.update(written)
            origins.append(report.origin(level.place("attachments")))
            _refuse_local(level, report)
    if origins:
        chosen.set("attachments", MappingProxyType(merged), ", ".join(origins))


def _refuse_local(level: Level, report: Report) -> None:
    for key, entry in level.place("attachments").section.items():
        if key in NEVER_SENT:
            report.at(entry, "steers this side and never travels", f"set {key} beside parameters")
