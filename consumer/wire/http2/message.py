"""Whether the headers of an answer are such, whatever they say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from .static_table import Fields

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FORBIDDEN: Final = re.compile(rb"[\0\r\n]")
# These speak of a connection of HTTP/1, and mean nothing here.
_OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_STATUS: Final = b":status"
_STATUSES: Final = re.compile(rb"[1-9][0-9]{2}")
_SHOWN: Final = 64


def malformed(fields: Fields) -> str:
    """Say what is wrong with the headers of an answer; "" for nothing. Source: RFC 9113, 8.2 and 8.3."""
    rest = fields
    if fields and fields[0][0] == _STATUS:
        if _STATUSES.fullmatch(fields[0][1]) is None or fields[0][1] == b"101":
            return f"a status of {_shown(fields[0][1])}"
        rest = fields[1:]
    for name, value in rest:
        wrong = _known_name(name) if len(name) <= _SHOWN else _wrong_name(name)
        if wrong:
            return wrong
        if _FORBIDDEN.search(value):
            return f"a value of {_shown(name)} with a line break or NUL in it"
    return ""


def is_informational(fields: Fields) -> bool:
    """Tell whether well-formed headers only say that the answer is still to come."""
    return bool(fields) and fields[0][0] == _STATUS and fields[0][1].startswith(b"1")


def _wrong_name(name: bytes) -> str:
    if _NAME.fullmatch(name) is None:
        return f"a header that is called {_shown(name)}"
    return f"a header {_shown(name)}, which HTTP/2 has not" if name in _OF_CONNECTIONS else ""


_known_name = lru_cache(256)(_wrong_name)


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN].decode("latin-1"))
