"""Providers of several registries: those of the preferred one, of the same zone, or by the weight of registries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from callahead.registry.models import UNKNOWN_ORIGIN, Origin

from ..call.invocation import Invocation
from ..call.provider import Provider
from ..loadbalance.api import LoadBalance
from .api import ClusterParts
from .failover import FailoverCluster

ZONE = "registry_zone"
"""The attachment by which a call says its zone; ``parameters`` may set it for all."""


class ZoneAwareCluster(FailoverCluster):
    """`FailoverCluster` that chooses a registry first, where a reference has several.

    Of the providers that may be asked those of ``preferred`` registries come first, then those of the call's own zone,
    which its attachment ``registry_zone`` tells; else a registry is chosen by chance in proportion to the weights of
    registries. The load balancer chooses among what is left. A repetition goes to a provider that was not tried, in
    another registry where this one has none. Source: Dubbo ``ZoneAwareClusterInvoker``; differs: an attempt that fails
    leaves its registry, and ``registry_zone_force`` is not obeyed.
    """

    def __init__(self, parts: ClusterParts) -> None:
        super().__init__(replace(parts, loadbalance=_Registries(parts.loadbalance, parts.random)))


@dataclass(frozen=True, slots=True)
class _Split:
    """One list of providers, apart."""

    preferred: tuple[Provider, ...]
    zones: dict[str, tuple[Provider, ...]]
    registries: list[tuple[Provider, ...]]
    sums: list[int]


class _Registries:
    """A `LoadBalance` that narrows the list for another."""

    def __init__(self, other: LoadBalance, random: Random) -> None:
        self._other = other
        self._random = random
        self._known: tuple[Sequence[Provider], _Split] = ((), _Split((), {}, [], []))

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        seen, split = self._known
        if seen is not providers:
            split = _split(providers)
            self._known = (providers, split)
        left = split.preferred or split.zones.get(invocation.attachments.get(ZONE, "")) or self._by_weight(split)
        return left[0] if len(left) == 1 else self._other.select(left, invocation)

    def _by_weight(self, split: _Split) -> tuple[Provider, ...]:
        whole = split.sums[-1]
        if whole == 0:
            return split.registries[int(self._random.random() * len(split.registries))]
        return split.registries[bisect_right(split.sums, self._random.random() * whole)]


def _split(providers: Sequence[Provider]) -> _Split:
    by_origin: dict[Origin, list[Provider]] = {}
    for provider in providers:
        by_origin.setdefault(provider.endpoint.origin or UNKNOWN_ORIGIN, []).append(provider)
    zones: dict[str, tuple[Provider, ...]] = {}
    for origin, found in by_origin.items():
        if origin.zone:
            zones[origin.zone] = (*zones.get(origin.zone, ()), *found)
    preferred = tuple(one for origin, found in by_origin.items() if origin.preferred for one in found)
    sums = list(accumulate(origin.weight for origin in by_origin))
    return _Split(preferred, zones, list(map(tuple, by_origin.values())), sums)
