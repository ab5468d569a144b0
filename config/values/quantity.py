"""Conversion of one written value to what the policy holds: durations, sizes, counts and flags.

Each function takes what YAML gave, or a `Substituted` text, and returns the value or raises `Unfit`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

LONGEST_MS: Final = 2**31 - 1
LARGEST_BYTES: Final = 2**31 - 1
MOST_RETRIES: Final = 1000

_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_UNITS_BYTES: Final = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([A-Za-z]+)", re.ASCII)

_PERCENTILE = re.compile("p[5-9][0-9]", re.ASCII)


class Substituted(str):
    """Text of a value that is one whole placeholder; a setting of another type reads `typed`."""

    __slots__ = ("typed",)

    typed: Any


class Unfit(ValueError):
    """A value that a setting cannot take; the message says why, `hint` what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def show(value: Any) -> str:
    """Name *value* in a message: short, and as YAML spells it."""
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:57] + "..."}"'
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, float):
        return str(value)
    return kind(value)


def kind(value: Any) -> str:
    """Name the type of *value* in the words of YAML."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def written_value(value: Any) -> Any:
    """Take *value* with the type that YAML gives it; a key without a value is `Unfit`."""
    if value is None:
        raise Unfit("has no value", "write one, or remove the key")
    return value.typed if isinstance(value, Substituted) else value


def _unquoted(written: Any) -> str:
    plain = isinstance(written, str) and (written.isdecimal() or written.lower() in {"true", "false"})
    return "write it without quotes" if plain else ""


def flag(value: Any) -> bool:
    """Convert true or false."""
    written = written_value(value)
    if not isinstance(written, bool):
        raise Unfit(f"must be true or false, not {show(written)}", _unquoted(written))
    return written


def flag_or(word: str) -> Callable[[Any], Any]:
    """Make the conversion of true, false or *word*."""

    def convert(value: Any) -> Any:
        written = written_value(value)
        if written == word or isinstance(written, bool):
            return written
        raise Unfit(f"must be true, false or {word}, not {show(written)}", _unquoted(written))

    return convert


def count(least: int, most: int) -> Callable[[Any], int]:
    """Make the conversion of a whole number from *least* to *most*."""

    def convert(value: Any) -> int:
        written = written_value(value)
        if isinstance(written, bool) or not isinstance(written, int):
            text = f"must be a whole number from {least} to {most}, not {show(written)}"
            raise Unfit(text, _unquoted(written))
        return _within(written, least, most, "")

    return convert


def duration_ms(least: int) -> Callable[[Any], int]:
    """Make the conversion of a duration to whole milliseconds, *least* or more; a bare number is milliseconds."""

    def convert(value: Any) -> int:
        written = written_value(value)
        amount = _amount(written, _UNITS_MS, 'a duration such as 500, "50ms", "1.5s" or "2m"')
        if amount != int(amount):
            hint = f'a bare number is milliseconds; "{written}s" is seconds' if isinstance(written, float) else ""
            raise Unfit(f"{show(written)} is not a whole number of milliseconds", hint)
        return _within(int(amount), least, LONGEST_MS, " ms")

    return convert


def percentile_or_duration(value: Any) -> int | str:
    """Convert ``p50`` to ``p99``, which stays text, or a duration of a millisecond or more."""
    written = written_value(value)
    if isinstance(written, str) and _PERCENTILE.fullmatch(written):
        return written
    try:
        return duration_ms(1)(value)
    except Unfit as error:
        raise Unfit(f"{error}", error.hint or "or p95, where it is to follow the method's latencies") from None


def size_bytes(least: int, most: int) -> Callable[[Any], int]:
    """Make the conversion of a size from *least* to *most*; a bare number is bytes, KB is 1000 and KiB is 1024."""

    def convert(value: Any) -> int:
        written = written_value(value)
        amount = _amount(written, _UNITS_BYTES, 'a size such as 65536, "512KB" or "8MiB"')
        if amount != int(amount):
            raise Unfit(f"{show(written)} is not a whole number of bytes")
        return _within(int(amount), least, most, " bytes")

    return convert


def _amount(written: Any, units: dict[str, int], wanted: str) -> Decimal:
    if isinstance(written, str):
        match = _AMOUNT.fullmatch(written)
        unit = units.get(match[2].lower()) if match else None
        if match is None or unit is None:
            raise Unfit(f"must be {wanted}, not {show(written)}", f"units: {', '.join(units)}" if match else "")
        return Decimal(match[1]) * unit
    if isinstance(written, bool) or not isinstance(written, int | float) or not math.isfinite(written):
        raise Unfit(f"must be {wanted}, not {show(written)}")
    return Decimal(repr(written)) if isinstance(written, float) else Decimal(written)


def _within(number: int, least: int, most: int, unit: str) -> int:
    if not least <= number <= most:
        raise Unfit(f"must be from {least} to {most}{unit}, not {show(number)}{unit}")
    return number
