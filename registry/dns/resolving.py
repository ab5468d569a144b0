"""Looking a name up: by dnspython, which knows ttl and SRV records, or by the system's own resolver."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..models import MAX_WEIGHT
from ..url import DEFAULT_WEIGHT
from .settings import Settings

if TYPE_CHECKING:
    from dns.resolver import Resolver

_NOTHING_THERE: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_FAMILIES: Final = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_RECORDS: Final = {"any": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}


class Place(NamedTuple):
    """One answer."""

    host: str
    port: int
    weight: int = DEFAULT_WEIGHT


class Answer(NamedTuple):
    """What a look brought.

    Attributes:
        places: Each once; none where the name, or what is asked of it, does not exist.
        ttl_s: How long that holds; None where it is not known.
    """

    places: tuple[Place, ...]
    ttl_s: float | None


class LookupFailed(Exception):
    """Nobody has answered, or whoever did could not tell."""


Resolve = Callable[[], Answer]
"""Looks once, and blocks for as long as that takes; raises `LookupFailed`."""


def by_system(settings: Settings) -> Resolve:
    """Make the look by ``getaddrinfo``, which knows the hosts file and search domains, and no ttl."""
    family = _FAMILIES[settings.family]

    def look() -> Answer:
        try:
            found = socket.getaddrinfo(settings.name, settings.port, family, socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in _NOTHING_THERE:
                return Answer((), None)
            raise LookupFailed(error.strerror or str(error)) from None
        except (OSError, UnicodeError) as error:
            raise LookupFailed(str(error)) from None
        return Answer(_places((str(address[0]), settings.port) for *_, address in found), None)

    return look


def by_dnspython(settings: Settings) -> Resolve:
    """Make the look by dnspython.

    Raises:
        ImportError: It is not installed.
    """
    import dns.exception
    import dns.resolver

    def look() -> Answer:
        try:
            resolver = _resolver(settings)
            return _services(resolver, settings) if settings.is_service else _addresses(resolver, settings)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise LookupFailed(_told(error, settings)) from None

    return look


def _resolver(settings: Settings) -> Resolver:
    """Make a resolver, each time anew: the system's servers may have changed."""
    from dns.resolver import Resolver

    resolver = Resolver(configure=settings.server is None)
    resolver.lifetime = settings.timeout_s
    if settings.server is not None:
        resolver.nameservers, resolver.port = [settings.server[0]], settings.server[1]
    return resolver


def _asked(resolver: Resolver, name: str, kind: str) -> tuple[list[Any], float | None]:
    """Ask for records; none where they do not exist."""
    from dns.resolver import NXDOMAIN

    try:
        answer = resolver.resolve(name, kind, raise_on_no_answer=False, search=True)
    except NXDOMAIN:
        return [], None
    return ([], None) if answer.rrset is None else (list(answer.rrset), float(answer.rrset.ttl))


def _addresses(resolver: Resolver, settings: Settings) -> Answer:
    from dns.exception import DNSException

    found: list[Any] = []
    ttls: list[float] = []
    for kind in _RECORDS[settings.family]:
        try:
            records, ttl = _asked(resolver, settings.name, kind)
        except DNSException:
            if not found:  # else IPv4 addresses are known, and some servers do not answer for IPv6
                raise
            continue
        found += records
        ttls += [] if ttl is None else [ttl]
    return Answer(_places((record.address, settings.port) for record in found), min(ttls, default=None))


def _services(resolver: Resolver, settings: Settings) -> Answer:
    """Take the SRV records of the lowest priority: those of others are for when these are gone (RFC 2782)."""
    records, ttl = _asked(resolver, settings.name, "SRV")
    lowest = min((record.priority for record in records), default=0)
    first = [record for record in records if record.priority == lowest and str(record.target) != "."]
    weighted = any(record.weight for record in first)
    places = [
        Place(
            str(record.target).rstrip("."),
            record.port,
            min(record.weight, MAX_WEIGHT) if weighted else DEFAULT_WEIGHT,
        )
        for record in first
    ]
    return Answer(tuple(dict.fromkeys(places)), ttl)


def _places(found: Iterable[tuple[str, int]]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place(host, port) for host, port in found))


def _told(error: Exception, settings: Settings) -> str:
    from dns.resolver import LifetimeTimeout

    if isinstance(error, LifetimeTimeout):  # whose own text has a time that differs with each look, and so fills a log
        last = (error.kwargs.get("errors") or [("",)])[-1]
        return f"no answer within {settings.timeout_s:g} s{f' ({last[3]})' if len(last) > 3 else ''}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
