"""Smooth weighted round robin."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from callahead.registry.forking import fork_safe_lock

from ..call.invocation import Invocation
from ..call.provider import Provider
from .api import LoadBalanceParts
from .weights import PerList


class RoundRobinLoadBalance:
    """Take turns in proportion to the weights, spread evenly: with weights 5, 1, 1 a, a, b, a, c, a, a.

    By the rule each choice adds every weight to its provider's score, takes the highest score and lowers it by the sum
    of weights. Of the providers of one weight the one that has waited longest has the highest score, so that only one
    for each weight is compared: the sequence is the same, the cost O(different weights), under a lock; O(n log n) once
    per new list. Source: Dubbo ``RoundRobinLoadBalance`` (after nginx); differs: a provider that left is forgotten with
    the list that it left, not after 60 s, and the others keep their order.
    """

    def __init__(self, parts: LoadBalanceParts) -> None:
        self._lock = fork_safe_lock()
        self._turns: PerList[_Turns | _PartOfTurns] = PerList(parts.weights, _Latest().following)

    def select(self, providers: Sequence[Provider], invocation: Invocation) -> Provider:  # noqa: ARG002
        """Take the next turn; see `LoadBalance.select`."""
        with self._lock:
            return self._turns.of(providers).next()


class _Latest:
    """The turns of the list that came last, which those of the next one follow."""

    def __init__(self) -> None:
        self._turns = _Turns((), ())

    def following(self, providers: Sequence[Provider], weights: list[int]) -> _Turns | _PartOfTurns:
        """Return turns of *providers*: of a part of the list that came last, or of another list."""
        if self._turns.has_part(providers, weights):
            return _PartOfTurns(self._turns, providers)
        self._turns = _Turns(*self._turns.ordered(providers, weights))
        return self._turns


class _Group:
    """The providers of one weight, the next one first."""

    __slots__ = ("_left", "queue", "rounds", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.queue: deque[tuple[int, Provider]] = deque()
        self.rounds = self._left = 0

    def take(self) -> Provider:
        """Take the first, and put it behind the others; ``rounds`` counts how often all have been taken."""
        if not self._left:
            self._left = len(self.queue)
        self._left -= 1
        if not self._left:
            self.rounds += 1
        provider = self.queue[0][1]
        self.queue.rotate(-1)
        return provider


class _Turns:
    """Whose turn it is among providers of certain weights; where all weights are 0, all are equal."""

    def __init__(self, providers: Iterable[Provider], weights: Iterable[int]) -> None:
        self._weights = dict(zip(providers, weights, strict=True))
        self._total = sum(self._weights.values())
        groups: dict[int, _Group] = {}
        for place, (provider, weight) in enumerate(self._weights.items()):
            if weight or not self._total:
                groups.setdefault(weight, _Group(weight or 1)).queue.append((place, provider))
        self._groups = list(groups.values())
        self._sum = self._total or len(self._weights)
        self._step = 0

    def next(self) -> Provider:
        """Take the next turn."""
        self._step += 1
        best, highest = self._groups[0], self._score(self._groups[0])
        for group in self._groups[1:]:
            score = self._score(group)
            if score > highest or (score == highest and group.queue[0][0] < best.queue[0][0]):
                best, highest = group, score
        return best.take()

    def _score(self, group: _Group) -> int:
        return self._step * group.weight - group.rounds * self._sum

    def has_part(self, providers: Sequence[Provider], weights: Sequence[int]) -> bool:
        """Tell whether *providers* are some of these, with their weights, and get at least half of all turns."""
        known = self._weights
        if len(providers) >= len(known) or sum(weights) * 2 < self._total or not any(weights):
            return False
        if any(known.get(provider) != weight for provider, weight in zip(providers, weights, strict=True)):
            return False
        return not any(provider.has_left for provider in known.keys() - set(providers))

    def ordered(self, providers: Sequence[Provider], weights: Sequence[int]) -> tuple[list[Provider], list[int]]:
        """Put those first whose turn comes first here, so that none loses it by each change of the list."""
        ranks = {
            provider: rank / len(group.queue)
            for group in self._groups
            for rank, (_, provider) in enumerate(group.queue)
        }
        pairs = list(zip(providers, weights, strict=True))
        if ranks:
            pairs.sort(key=lambda pair: ranks.get(pair[0], 1.0))
        return [provider for provider, _ in pairs], [weight for _, weight in pairs]


class _PartOfTurns:
    """The turns of some of a list, as a retry asks about; those left out lose the turns that come up meanwhile."""

    def __init__(self, turns: _Turns, providers: Sequence[Provider]) -> None:
        self._turns = turns
        self._members = frozenset(providers)

    def next(self) -> Provider:
        """Take the next turn of one of them."""
        while (chosen := self._turns.next()) not in self._members:
            pass
        return chosen
