"""What the headers or trailers of an answer say to gRPC, read once for equal ones."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ....call.invocation import NO_ATTACHMENTS
from ....wire.http2.static_table import Fields
from ..metadata import Metadata

_OWN: Final = frozenset({"content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-message", "grpc-status", "te"})
_GRPC: Final = "application/grpc"
_BEHIND_GRPC: Final = ("", "+", ";")
_SHOWN: Final = 100

# What gRPC makes of an answer that has no status of its own. Source: gRPC's ``http-grpc-status-mapping.md``.
_OF_HTTP: Final[Mapping[str, str]] = {
    "400": "INTERNAL",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED",
    "429": "UNAVAILABLE",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "UNAVAILABLE",
}


class ResponseHead:
    """Headers or trailers of an answer.

    Attributes:
        opens: They have a status of HTTP, as the first of an answer have and its trailers have not.
        status: Number of the status, or None where there is none; -1 for what is no number.
        text: What the provider says beside it.
        encoding: How its messages may be compressed.
        pairs: Metadata as gRPC gives it to users.
        attachments: The same as a mapping.
        refusal: gRPC's name of a status and a text, where no gRPC server answered so; else None.
    """

    __slots__ = ("attachments", "encoding", "opens", "pairs", "refusal", "status", "text")

    def __init__(self, fields: Fields) -> None:
        found: dict[str, bytes] = {}
        pairs: list[tuple[str, str | bytes]] = []
        for raw, value in fields:
            name, is_own, is_binary = _known_name(raw) if len(raw) <= _SHOWN else _read_name(raw)
            if is_own:
                found.setdefault(name, value)
            elif is_binary:
                pairs += [(name, _unbase64(part)) for part in value.split(b",")]
            else:
                pairs.append((name, _text(value)))
        self.opens = ":status" in found
        status = found.get("grpc-status")
        self.status = None if status is None else _number(status)
        text = found.get("grpc-message")
        self.text = unquote_to_bytes(text).decode("utf-8", "replace") if text else ""
        self.encoding = found.get("grpc-encoding", b"identity").decode("latin-1")
        self.pairs: Metadata = tuple(pairs)
        self.attachments: Mapping[str, Any] = dict(pairs) if pairs else NO_ATTACHMENTS
        self.refusal = None if self.status is not None else _refusal(found)


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 10 else -1


def _refusal(found: Mapping[str, bytes]) -> tuple[str, str] | None:
    """Judge headers without a status of gRPC, which may be trailers."""
    http = found.get(":status")
    if http is None:
        return None
    if http != b"200":
        code = http.decode("latin-1")
        return _OF_HTTP.get(code, "UNKNOWN"), f"the provider answers with HTTP status {code}"
    kind = found.get("content-type", b"").decode("latin-1")
    if kind.startswith(_GRPC) and kind[len(_GRPC) : len(_GRPC) + 1] in _BEHIND_GRPC:
        return None
    return "UNKNOWN", f'the provider answers with content-type "{kind[:_SHOWN]}", which is not gRPC\'s'


def _read_name(raw: bytes) -> tuple[str, bool, bool]:
    """Return the name, whether it is gRPC's own, and whether its values are binary."""
    name = raw.decode("latin-1")
    return name, name in _OWN or name.startswith(":"), name.endswith("-bin")


_known_name = lru_cache(256)(_read_name)


def _unbase64(value: bytes) -> bytes:
    """Decode a binary value; what is none stays as it came."""
    stripped = value.strip().rstrip(b"=")
    try:
        return binascii.a2b_base64(stripped + b"=" * (-len(stripped) % 4))
    except binascii.Error:
        return value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def joined(head: ResponseHead | None, tail: ResponseHead | None) -> Mapping[str, Any]:
    """Join the metadata of both; a later value of a key wins."""
    if head is None or not head.pairs:
        return dict(tail.attachments) if tail is not None and tail.pairs else NO_ATTACHMENTS  # a copy: heads are shared
    return {**head.attachments, **({} if tail is None else tail.attachments)}
