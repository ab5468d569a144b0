"""HTTP proxies as gRPC core obeys them: which one the environment names, and for whom.

Source: gRPC core's ``HttpProxyMapper``, and what grpcio 1.85 was seen to do, which matches domains by whole labels.
"""

from __future__ import annotations

import logging
from binascii import b2a_base64
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from callahead.registry.models import bracketed

_LOG = logging.getLogger("callahead.consumer.tri")
_NAMED_BY: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_NOT_FOR: Final = ("no_grpc_proxy", "no_proxy")
_DEFAULT_PORT: Final = 443  # that of gRPC core, for whatever has none


class HttpProxy(NamedTuple):
    """A proxy; its ``repr`` holds no secret.

    Attributes:
        host: Name or address, IPv6 without brackets.
        port: 1..65535.
        variable: Of the environment, which names it.
        user: ``user:password`` to log in with, "" for nobody.
    """

    host: str
    port: int
    variable: str
    user: str = ""

    @property
    def name(self) -> str:
        """Say for messages who it is, and who says so."""
        return f"the proxy {bracketed(self.host)}:{self.port} ({self.variable})"

    def request(self, to: bytes) -> bytes:
        """Make what asks for a way *to* ``host:port``."""
        login = b2a_base64(self.user.encode(), newline=False)
        lines = [
            b"CONNECT %b HTTP/1.1" % to,
            b"Host: %b" % to,
            b"User-Agent: callahead",
            *([b"Proxy-Authorization: Basic %b" % login] if self.user else []),
        ]
        return b"".join(line + b"\r\n" for line in [*lines, b""])

    def __repr__(self) -> str:
        return f"<{self.name}>"


def proxy_to(host: str, environment: Mapping[str, str]) -> HttpProxy | None:
    """Find the proxy by which *host* is to be reached; None for none.

    A variable that is set and empty says that there is none, and one that names no HTTP proxy likewise, with a warning.
    """
    variable = next((name for name in _NAMED_BY if name in environment), "")
    written = environment.get(variable, "")
    if not written or _is_spared(host, next((environment[name] for name in _NOT_FOR if name in environment), "")):
        return None
    proxy = _read(variable, written)
    if proxy is None:  # which is not quoted, since it may hold a password
        _LOG.warning("%s is not of the form http://[user:password@]host:port, and is ignored", variable)
    return proxy


def _read(variable: str, written: str) -> HttpProxy | None:
    try:
        url = urlsplit(written)
        if url.scheme != "http" or not url.hostname:
            return None
        user = unquote(url.netloc.rpartition("@")[0])
        return HttpProxy(url.hostname, url.port or _DEFAULT_PORT, variable, user)
    except ValueError:
        return None


def _is_spared(host: str, entries: str) -> bool:
    return any(_names(entry, host) or _holds(entry, host) for entry in map(str.strip, entries.split(",")) if entry)


def _names(entry: str, host: str) -> bool:
    """Tell whether *entry* is *host*, or a domain above it."""
    domain = entry.lower().removeprefix(".")
    return host.lower() == entry.lower() or host.lower().endswith(f".{domain}")


def _holds(entry: str, host: str) -> bool:
    """Tell whether *entry* is a network, such as 10.0.0.0/8, with the address *host* in it."""
    if not entry.rpartition("/")[2].isdecimal() or "/" not in entry:
        return False
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
