"""Conversion of values whose shape is the user's own."""

from __future__ import annotations

from typing import Any

from .quantity import Unfit, show, written_value


def arguments(value: Any) -> dict[str, Any] | tuple[Any, ...]:
    """Convert the arguments of a function: a mapping of keywords, or a list of what is given by position."""
    written = unfolded(written_value(value))
    if isinstance(written, dict):
        return written
    if isinstance(written, list):
        return tuple(written)
    raise Unfit(f"must be a mapping of keywords or a list, not {show(written)}")


def unfolded(value: Any) -> Any:
    """Copy *value* with what stood in a placeholder as YAML types it, however deep."""
    if isinstance(value, dict):
        return {key: unfolded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [unfolded(one) for one in value]
    return value if value is None else written_value(value)
