"""The same provider for the same arguments, also where others come and go."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from hashlib import md5
from struct import Struct, unpack
from typing import Any
from weakref import WeakValueDictionary

from callahead.registry.forking import fork_safe_lock

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import LoadBalanceParts
from .javatext import java_text
from .weights import PerList

# A point of the ring and its owner are one number, which is exact up to 53 bits. It is a float, since Python sorts
# these in a third of the time that it takes for integers of this size.
_OWNERS = float(2**21)
_FIRST = Struct("<I")
_NOTHING = object()


class ConsistentHashLoadBalance:
    """Choose by the arguments that ``hash.arguments`` names: equal ones go to one provider, as long as it is there.

    Each address has ``hash.nodes`` points on a ring; the arguments are a point, too, and the next one after it has the
    call. Where a provider leaves only its own calls go elsewhere. Cost O(log n); a new list costs O(n) and the hashes
    of those that are new in it, under a lock, once for all methods. Weights do not count, but for 0. Of each point 8
    bytes are kept. Source: Dubbo ``ConsistentHashLoadBalance``, of whose choices it makes the very same; differs: a
    weight of 0 takes a provider off the ring, and a retry goes to the next provider on it.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._chosen = tuple(int(one) if one.isdecimal() else one for one in parts.policy.hash_arguments)
        self._latest = _Latest(parts.policy.hash_nodes // 4)
        self._rings = PerList(parts.weights, self._latest.fitting)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:
        """Choose by the arguments; see `LoadBalance.select`."""
        members, ring = self._rings.of(providers)
        return ring.next(_point(key_of(self._chosen, invocation.args, invocation.kwargs)), members)


class _Latest:
    """The ring that was made last, of which the next one is made."""

    def __init__(self, digests: int) -> None:
        self.ring = _Ring(digests)

    def fitting(self, providers: Sequence[Provider], weights: list[int]) -> tuple[frozenset[Provider], _Ring]:
        """Return those that may be chosen, and a ring that all of them are on."""
        weighted = frozenset(one for one, weight in zip(providers, weights, strict=True) if weight)
        members = weighted or frozenset(providers)
        with _MAKING:
            key = (self.ring.digests, members)
            found = _SHARED.get(key)
            if found is None:
                found = self.ring.fitting(providers, members)
                if found is not self.ring:
                    _SHARED[key] = found
            self.ring = found
            return members, found


class _Ring:
    """Points of providers in order; immutable once it is in use.

    Args:
        digests: Of each provider, each of which gives four points.
        entries: Of each point its 32 bits, times `_OWNERS`, and the number of its owner.
        owners: Providers by these numbers.
    """

    def __init__(
        self, digests: int, entries: array[float] | None = None, owners: Mapping[float, Provider] | None = None
    ) -> None:
        self.digests = digests
        self._entries = array("d") if entries is None else entries
        self._owners = {} if owners is None else owners
        self._members = frozenset(self._owners.values())

    def next(self, point: int, members: frozenset[Provider]) -> Provider:
        """Return the first of *members*, of which one at least is on the ring, from *point* on."""
        entries, owners = self._entries, self._owners
        place = bisect_left(entries, point * _OWNERS)
        while True:
            if place == len(entries):
                place = 0
            owner = owners[entries[place] % _OWNERS]
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
        # The newest has the lowest number, since of equal points Java keeps the one that was put there last.
        first = min(stay, default=_OWNERS) - 1
        if stay and first < len(added):  # all numbers have been used
            return _Ring(self.digests).fitting(providers, members)
        entries = list(self._entries)
        if len(stay) < len(self._owners):
            entries = [entry for entry in entries if entry % _OWNERS in stay]
        numbered = {first - count: one for count, one in enumerate(added)}
        for number, one in numbered.items():
            entries += [point * _OWNERS + number for point in _points(one.endpoint.address, self.digests)]
        entries.sort()  # of which the long part is in order already
        return _Ring(self.digests, array("d", entries), {**stay, **numbered})


# All methods with one list and one number of points share a ring, of which that of 10,000 providers takes a second.
_SHARED: WeakValueDictionary[tuple[int, frozenset[Provider]], _Ring] = WeakValueDictionary()
_MAKING = fork_safe_lock()


def _points(address: str, digests: int) -> Sequence[int]:
    """Give the points of an address, four for each of its *digests*, as in Dubbo."""
    texts = (f"{address}{number}".encode() for number in range(digests))
    return unpack(f"<{4 * digests}I", b"".join([md5(text, usedforsecurity=False).digest() for text in texts]))


def _point(key: str) -> int:
    digest = md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    point: int = _FIRST.unpack_from(digest)[0]
    return point


def key_of(chosen: Sequence[int | str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Join the text of the *chosen* arguments, each a place from 0 or a name; what is not there is left out.

    Keywords have places behind the others, in the order of their names. A name is that of a keyword, else of a field
    of the first argument, which may be a message.
    """
    placed = [*args, *(kwargs[name] for name in sorted(kwargs))] if kwargs else args
    texts = []
    for one in chosen:
        value = _placed(one, placed) if isinstance(one, int) else _named(one, args, kwargs)
        if value is not _NOTHING:
            texts.append(java_text(value))
    return "".join(texts)


def _placed(place: int, values: Sequence[Any]) -> Any:
    return values[place] if place < len(values) else _NOTHING


def _named(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if name in kwargs:
        return kwargs[name]
    return getattr(args[0], name, _NOTHING) if args else _NOTHING
