"""Which endpoints provide which services, as one source knows it at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from callahead.config.extension import nearest

from .models import Endpoint, ServiceKey, unique

# Looking for the nearest name takes some 30 us for each; a reason must stay cheap.
_MOST_NAMES = 20


def _nothing() -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
    return MappingProxyType({})


def _no_texts() -> Mapping[TextKey, str]:
    return MappingProxyType({})


class TextKey(NamedTuple):
    """Which text is meant, as a `ConfigurationCentre` names it."""

    group: str
    key: str


class Providers(NamedTuple):
    """A `Snapshot` before it has a version."""

    endpoints: tuple[Endpoint, ...]
    reason: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that one source knows; immutable, so that a change is one new catalogue.

    Attributes:
        source: Where it is from, as errors shall name it: a path or an address.
        services: The endpoints of each service; the order is kept in what `find` gives.
        texts: What it keeps beside them, such as rules, by group and key.
    """

    source: str
    services: Mapping[ServiceKey, tuple[Endpoint, ...]] = field(default_factory=_nothing)
    texts: Mapping[TextKey, str] = field(default_factory=_no_texts)

    @classmethod
    def of(cls, source: str, entries: Iterable[tuple[ServiceKey, Endpoint]]) -> Catalogue:
        """Gather *entries*, each a service and one provider of it."""
        gathered: dict[ServiceKey, list[Endpoint]] = {}
        for service, endpoint in entries:
            gathered.setdefault(service, []).append(endpoint)
        return cls(source, {service: unique(endpoints) for service, endpoints in gathered.items()})

    def find(self, key: ServiceKey) -> Providers:
        """Collect the endpoints of *key*; where there is none, the reason names what comes nearest."""
        found = ((service, each) for service, each in self.services.items() if key.accepts(service))
        endpoints = unique(_told(service, endpoint) for service, each in found for endpoint in each)
        instead = "" if endpoints else self._instead(key)
        return Providers(endpoints, f"{self.source}: {counted(len(endpoints))} of {key}{instead}")

    def __len__(self) -> int:
        return sum(map(len, self.services.values()))

    def _instead(self, key: ServiceKey) -> str:
        others = [str(service) for service in self.services if service.interface == key.interface]
        if others:
            return f" (but of {', '.join(sorted(others))})"
        if len(self.services) > _MOST_NAMES:
            return f" (but of {len(self.services)} other services)"
        hint = nearest(key.interface, {service.interface for service in self.services})
        return f" ({hint})" if hint else ""


def _told(service: ServiceKey, endpoint: Endpoint) -> Endpoint:
    """Let *endpoint* say itself what only the key of its list says: who asks for any group must name one in a call."""
    named = {"group": service.group, "version": service.version}
    missing = {name: value for name, value in named.items() if value and name not in endpoint.parameters}
    return replace(endpoint, parameters={**endpoint.parameters, **missing}) if missing else endpoint


def counted(count: int) -> str:
    """Say how many providers there are, in words that fit into a sentence."""
    return f"{count or 'no'} provider{'' if count < 2 else 's'}"
