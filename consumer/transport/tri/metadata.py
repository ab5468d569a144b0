"""Attachments as gRPC metadata, and back.

Source: Dubbo's triple headers (``TripleHeaderEnum``, ``StreamUtils.convertAttachment``); differs: an attachment that
cannot travel is an error and not a log line, and ``async``, ``sent``, ``return`` and ``retries`` never travel at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from callahead.config.policy import NEVER_SENT

from ...call.invocation import NO_ATTACHMENTS
from ...errors import LocalProtocolError
from ..identity import ServiceIdentity

Metadata = tuple[tuple[str, str | bytes], ...]
"""Pairs as grpcio takes them: keys in lower case; bytes only under keys that end in ``-bin``."""

_LEGAL_KEY = re.compile(r"[0-9a-z_.-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_DUBBOS = "tri-"
_CONVERT = "tri-header-convert"
_RESERVED = ("grpc-", _DUBBOS, ":")


def fixed_metadata(identity: ServiceIdentity, application: str) -> Metadata:
    """Make what every request to a provider carries: version, group, application and token, where there are any."""
    pairs = {
        "tri-service-version": identity.version,
        "tri-service-group": identity.group,
        "tri-consumer-appname": application,
    }
    token = to_metadata({"token": identity.token}) if identity.token else ()
    return tuple((key, value) for key, value in pairs.items() if value) + token


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
    if not _LEGAL_KEY.fullmatch(name) or name.startswith(_RESERVED) or name in NEVER_SENT:
        rule = "letters, digits, _ . and -, not beginning with grpc- or tri-, and none of async, sent, return, retries"
        raise LocalProtocolError(f'attachment "{key}" cannot travel as metadata; a key is {rule}', not_sent=True)
    if isinstance(value, str) and not name.endswith("-bin") and _PRINTABLE.fullmatch(value):
        return name, value
    data = value.encode() if isinstance(value, str) else value
    return (name if name.endswith("-bin") else f"{name}-bin"), data


def size_of(metadata: Metadata) -> int:
    """Count the bytes of keys and values."""
    return sum(len(key) + len(value) for key, value in metadata)


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


def join_metadata(*parts: Iterable[tuple[str, Any]] | None) -> Mapping[str, Any]:
    """Join response metadata and trailers to one mapping; a later value of a key wins, ``-bin`` values are bytes."""
    joined = {key: value for part in parts if part for key, value in part}
    return joined or NO_ATTACHMENTS


def to_attachments(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out of joined metadata what is Dubbo's own, and give keys the capitals that they had at the provider.

    Source: ``StreamUtils.toAttachments``; differs: a key keeps its ``-bin``, and nothing but its case changes.
    """
    if not any(key.startswith(_DUBBOS) for key in metadata):  # nearly always
        return metadata
    spelled = _spellings(metadata.get(_CONVERT))
    found = {_spelled(key, spelled): value for key, value in metadata.items() if not key.startswith(_DUBBOS)}
    return found or NO_ATTACHMENTS


def _spellings(header: object) -> Mapping[str, Any]:
    """Read percent-encoded JSON, from lower case to the name; none where it is something else."""
    try:
        found = json.loads(unquote(header)) if isinstance(header, str) else {}
    except (RecursionError, ValueError):
        found = {}
    return found if isinstance(found, dict) else {}


def _spelled(key: str, spelled: Mapping[str, Any]) -> str:
    stem = key.removesuffix("-bin")
    name = spelled.get(stem)
    return name + key[len(stem) :] if isinstance(name, str) and name.lower() == stem else key
