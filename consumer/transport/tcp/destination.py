"""Where a connection goes, as its pool says it to whoever dials."""

from __future__ import annotations

import re
import ssl
from typing import Final, NamedTuple

from callahead.registry.models import Endpoint, bracketed

from .proxy import HttpProxy

_DNS: Final = "dns:///"
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_DEFAULT_PORT: Final = 443  # that of gRPC, in such an address
_PORTS: Final = range(1, 65_536)
LOCAL: Final = "localhost"
"""What the peer behind a Unix socket is called. Source: grpc-go; differs from grpcio 1.85, which says the path."""


def place_of(endpoint: Endpoint) -> tuple[str, int]:
    """Give host and port of *endpoint*, those in ``dns:///host:port`` too; the whole and 0 of a Unix socket.

    Raises:
        ValueError: That is no host, or no port.
    """
    if endpoint.port or not endpoint.host.startswith(_DNS):
        return endpoint.host, endpoint.port
    match = _HOST_AND_PORT.fullmatch(endpoint.host, len(_DNS))
    if match is None or int(match[3] or _DEFAULT_PORT) not in _PORTS:
        raise ValueError
    return match[1] or match[2], int(match[3] or _DEFAULT_PORT)


def authority_of(endpoint: Endpoint) -> str:
    """Say whom requests to *endpoint* are for: ``host:port``."""
    host, port = place_of(endpoint)
    return f"{bracketed(host)}:{port}" if port else LOCAL


def in_ascii(host: str) -> bytes:
    """Write a name, and its port, as peers read it: other letters by IDNA, and as they are where that has no name."""
    try:
        return host.encode("ascii" if host.isascii() else "idna")
    except UnicodeError:
        return host.encode()


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
        host: Name or address, IPv6 without brackets; whole where it is a Unix socket, such as ``unix:///run/foo.sock``.
        port: 1..65535, or 0 where there is none beside the host.
        tls: None for plain TCP.
        proxy: Who makes the way there; None where it is dialled itself.
    """

    host: str
    port: int
    tls: Tls | None = None
    proxy: HttpProxy | None = None

    @property
    def name(self) -> str:
        """``host:port``, with brackets around an IPv6 host; the host alone where there is no port."""
        return f"{bracketed(self.host)}:{self.port}" if self.port else self.host
