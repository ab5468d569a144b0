"""From YAML text to a tree of values that know their lines.

Of PyYAML only the composer is used: no tag ever constructs an object.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from .place import TEXTS, Gather, Place
from .report import Report
from .scalar import BOOL, FLOAT, INT, MERGE, TEXT, of_tag
from .tree import Entry
from .yaml_text import compose, compose_of_others, decode

MAX_BYTES = 4 * 1024 * 1024


def read_text(path: str | os.PathLike[str]) -> str:
    """Read the file at *path*, which is UTF-8 with or without a byte order mark.

    Raises:
        ConfigError: It is not there, is no file, cannot be read, is larger than `MAX_BYTES` or is not UTF-8.
    """
    name = os.fspath(path)
    try:
        with Path(name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError.one("the file does not exist", file=name) from None
    except IsADirectoryError:
        raise ConfigError.one("is a folder, not a file", file=name) from None
    except OSError as error:
        raise ConfigError.one(f"the file cannot be read: {error.strerror}", file=name) from error
    except ValueError as error:
        raise ConfigError.one("is not the path of a file", file=name) from error
    if len(data) > MAX_BYTES:
        raise ConfigError.one(f"is larger than {MAX_BYTES} bytes", file=name)
    return decode(data, name)


def parse(text: str, report: Report) -> Entry:
    """Parse YAML *text*; what can be read round a bad key or value is read, and each is noted in *report*.

    Args:
        text: One document.
        report: Takes what is wrong, and names the text.

    Raises:
        ConfigError: The text is not YAML, is empty, or is more than one document.
    """
    node = compose(text, report.file)
    if node is None:
        raise ConfigError.one("holds no settings", file=report.file)
    return _NodeWalk(report).entry(node, Place(node.start_mark.line + 1))


def parse_of_others(text: str, report: Report) -> list[Entry]:
    """Parse each document of YAML *text* of others, in which ``${...}`` stands for itself; else as `parse`.

    Raises:
        ConfigError: The text is not YAML, is empty, or holds too much.
    """
    nodes = compose_of_others(text, report.file)
    if not nodes:
        raise ConfigError.one("holds no settings", file=report.file)
    walk = _NodeWalk(report, expands=False)
    return [walk.entry(node, Place(node.start_mark.line + 1)) for node in nodes]


class _NodeWalk(Gather):
    """One pass over the nodes of one document."""

    def __init__(self, report: Report, *, expands: bool = True) -> None:
        super().__init__(report, expands=expands)
        self._open: set[int] = set()

    def entry(self, node: yaml.Node, place: Place) -> Entry:
        self.spend(place)
        if isinstance(node, yaml.ScalarNode):
            return Entry(self._scalar(node, place), place.line, place.path)
        if id(node) in self._open:
            return Entry(self.broken("holds itself", place), place.line, place.path)
        self._open.add(id(node))
        value = self._mapping(node, place) if isinstance(node, yaml.MappingNode) else self._list(node, place)
        self._open.discard(id(node))
        return Entry(value, place.line, place.path)

    def _list(self, node: yaml.Node, place: Place) -> list[Entry]:
        return [self.entry(item, place.item(i, item.start_mark.line + 1)) for i, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE:
                inherited = {**self._merged(value, place, line), **inherited}
            elif not isinstance(key, yaml.ScalarNode):
                self.report.add("a key must be text, not a list or a mapping", line=line, key=place.path)
            elif not place.skips(key.value):
                self.keep(found, place.key(key.value), self.entry(value, place.under(key.value, line)))
        return {**inherited, **found}

    def _merged(self, node: yaml.Node, place: Place, line: int) -> dict[str, Entry]:
        """Gather what a ``<<`` brings; of two sources that hold a key the first wins, as YAML has it."""
        found: dict[str, Entry] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                found = {**self.entry(source, place).section, **found}
            else:
                self.report.add("<< takes a mapping or a list of mappings", line=line, key=place.path)
        return found

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        is_number = node.tag in {BOOL, INT, FLOAT}
        try:
            value = of_tag(TEXT if is_number and place.kind == TEXTS else node.tag, node.value)
        except LookupError:
            return self.broken(f"the tag {node.tag} is not allowed", place)
        except ValueError:
            return self.broken(f"does not fit its tag {node.tag}", place)
        return self.expanded(value, place)
