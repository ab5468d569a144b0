"""What a registry speaks of: a service, an endpoint that provides it, and the list of all of them at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """Which service is meant; ``group`` and ``version`` may be ``"*"`` or a comma list when asking."""

    interface: str
    group: str = ""
    version: str = ""

    def __str__(self) -> str:
        group = f"{self.group}/" if self.group else ""
        version = f":{self.version}" if self.version else ""
        return f"{group}{self.interface}{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One provider of one service, at one address.

    Attributes:
        protocol: Name of the transport it speaks, such as ``tri``.
        host: Name or address; IPv6 without brackets.
        port: 1..65535.
        weight: 0..10000; 0 is never chosen while another is above 0.
        parameters: All parameters of the provider's URL, unknown ones included.
    """

    protocol: str
    host: str
    port: int
    weight: int = 100
    parameters: Mapping[str, str] = field(default_factory=_nothing, hash=False)

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.protocol}://{self.address}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The full list of a service's providers at one moment; never a difference to an earlier one.

    Attributes:
        version: Grows by at least one with each snapshot of one subscription.
        endpoints: No endpoint twice; the order carries no meaning.
        reason: Why the list is what it is, such as ``"conf/providers.yml: 2 providers"``; named in errors.
    """

    version: int
    endpoints: tuple[Endpoint, ...]
    reason: str = ""
