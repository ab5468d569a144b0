"""From the bytes of a file to YAML nodes; whatever PyYAML or the codec raises comes out as a `ConfigError`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import yaml

from ..errors import ConfigError
from .place import MOST_VALUES
from .scalar import NULL, Composer, QuickComposer

# Below this PyYAML's own parser takes no more than some tens of milliseconds, and of a text that is all brackets a few
# hundred.
_LONG: Final = 16 * 1024
# Of a text of others, each key and each alias counted: more than any has whose values are not too many.
MOST_NODES: Final = 2 * MOST_VALUES
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


class _TooManyNodes(Exception):
    """Another node would be one too many; the argument is its line."""


class _Bounded(yaml.composer.Composer):
    """Composes no more than `MOST_NODES`."""

    _left = MOST_NODES

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count one, and make it."""
        self._left -= 1
        if self._left < 0:
            event = self.peek_event()  # type: ignore[attr-defined]  # of the parser that it is joined with
            raise _TooManyNodes(event.start_mark.line + 1)
        return super().compose_node(parent, index)


class _BoundedComposer(_Bounded, Composer):
    """PyYAML's own."""


def compose_of_others(text: str, file: str) -> list[yaml.Node]:
    """Make the nodes of each document of *text*, which a registry keeps; those that hold nothing are left out.

    The time that it takes is bounded by the number of nodes. A long text is libyaml's to read and to judge, whatever it
    holds, for one character that `compose` leaves to PyYAML would be enough to slow this down. Of what both take they
    read empty keys and empty tags in different ways, and no rule has such.

    Raises:
        ConfigError: It is not YAML, or holds too much.
    """
    with _worded(text, file):
        yaml.reader.Reader(text)  # refuses characters that no YAML has, whose places libyaml would tell in bytes
        composer = _composer_of_others(text)
        found: list[yaml.Node | None] = []
        while composer.check_node():
            found.append(composer.get_node())
    return [node for node in found if node is not None and node.tag != NULL]


def _composer_of_others(text: str) -> Any:
    if QuickComposer is None or len(text) < _LONG:
        return _BoundedComposer(text)
    return _quick_and_bounded()(text)


@cache
def _quick_and_bounded() -> type[Any]:
    assert QuickComposer is not None
    return type("_QuickAndBounded", (_Bounded, QuickComposer), {})


@contextmanager
def _worded(text: str, file: str) -> Iterator[None]:
    """Raise whatever PyYAML raises as a `ConfigError`."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        raise _bad_character(error, text, file) from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, file) from error
    except _TooManyNodes as error:
        text = f"holds more than {MOST_NODES} keys and values"
        raise ConfigError.one(text, file=file, line=error.args[0]) from None
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
