"""HPACK's static table. Source: RFC 7541, appendix A."""

from __future__ import annotations

from typing import Final

Field = tuple[bytes, bytes]
"""Name and value of one header."""

Fields = tuple[Field, ...]
"""The headers of one block, in order."""

_NAMES: Final = """
:authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status
accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow authorization
cache-control content-disposition content-encoding content-language content-length content-location content-range
content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range referer
refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate
"""
_VALUES: Final = {
    2: "GET", 3: "POST", 4: "/", 5: "/index.html", 6: "http", 7: "https", 8: "200", 9: "204", 10: "206", 11: "304",
    12: "400", 13: "404", 14: "500", 16: "gzip, deflate",
}  # fmt: skip

STATIC_TABLE: Final[Fields] = tuple(
    (name.encode(), _VALUES.get(index, "").encode()) for index, name in enumerate(_NAMES.split(), 1)
)
"""Index 1 stands first."""
