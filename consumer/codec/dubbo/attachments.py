"""Attachments: what travels beside arguments and answers, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...errors import SerializationError
from ..hessian2 import JavaEntries, dumps
from .string import encode_string

_SCALARS = (str, bytes, bool, int, float, type(None))


def encode_entries(attachments: Mapping[str, Any]) -> bytes:
    """Write entries as they stand between the first and the last byte of a hessian map.

    They are scalars, so that they take no number in the stream and can be written by themselves.

    Raises:
        SerializationError: A name is no text or a value no scalar; ``not_sent`` is set.
    """
    parts: list[bytes] = []
    for name, value in attachments.items():
        if type(name) is not str or (type(value) is not str and not isinstance(value, _SCALARS)):
            raise SerializationError(
                f"the attachment {name!r} is a {type(value).__name__}; names are text, values are text, bytes, "
                "numbers, booleans or None",
                not_sent=True,
            )
        parts.append(_encoded_name(name))
        parts.append(encode_string(value) if type(value) is str else dumps(value))
    return b"".join(parts)


def as_attachments(value: Any, what: str) -> dict[str, Any]:
    """Check what was read in the place of attachments; of two with one name the later counts, as in Java.

    Raises:
        SerializationError: It is no map of names.
    """
    if value is None:
        return {}
    if isinstance(value, JavaEntries):
        value = dict(value) if all(isinstance(name, str) for name, _ in value) else None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise SerializationError(f"dubbo {what}: the attachments are no map of names")
    return value


_encoded_name = lru_cache(maxsize=1024)(encode_string)
