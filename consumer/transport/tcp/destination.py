"""Where a connection goes, as its pool says it to whoever dials."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from callahead.registry.models import bracketed

from .proxy import HttpProxy


class Tls(NamedTuple):
    """How TLS is spoken.

    Attributes:
        context: This side's certificates, whom it trusts, and what it offers to speak.
        server_name: Whose certificate the peer has to show.
        speaks: The protocol to which the peer has to agree (ALPN), "" for no such thing.
    """

    context: ssl.SSLContext
    server_name: str
    speaks: str = ""


class Destination(NamedTuple):
    """One peer.

    Attributes:
        host: Name or address, IPv6 without brackets.
        port: 1..65535.
        tls: None for plain TCP.
        proxy: Who makes the way there; None where it is dialled itself.
    """

    host: str
    port: int
    tls: Tls | None = None
    proxy: HttpProxy | None = None

    @property
    def name(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        return f"{bracketed(self.host)}:{self.port}"
