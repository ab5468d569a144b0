"""What a registry speaks of: a service, an endpoint that provides it, and the list of all of them at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

ANY = "*"

MAX_WEIGHT = 10_000
"""The most that a provider may weigh."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


def _wants(asked: str, provided: str) -> bool:
    return asked in (ANY, provided) or ("," in asked and provided in (part.strip() for part in asked.split(",")))


def bracketed(host: str) -> str:
    """Write *host* as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """Which service is meant; ``group`` and ``version`` may be ``"*"`` or a comma list when asking.

    An ``interface`` of ``"*"`` asks for every service, or is what a provider has that serves any.
    """

    interface: str
    group: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> ServiceKey:
        """Read ``[group/]interface[:version]``, the form that ``str()`` writes."""
        group, _, rest = text.strip().rpartition("/")
        interface, _, version = rest.partition(":")
        return cls(interface, group, version)

    def accepts(self, provided: ServiceKey) -> bool:
        """Tell whether one who asks for this key may be given a provider of *provided*.

        Source: Dubbo ``UrlUtils.isMatch``; who asks for no group or version is given only providers without one.
        """
        if self.interface != provided.interface and ANY not in (self.interface, provided.interface):
            return False
        return _wants(self.group, provided.group) and _wants(self.version, provided.version)

    def __str__(self) -> str:
        group = f"{self.group}/" if self.group else ""
        version = f":{self.version}" if self.version else ""
        return f"{group}{self.interface}{version}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The registry that told of a provider, as the configuration describes it.

    Attributes:
        registry: Its id.
        preferred: Its providers go before all others.
        zone: Where it is, "" where that is not said.
        weight: 0..10000, among registries.
    """

    registry: str = ""
    preferred: bool = False
    zone: str = ""
    weight: int = 100


UNKNOWN_ORIGIN = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One provider of one service, at one address.

    Attributes:
        protocol: Name of the transport it speaks, such as ``tri``.
        host: Name or address, IPv6 without brackets; the reference's id where the provider is in this process; whole
            where the transport resolves it by itself, such as ``dns:///host:50051``.
        port: 1..65535, or 0 where there is none beside the host.
        path: Path of the provider's URL without its first slash, mostly the interface; "" where the URL has none.
        weight: 0..10000; 0 is never chosen while another is above 0.
        parameters: All parameters of the provider's URL, unknown ones included. Not in the ``repr``: one of them may be
            a ``token``.
        origin: The registry that told of it, where a reference asks several; else None.
    """

    protocol: str
    host: str
    port: int
    path: str = ""
    weight: int = 100
    parameters: Mapping[str, str] = field(default_factory=_nothing, hash=False, repr=False)
    origin: Origin | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 host; the host alone where there is no port."""
        return f"{bracketed(self.host)}:{self.port}" if self.port else self.host

    def __str__(self) -> str:
        return f"{self.protocol}://{self.address}"


def unique(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Keep the first endpoint of each protocol and address, in the order given."""
    first: dict[tuple[str, str, int], Endpoint] = {}
    for endpoint in endpoints:
        first.setdefault((endpoint.protocol, endpoint.host, endpoint.port), endpoint)
    return tuple(first.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The full list of a service's providers at one moment; never a difference to an earlier one.

    Attributes:
        version: Grows by at least one with each snapshot of one subscription.
        endpoints: No protocol and address twice; the order carries no meaning.
        reason: Why the list is what it is, such as ``"conf/providers.yml: 2 providers"``; named in errors.
        is_known: The registry has answered at least once; False where it could not be asked so far, or not for all.
    """

    version: int
    endpoints: tuple[Endpoint, ...]
    reason: str = ""
    is_known: bool = True
