"""The same provider for the same arguments, also where others come and go."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from hashlib import md5
from struct import unpack
from typing import Any

from ..call.invocation import Invocation
from ..call.provider import Provider
from ..runtime.forking import fork_safe_lock
from .api import LoadBalanceParts
from .javatext import java_text

_OWNER_BITS = 32
_OWNER = (1 << _OWNER_BITS) - 1


class ConsistentHashLoadBalance:
    """Choose by the arguments that ``hash.arguments`` names: equal ones go to one provider, as long as it is there.

    Each address has ``hash.nodes`` points on a ring; the arguments are a point, too, and the next one after it has the
    call. Where a provider leaves only its own calls go elsewhere. Cost O(log n); a new list costs O(n) and the hashes
    of those that are new in it, under a lock. Weights do not count, but for 0. Of each point 8 bytes are kept.
    Source: Dubbo ``ConsistentHashLoadBalance``, of whose choices it makes the very same; differs: a weight of 0 takes a
    provider off the ring, and a retry goes to the next provider on it.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._arguments = parts.policy.hash_arguments
        self._weights = parts.weights
        self._ring = _Ring(parts.policy.hash_nodes)
        self._lock = fork_safe_lock()
        self._listed: tuple[Sequence[Provider], frozenset[Provider], _Ring] = ((), frozenset(), self._ring)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        """Choose by the arguments; see `LoadBalance.select`."""
        point = _point(key_of(self._arguments, invocation.args, invocation.kwargs))
        listed, members, ring = self._listed
        if listed is not providers:
            members, ring = self._take_over(providers)
        return ring.next(point, members)

    def _take_over(self, providers: Sequence[Provider]) -> tuple[frozenset[Provider], _Ring]:
        weights, _ = self._weights.of(providers)  # warm or not, a weight is 0 or it is not
        weighted = frozenset(one for one, weight in zip(providers, weights, strict=True) if weight)
        members = weighted or frozenset(providers)
        with self._lock:
            self._ring = self._ring.fitting(providers, members)
            self._listed = (providers, members, self._ring)
            return members, self._ring


class _Ring:
    """Points of providers in order; immutable once it is in use.

    Args:
        nodes: Points of each provider.
        entries: Of each point its 32 bits, and behind them the place of its owner in *owners*.
        owners: Providers, and None for one that is on the ring no more.
    """

    def __init__(
        self, nodes: int, entries: array[int] | None = None, owners: Mapping[int, Provider] | None = None
    ) -> None:
        self._nodes = nodes
        self._entries = array("Q") if entries is None else entries
        self._owners = {} if owners is None else owners
        self._members = frozenset(self._owners.values())

    def next(self, point: int, members: frozenset[Provider]) -> Provider:
        """Return the first of *members*, of which one at least is on the ring, from *point* on."""
        entries, owners = self._entries, self._owners
        place = bisect_left(entries, point << _OWNER_BITS)
        while True:
            if place == len(entries):
                place = 0
            owner = owners[entries[place] & _OWNER]
            if owner in members:
                return owner
            place += 1

    def fitting(self, providers: Iterable[Provider], members: frozenset[Provider]) -> _Ring:
        """Return a ring that all *members* are on, and no more than as many others.

        A retry asks about a part of the list, for which no ring is made anew: those left out are stepped over.
        """
        added = [one for one in providers if one in members and one not in self._members]
        if not added and len(self._members) <= 2 * len(members):
            return self
        stay = {number: one for number, one in self._owners.items() if one in members}
        entries = list(self._entries)
        if len(stay) < len(self._owners):
            entries = [entry for entry in entries if entry & _OWNER in stay]
        # The newest has the lowest number, since of equal points Java keeps the one that was put there last.
        first = min(stay, default=_OWNER)
        numbered = {first - 1 - count: one for count, one in enumerate(added)}
        for number, one in numbered.items():
            entries += [point << _OWNER_BITS | number for point in _points(one.endpoint.address, self._nodes // 4)]
        entries.sort()  # of which the long part is in order already
        return _Ring(self._nodes, array("Q", entries), {**stay, **numbered})


def _points(address: str, digests: int) -> Sequence[int]:
    """Give the points of an address, four for each of its *digests*, as in Dubbo."""
    texts = (f"{address}{number}".encode() for number in range(digests))
    return unpack(f"<{4 * digests}I", b"".join([md5(text, usedforsecurity=False).digest() for text in texts]))


def _point(key: str) -> int:
    digest = md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "little")


def key_of(chosen: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Join the text of the *chosen* arguments: by place from 0, keywords in the order of their names; or by keyword."""
    placed = list(args)
    placed += [kwargs[name] for name in sorted(kwargs)] if kwargs else ()
    texts = []
    for one in chosen:
        if one in kwargs:
            texts.append(java_text(kwargs[one]))
        elif one.isdecimal() and int(one) < len(placed):
            texts.append(java_text(placed[int(one)]))
    return "".join(texts)
