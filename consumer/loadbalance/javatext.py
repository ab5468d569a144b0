"""Text of values as Java would write them, for what depends on it over there, too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7
_NAMES = {None: "null", True: "true", False: "false"}


def java_text(value: Any) -> str:
    """Write *value* as Java's ``String.valueOf`` writes what it becomes there.

    That is exact for what is no object of a class: text, numbers, truth values, enums, null, and lists and mappings of
    these. What else there is is written as Python does it, the same in every process where its ``str`` is.
    """
    kind = type(value)
    if kind is str or kind is int:  # as most are, and one of these is written for each call
        return str(value)
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if value is None or isinstance(value, bool):
        return _NAMES[value]
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{java_text(key)}={java_text(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(map(java_text, value))}]"
    return str(value)


def _double(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return repr(float(value))
    digits, _, exponent = f"{value:e}".partition("e")
    shortest = repr(float(value)).partition("e")[0].replace("-", "").replace(".", "").strip("0")
    sign = "-" if digits.startswith("-") else ""
    return f"{sign}{shortest[0]}.{shortest[1:] or '0'}E{int(exponent)}"
