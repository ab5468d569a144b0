"""From the bytes of a file to YAML nodes; whatever PyYAML or the codec raises comes out as a `ConfigError`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import yaml

from ..errors import ConfigError
from .scalar import NULL, Composer, QuickComposer

# Below this PyYAML's own parser takes no more than some tens of milliseconds.
_LONG: Final = 64 * 1024
# What the two parsers do not read alike, or not surely so.
READ_OTHERWISE: Final = re.compile(r"[?!|>%\\\t\r\x85\u2028\u2029\ufeff]|^---|^\.\.\.", re.MULTILINE)


def decode(data: bytes, file: str) -> str:
    """Decode the content of *file*, UTF-8 with or without a byte order mark.

    Raises:
        ConfigError: It is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise ConfigError.one(text, file=file, line=line, hint="save the file as UTF-8") from error


def compose(text: str, file: str) -> yaml.Node | None:
    """Make the nodes of the one document of *text*, the content of *file*; None where it holds nothing.

    Raises:
        ConfigError: It is not YAML, or more than one document.
    """
    quickly = _composed_quickly(text)
    if quickly is not None:
        return quickly
    with _worded(text, file):
        node: yaml.Node | None = Composer(text).get_single_node()
    return node


def compose_all(text: str, file: str) -> list[yaml.Node]:
    """Make the nodes of each document of *text*; else as `compose`. Those that hold nothing are left out."""
    with _worded(text, file):
        composer = Composer(text)
        found: list[yaml.Node | None] = []
        while composer.check_node():
            found.append(composer.get_node())
    return [node for node in found if node is not None and node.tag != NULL]


@contextmanager
def _worded(text: str, file: str) -> Iterator[None]:
    """Raise whatever PyYAML raises as a `ConfigError`."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        raise _bad_character(error, text, file) from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, file) from error
    except RecursionError:
        raise ConfigError.one("is nested too deeply", file=file) from None
    except (ValueError, OverflowError) as error:
        # PyYAML converts numbers in escapes and directives without a check of its own.
        raise ConfigError.one(f"not YAML: {error}", file=file) from error


def _composed_quickly(text: str) -> yaml.Node | None:
    """Make the nodes of a long *text* by libyaml's parser; None where PyYAML's own must judge it.

    libyaml is six times as fast, and takes some texts that PyYAML's own parser refuses, so it is given only what both
    understand alike; what it refuses is PyYAML's to word. Of libyaml nothing but the parser is used: its composer ends
    the process where a text is nested deeply.
    """
    if QuickComposer is None or len(text) < _LONG or READ_OTHERWISE.search(text):
        return None
    try:
        node: yaml.Node | None = QuickComposer(text).get_single_node()
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return node


def _bad_character(error: yaml.reader.ReaderError, text: str, file: str) -> ConfigError:
    line = text.count("\n", 0, error.position) + 1
    code = ord(text[error.position])
    return ConfigError.one(f"not YAML: character U+{code:04X} is not allowed", file=file, line=line)


def _not_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    mark = error.problem_mark
    line = mark.line + 1 if mark is not None else 0
    problem = error.problem or "cannot be parsed"
    if "'\\t'" in problem:
        return ConfigError.one("a tab cannot indent YAML", file=file, line=line, hint="use spaces")
    if problem == "but found another document":
        return ConfigError.one("a second document begins here, one is expected", file=file, line=line)
    context = f", {error.context}" if error.context else ""
    hint = _hint(problem, "".join(text.split("\n")[line - 1 : line]))
    return ConfigError.one(f"not YAML: {problem}{context}", file=file, line=line, hint=hint)


def _hint(problem: str, line: str) -> str:
    if "'{'" in problem and "${" in line:
        return 'between braces write "${...}" in quotes'
    if "'['" in problem and "[]" in line:
        return "between brackets write the name of a Java array in quotes"
    return "put a URL with a ? between quotes" if "'?'" in problem else ""
