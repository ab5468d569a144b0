"""Routers by Dubbo's rules for service meshes: calls of some kind go to subsets of an application's providers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, NamedTuple

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import Look, Providers, Router, Split

if TYPE_CHECKING:
    from .mesh_rules import Destination, MeshRule, Route

_NONE = -1


class _Share(NamedTuple):
    """Some providers, and how many of the calls are theirs."""

    providers: frozenset[Provider]
    weight: int


class Mesh:
    """The rule of one application, for one reference.

    Source: Dubbo's ``MeshRuleRouter`` and ``MeshRuleCache``; differs: the share of a subset is its weight, where
    Dubbo's first one has one more of the total.

    Args:
        rule: The rule.
        caller: What is known of this program and the service, by Dubbo's names.
        origin: Where the rule was written.
    """

    def __init__(self, rule: MeshRule, caller: Mapping[str, str], origin: str) -> None:
        self.application = rule.application
        self.origin = origin
        self._caller = caller
        self._routes = _routes_of(rule, caller.get("interface", ""))
        self._subsets: dict[str, list[Mapping[str, str]]] = {}
        for subset in rule.subsets:
            self._subsets.setdefault(subset.name, []).append(subset.labels)

    def chosen(self, invocation: Invocation) -> int:
        """Give the place of the first route that speaks of the call, -1 where none does."""
        for place, route in enumerate(self._routes):
            if all(request.is_of(self._caller) and request.accepts(invocation) for request in route.match):
                return place
        return _NONE

    def shares(self, invocation: Invocation, providers: Providers) -> list[_Share]:
        """Give where the call may go, by chance; nothing where the rule does not speak of it, or nobody is there."""
        place = self.chosen(invocation)
        if place == _NONE:
            return []
        own = [one for one in providers if self._is_of(one)]
        targets = self._routes[place].route
        return _dealt([(self._meant(target.destination, own), max(target.weight, 1)) for target in targets])

    def _is_of(self, provider: Provider) -> bool:
        return self.application in ("", provider.endpoint.parameters.get("application"))

    def _meant(self, destination: Destination, own: Iterable[Provider]) -> frozenset[Provider]:
        """Give those of the subset, or of the first that is to stand in for it and has anybody."""
        asked: Destination | None = destination
        while asked is not None:
            labels = self._subsets.get(asked.subset, ())
            found = frozenset(one for one in own if any(_has(one, some) for some in labels))
            if found:
                return found
            asked = asked.fallback.destination if asked.fallback else None
        return frozenset()


def _routes_of(rule: MeshRule, interface: str) -> Sequence[Route]:
    """Give the routes of the first service that speaks of *interface*; those of later ones never count."""
    return next((service.routedetail for service in rule.services if service.is_of(interface)), ())


def _has(provider: Provider, labels: Mapping[str, str]) -> bool:
    parameters = provider.endpoint.parameters
    return all(parameters.get(key) == value for key, value in labels.items())


def _dealt(found: Sequence[tuple[frozenset[Provider], int]]) -> list[_Share]:
    """Give the share of a target that has nobody to the next one that has, after the last to the first."""
    there = [place for place, (some, _) in enumerate(found) if some]
    weights = dict.fromkeys(there, 0)
    for place, (_, weight) in enumerate(found):
        if there:
            weights[next((one for one in there if one >= place), there[0])] += weight
    return [_Share(found[place][0], weight) for place, weight in weights.items()]


class MeshRouter:
    """Sends calls where the rules of all the applications that provide a service want them.

    Each application's rule chooses among its own providers. A call goes to those that any of the rules chose, and to
    all where none speaks of it or none of those meant is there.

    Args:
        meshes: At least one.
    """

    def __init__(self, meshes: Sequence[Mesh]) -> None:
        self.meshes = tuple(meshes)
        self.looks: tuple[Look, ...] = tuple(mesh.chosen for mesh in meshes)
        self.name = f"mesh ({', '.join(mesh.origin for mesh in meshes)})"

    def route(self, providers: Providers, invocation: Invocation) -> Providers | Split:
        """Narrow *providers*; see `Router.route`."""
        choices = [shares for mesh in self.meshes if (shares := mesh.shares(invocation, providers))]
        if not choices:
            return providers
        parts = [(_listed(share.providers, providers), share.weight) for share in _together(choices)]
        return parts[0][0] if len(parts) == 1 else Split(*map(tuple, zip(*parts, strict=True)))


def _listed(some: frozenset[Provider], providers: Providers) -> Providers:
    return providers if len(some) == len(providers) else tuple(one for one in providers if one in some)


def _together(choices: Sequence[Sequence[_Share]]) -> list[_Share]:
    """Join the choices of several applications by one draw for all: the share of each of them stays what it is."""
    if len(choices) == 1:
        return list(choices[0])
    ends = [_ends(shares) for shares in choices]
    cuts = sorted({end for some in ends for end, _ in some})
    whole = lcm(*(cut.denominator for cut in cuts))
    joined: list[_Share] = []
    before = Fraction(0)
    for cut in cuts:
        together = frozenset().union(*(next(chosen for end, chosen in some if end >= cut) for some in ends))
        joined.append(_Share(together, int((cut - before) * whole)))
        before = cut
    return joined


def _ends(shares: Sequence[_Share]) -> list[tuple[Fraction, frozenset[Provider]]]:
    """Give where each share ends, of a whole of 1."""
    total = sum(share.weight for share in shares)
    reached, ends = 0, []
    for share in shares:
        reached += share.weight
        ends.append((Fraction(reached, total), share.providers))
    return ends


def joined(routers: Sequence[Router]) -> list[Router]:
    """Make one of all routers of *routers* that obey rules of meshes, in the place of the first of them."""
    meshes = [mesh for router in routers if isinstance(router, MeshRouter) for mesh in router.meshes]
    if not meshes:
        return list(routers)
    first = next(place for place, router in enumerate(routers) if isinstance(router, MeshRouter))
    others = [router for router in routers[first:] if not isinstance(router, MeshRouter)]
    return [*routers[:first], MeshRouter(meshes), *others]
