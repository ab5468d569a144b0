"""Attachments as gRPC metadata, and back.

Source: Dubbo's triple headers (``TripleHeaderEnum``, ``StreamUtils.convertAttachment``); differs: an attachment that
cannot travel is an error and not a log line, and ``async``, ``sent``, ``return`` and ``retries`` never travel at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from callahead.config.policy import ReferencePolicy

from ...errors import LocalProtocolError
from ...invocation import NO_ATTACHMENTS

Metadata = tuple[tuple[str, str | bytes], ...]
"""Pairs as grpcio takes them: keys in lower case; bytes only under keys that end in ``-bin``."""

_LEGAL_KEY = re.compile(r"[0-9a-z_.-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_RESERVED = ("grpc-", "tri-", ":")
_LOCAL = frozenset({"async", "sent", "return", "retries"})


def fixed_metadata(policy: ReferencePolicy, application: str) -> Metadata:
    """Make what every request of a reference carries: version, group and application name, where there are any."""
    pairs = {
        "tri-service-version": policy.version,
        "tri-service-group": policy.group,
        "tri-consumer-appname": application,
    }
    return tuple((key, value) for key, value in pairs.items() if value)


def to_metadata(attachments: Mapping[str, str | bytes]) -> Metadata:
    """Turn *attachments* into metadata pairs.

    Keys are lowered, as HTTP/2 asks. Bytes go under ``key-bin``, and so does text that is not printable ASCII, as
    UTF-8.

    Raises:
        LocalProtocolError: A key cannot travel, or is the framework's own.
    """
    return tuple(_pair(key, value) for key, value in attachments.items())


def _pair(key: str, value: str | bytes) -> tuple[str, str | bytes]:
    name = key.lower()
    if not _LEGAL_KEY.fullmatch(name) or name.startswith(_RESERVED) or name in _LOCAL:
        rule = "letters, digits, _ . and -, not beginning with grpc- or tri-, and none of async, sent, return, retries"
        raise LocalProtocolError(f'attachment "{key}" cannot travel as metadata; a key is {rule}', not_sent=True)
    if isinstance(value, str) and not name.endswith("-bin") and _PRINTABLE.fullmatch(value):
        return name, value
    data = value.encode() if isinstance(value, str) else value
    return (name if name.endswith("-bin") else f"{name}-bin"), data


def checked_metadata(pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """Return *pairs*, which a user of gRPC gave; grpcio itself lets the call fail as if the provider had said INTERNAL.

    Raises:
        LocalProtocolError: gRPC cannot carry a key or a value.
    """
    metadata = tuple((key, value) for key, value in pairs)
    for key, value in metadata:
        if not _LEGAL_KEY.fullmatch(key):
            raise LocalProtocolError(f'metadata key "{key}" is not of lower-case letters, digits, _ . -', not_sent=True)
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not key.endswith("-bin") and not _PRINTABLE.fullmatch(text):
            text = f'the value of metadata key "{key}" is not printable ASCII'
            raise LocalProtocolError(f"{text}; only keys that end in -bin carry other bytes", not_sent=True)
    return metadata


def from_metadata(*parts: Iterable[tuple[str, Any]] | None) -> Mapping[str, Any]:
    """Join response metadata and trailers to one mapping; a later value of a key wins, ``-bin`` values are bytes."""
    joined = {key: value for part in parts if part for key, value in part}
    return joined or NO_ATTACHMENTS
