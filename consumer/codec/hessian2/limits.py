"""How much one hessian stream may ask for before it is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...errors import SerializationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one stream, in both directions; passing one is a `SerializationError` that names it.

    Attributes:
        depth: Values inside values. The default stays far below Python's own recursion limit.
        elements: List items, map entries and object fields, summed over the stream; decoding only.
        bytes: Size of the whole stream. The default is Dubbo's ``payload``, 8 MiB.
        references: Lists, maps and objects that later bytes can point back to; decoding only.
    """

    depth: int = 256
    elements: int = 1_000_000
    bytes: int = 8 * 1024 * 1024
    references: int = 500_000


DEFAULT_LIMITS = Limits()


def passed(name: str, amount: int, limit: int, unit: str) -> SerializationError:
    """Build the error of a limit that was passed, with both numbers and the setting."""
    return SerializationError(f"hessian2: {amount} {unit}, the limit is {limit} (limits.{name})")


def limits_for(size: int) -> Limits:
    """Make the default limits, with room for a body of *size* bytes where that is larger.

    For bodies whose size was checked where they came off the wire, against a limit of the user's own.
    """
    return dataclasses.replace(DEFAULT_LIMITS, bytes=max(DEFAULT_LIMITS.bytes, size))
