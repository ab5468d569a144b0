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
from ...codec.dubbo.attachments import DUBBOS_OWN
from ...errors import LocalProtocolError
from ..identity import ServiceIdentity

Metadata = tuple[tuple[str, str | bytes], ...]
"""Pairs as grpcio takes them: keys in lower case; bytes only under keys that end in ``-bin``."""

_LEGAL_KEY = re.compile(r"[0-9a-z_.-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_DUBBOS = "tri-"
# What servers of gRPC and HTTP add by themselves, and dubbo-go, which sends the request's attachments back.
_PROTOCOLS = DUBBOS_OWN | {
    "accept", "accept-encoding", "content-length", "content-type", "date", "grpc-accept-encoding", "grpc-encoding",
    "server", "te", "trailer", "user-agent",
}  # fmt: skip
_CONVERT = "tri-header-convert"
_RESERVED = ("grpc-", _DUBBOS, ":")


def fixed_metadata(identity: ServiceIdentity, application: str) -> Metadata:
    """Make what every request to a provider carries: version, group, application and token, where there are any.

    Raises:
        LocalProtocolError: One of them cannot travel; Dubbo reads none of them from a ``-bin`` key.
    """
    pairs = {
        "tri-service-version": identity.version,
        "tri-service-group": identity.group,
        "tri-consumer-appname": application,
    }
    for key, value in pairs.items():
        if not travels(value):
            raise LocalProtocolError(f'"{value}" cannot travel as {key}, which is printable ASCII', not_sent=True)
    token = to_metadata({"token": identity.token}) if identity.token else ()
    return tuple((key, value) for key, value in pairs.items() if value) + token


def travels(text: str) -> bool:
    """Tell whether *text* can be the value of a key that does not end in ``-bin``."""
    return _PRINTABLE.fullmatch(text) is not None


def to_metadata(attachments: Mapping[str, str | bytes]) -> Metadata:
    """Turn *attachments* into metadata pairs.

    Keys are lowered, as HTTP/2 asks. Bytes go under ``key-bin``, and so does text that is not printable ASCII, as
    UTF-8.

    Raises:
        LocalProtocolError: A key cannot travel, or is the framework's own, or text has no UTF-8.
    """
    return tuple(_pair(key, value) for key, value in attachments.items())


def _pair(key: str, value: str | bytes) -> tuple[str, str | bytes]:
    name = key.lower()
    if not _LEGAL_KEY.fullmatch(name) or name.startswith(_RESERVED) or name in NEVER_SENT:
        rule = "letters, digits, _ . and -, not beginning with grpc- or tri-, and none of async, sent, return, retries"
        raise LocalProtocolError(f'attachment "{key}" cannot travel as metadata; a key is {rule}', not_sent=True)
    if isinstance(value, str) and not name.endswith("-bin") and travels(value):
        return name, value
    data = _bytes(key, value) if isinstance(value, str) else value
    return (name if name.endswith("-bin") else f"{name}-bin"), data


def size_of(metadata: Metadata) -> int:
    """Count the bytes of keys and values."""
    return sum(len(key) + len(value) for key, value in metadata)


def _bytes(key: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f'the value of "{key}" is no text: {error}', not_sent=True) from error


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
        if key.endswith("-bin"):
            _bytes(key, text)
        elif not travels(text):
            text = f'the value of metadata key "{key}" is not printable ASCII'
            raise LocalProtocolError(f"{text}; only keys that end in -bin carry other bytes", not_sent=True)
    return metadata


def join_metadata(*parts: Iterable[tuple[str, Any]] | None) -> Mapping[str, Any]:
    """Join response metadata and trailers to one mapping; a later value of a key wins, ``-bin`` values are bytes."""
    joined = {key: value for part in parts if part for key, value in part}
    return joined or NO_ATTACHMENTS


def to_attachments(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out of joined metadata what is the protocol's own, and give keys the capitals of the provider's.

    Source: ``StreamUtils.toAttachments``; differs: a key keeps its ``-bin``, and nothing but its case changes.
    """
    if not any(map(_is_protocols, metadata)):  # nearly always
        return metadata
    spelled = _spellings(metadata.get(_CONVERT))
    users = {key: value for key, value in metadata.items() if not _is_protocols(key)}
    found = {_spelled(key, spelled): value for key, value in users.items()}
    return found or NO_ATTACHMENTS


def _is_protocols(key: str) -> bool:
    return key in _PROTOCOLS or key.startswith(_DUBBOS)


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
