"""Attachments: what travels beside arguments and answers, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ...call.invocation import NO_ATTACHMENTS
from ...errors import SerializationError
from ..hessian2 import JavaEntries, dumps
from .string import encode_string

DUBBOS_OWN: Final = frozenset(
    {
        "async", "dubbo", "generic", "group", "input", "interface", "output", "path", "remote.application", "timeout",
        "token", "version",
    }
)  # fmt: skip
"""What Dubbo itself sends in the place of attachments; dubbo-go sends those of the request back with the answer."""

REDIRECTING: Final = frozenset({"dubbo", "generic", "group", "input", "interface", "path", "timeout", "version"})
"""Those by which a provider finds the service, or reads the request; a user's own would lead the call elsewhere."""

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


def users_of(attachments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out of an answer's attachments what the protocol adds."""
    return {name: value for name, value in attachments.items() if name not in DUBBOS_OWN} or NO_ATTACHMENTS


_encoded_name = lru_cache(maxsize=1024)(encode_string)
