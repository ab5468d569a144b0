"""Brings every accepted way of writing a configuration into the one shape that the models have."""

from __future__ import annotations

from ..read.report import Report
from ..read.tree import BROKEN, Entry
from ..values.quantity import Unfit, kind
from ..values.text import word


def shape(tree: Entry, report: Report) -> Entry:
    """Copy *tree* with ``dubbo:`` taken off, singulars made plurals, lists of methods made mappings.

    What does not fit is noted in *report* and left out, or left as it is for the models to refuse.
    """
    root = _unwrapped(tree, report)
    if not isinstance(root.value, dict):
        report.at(root, f"must be a mapping, not {kind(root.value)}")
        return Entry({})
    section = _references(_registries(root.section, report), report)
    if "consumer" in section:
        section["consumer"] = _level(section["consumer"], report)
    if "application" in section:
        section["application"] = _renamed(section["application"], "shutwait", "shutdown_timeout", report)
    return Entry(section)


def _unwrapped(tree: Entry, report: Report) -> Entry:
    wrapper = tree.get("dubbo")
    if wrapper is None:
        return tree
    for key, entry in tree.section.items():
        if key != "dubbo":
            report.at(entry, "stands beside dubbo", "move it under dubbo, or take dubbo away")
    return Entry({}) if wrapper.value is None else wrapper


def _registries(section: dict[str, Entry], report: Report) -> dict[str, Entry]:
    """Make ``registry: {id: main, address: ...}`` the entry ``main`` of ``registries``."""
    if "registry" not in section:
        return dict(section)
    single = section["registry"]
    rest = {key: entry for key, entry in section.items() if key != "registry"}
    name = single.get("id")
    if name is not None:
        single = _without(single, "id")
    key = "default" if name is None else _name(name, report)
    return rest if key is None else _joined(rest, "registries", Entry({key: single}, single.line, single.path), report)


def _references(section: dict[str, Entry], report: Report) -> dict[str, Entry]:
    if "reference" in section:
        rest = {key: entry for key, entry in section.items() if key != "reference"}
        section = _joined(rest, "references", section["reference"], report)
    references = section.get("references")
    if references is None or not isinstance(references.value, dict):
        return section
    shaped = {name: _reference(entry, report) for name, entry in references.section.items()}
    return {**section, "references": Entry(shaped, references.line, references.path)}


def _joined(section: dict[str, Entry], plural: str, more: Entry, report: Report) -> dict[str, Entry]:
    known = section.get(plural)
    if known is None or not (isinstance(known.value, dict) and isinstance(more.value, dict)):
        if known is not None:
            report.at(more, f"cannot stand beside {known.path}")
        return {**section, plural: more}
    for name in known.section.keys() & more.section.keys():
        report.at(more.section[name], f"is set already as {known.section[name].path}")
    return {**section, plural: Entry({**more.section, **known.section}, known.line, known.path)}


def _reference(entry: Entry, report: Report) -> Entry:
    level = _level(entry, report)
    methods = level.get("methods")
    if methods is None:
        return level
    return Entry({**level.section, "methods": _methods(methods, report)}, level.line, level.path)


def _methods(methods: Entry, report: Report) -> Entry:
    if methods.value is None:
        return Entry({}, methods.line, methods.path)
    if not isinstance(methods.value, list):
        return methods
    found: dict[str, Entry] = {}
    for item in methods.value:
        name = item.get("name")
        if name is None:
            report.at(item, "has no name", "a list of methods needs {name: ...} in each")
            continue
        key = _name(name, report)
        if key in found:
            report.at(name, f"the method {key} is in the list already, at {found[key].path}")
        elif key is not None:
            found[key] = Entry(_without(item, "name").section, name.line, item.path)
    return Entry(found, methods.line, methods.path)


def _name(entry: Entry, report: Report) -> str | None:
    if entry.value is BROKEN:
        return None
    try:
        return word(entry.value)
    except Unfit as error:
        report.at(entry, str(error), error.hint)
        return None


def _level(entry: Entry, report: Report) -> Entry:
    return _payload(_renamed(entry, "registries", "registry", report))


def _payload(entry: Entry) -> Entry:
    """Let Dubbo's ``payload`` stand for both sizes where these are not given."""
    payload = entry.get("payload")
    if payload is None:
        return entry
    sizes = {"max_request_bytes": payload, "max_response_bytes": payload}
    rest = _without(entry, "payload").section
    return Entry({**sizes, **rest}, entry.line, entry.path)


def _renamed(entry: Entry, old: str, new: str, report: Report) -> Entry:
    renamed = entry.get(old)
    if renamed is None:
        return entry
    other = entry.get(new)
    if other is not None:
        report.at(renamed, f"is the same setting as {other.path.rpartition('.')[2]}, which is set too")
    return Entry({**_without(entry, old).section, new: renamed}, entry.line, entry.path)


def _without(entry: Entry, key: str) -> Entry:
    return Entry({name: value for name, value in entry.section.items() if name != key}, entry.line, entry.path)
