"""JSON on the command line: arguments in, answers out."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import click

from callahead.config.values.line import printable

from ..runtime.shown import parts_of, shown

_MOST_CHARACTERS = 32 * 1024 * 1024
_MOST_OF_ONE = 1024 * 1024


def read_values(arguments: tuple[str, ...]) -> tuple[Any, ...]:
    """Read each of *arguments*: JSON itself, ``@file`` for a file that holds it, ``-`` for the standard input.

    Raises:
        click.UsageError: One cannot be read or is no JSON; with its place.
    """
    if arguments.count("-") > 1:
        raise click.UsageError("- can be given once: there is one standard input")
    return tuple(_read(argument, number) for number, argument in enumerate(arguments, 1))


def _read(argument: str, number: int) -> Any:
    if argument == "-":
        return _parse(_decoded(sys.stdin.buffer.read(), "<stdin>"), "<stdin>")
    if not argument.startswith("@"):
        return _parse(argument, f"argument {number}")
    name = argument[1:]
    try:
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.UsageError(f"argument {number}: the file {name!r} cannot be read: {reason}") from error
    return _parse(_decoded(data, name), name)


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{source}: not UTF-8: {error.reason} at byte {error.start}") from error


def _parse(text: str, source: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        hint = ", or text without its quotes" if text[:1].isalpha() else ""
        place = f"{source}:{error.lineno}" if "\n" in text.rstrip() else source
        raise click.UsageError(f"{place}: not JSON{hint}: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise click.UsageError(f"{source}: nested too deeply") from error
    except ValueError as error:
        raise click.UsageError(f"{source}: {error}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" is there twice')
    return found


def as_json(value: Any) -> str:
    """Write *value* as JSON, in the characters that the standard output can carry; bytes become base64 text.

    Raises:
        ValueError: It has no JSON form: it holds itself, is nested too deeply, or would be longer than 32 MiB.
    """
    text = _written(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _written(value, ensure_ascii=True)
    # JSON escapes the control characters of ASCII, and a terminal obeys others, too.
    return "\n".join(map(printable, text.split("\n")))


def _written(value: Any, *, ensure_ascii: bool) -> str:
    """Write piece by piece, since what a peer sent may have few parts and be without end as a text."""
    pieces: list[str] = []
    room = _MOST_CHARACTERS
    try:
        for piece in json.JSONEncoder(indent=2, ensure_ascii=ensure_ascii, default=_as_text).iterencode(value):
            room -= len(piece)
            if room < 0:
                raise ValueError(f"it has more than {_MOST_CHARACTERS} characters as JSON")
            pieces.append(piece)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return "".join(pieces)


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if parts_of(value) is None else shown(value, _MOST_OF_ONE)
