"""Drawing providers by chance, in proportion to their weights."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from ..call.provider import Provider


class Urn:
    """The providers of one list, to be drawn from; where all weights are 0, all are equal.

    Cost O(log n) a draw, O(n) to make it.

    Attributes:
        providers: Those of the list that can be drawn, in its order.
        weights: Theirs, all above 0.
    """

    __slots__ = ("_sums", "_total", "providers", "weights")

    def __init__(self, providers: Sequence[Provider], weights: list[int]) -> None:
        if not any(weights):
            weights = [1] * len(providers)
        elif not all(weights):
            providers = [provider for provider, weight in zip(providers, weights, strict=True) if weight]
            weights = list(filter(None, weights))
        self.providers = providers
        self.weights = weights
        self._sums = list(accumulate(weights))
        self._total = self._sums[-1]

    def draw(self, random: Random) -> Provider:
        """Draw one."""
        return self.providers[bisect_right(self._sums, random.random() * self._total)]

    def draw_two(self, random: Random) -> tuple[Provider, Provider]:
        """Draw one, and another one by the weights of the rest; the same twice where there is no other."""
        sums, total = self._sums, self._total
        first = bisect_right(sums, random.random() * total)
        weight = self.weights[first]
        point = random.random() * (total - weight)
        if point >= sums[first] - weight:  # over the place of the first
            point += weight
        second = bisect_right(sums, point) if weight < total else first
        return self.providers[first], self.providers[second]

    def draw_least(self, random: Random, values: Sequence[float]) -> Provider:
        """Draw one of those whose value is the least; *values* are in the order of the providers."""
        least = min(values)
        places = [place for place, value in enumerate(values) if value == least]
        if len(places) == 1:
            return self.providers[places[0]]
        sums = list(accumulate(map(self.weights.__getitem__, places)))
        return self.providers[places[bisect_right(sums, random.random() * sums[-1])]]
